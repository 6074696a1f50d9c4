"use strict";

const { createServer } = require("node:http");
const express = require("express");
const { Server } = require("socket.io");
const { turbo } = require("socket.io-turbo");

const app = express();
const httpServer = createServer(app);
const io = new Server(httpServer, turbo());

app.get("/health", (_request, response) => {
  response.json({ native: turbo.native, connections: turbo.stats().connections.native });
});

io.on("connection", (socket) => {
  socket.on("say", (text) => io.emit("said", text));
});

httpServer.listen(process.env.PORT ?? 3000, () => {
  console.log(`http://localhost:${httpServer.address().port}`);
});

process.once("SIGTERM", () => io.close());
