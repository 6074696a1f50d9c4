"use strict";

const Koa = require("koa");
const { Server } = require("socket.io");
const { turbo } = require("socket.io-turbo");

const app = new Koa();

app.use((context) => {
  if (context.path !== "/health") return;
  context.body = { native: turbo.native, connections: turbo.stats().connections.native };
});

// callback() uses the middlewares that have been added so far.
const server = turbo.createServer(app.callback());
const io = new Server(server, turbo());

io.on("connection", (socket) => {
  socket.on("say", (text) => io.emit("said", text));
});

server.listen(process.env.PORT ?? 3000, () => {
  console.log(`http://localhost:${server.address().port}`);
});

process.once("SIGTERM", () => io.close());
