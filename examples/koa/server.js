"use strict";

const { createServer } = require("node:http");
const Koa = require("koa");
const { Server } = require("socket.io");
const { turbo } = require("socket.io-turbo");

const app = new Koa();

app.use((context) => {
  if (context.path !== "/health") return;
  context.body = { native: turbo.native, connections: turbo.stats().connections.native };
});

// callback() uses the middlewares that have been added so far.
const httpServer = createServer(app.callback());
const io = new Server(httpServer, turbo());

io.on("connection", (socket) => {
  socket.on("say", (text) => io.emit("said", text));
});

httpServer.listen(process.env.PORT ?? 3000, () => {
  console.log(`http://localhost:${httpServer.address().port}`);
});

process.once("SIGTERM", () => io.close());
