"use strict";

const express = require("express");
const { Server } = require("socket.io");
const { turbo } = require("socket.io-turbo");

const app = express();
const server = turbo.createServer(app);
const io = new Server(server, turbo());

app.get("/health", (_request, response) => {
  response.json({ native: turbo.native, connections: turbo.stats().connections.native });
});

io.on("connection", (socket) => {
  socket.on("say", (text) => io.emit("said", text));
});

server.listen(process.env.PORT ?? 3000, () => {
  console.log(`http://localhost:${server.address().port}`);
});

process.once("SIGTERM", () => io.close());
