"use strict";

/** The server that the clients in this folder talk to. */

const { createServer } = require("node:http");
const { Server } = require("socket.io");
const { turbo } = require("../..");

const httpServer = createServer();
const io = new Server(httpServer, turbo());

io.on("connection", (socket) => {
  socket.on("hello", (name, answer) => answer(`Hello ${name}, this is Node.js`));
});

httpServer.listen(process.env.PORT ?? 3000, () => {
  console.log(`http://localhost:${httpServer.address().port}`);
});

process.once("SIGTERM", () => io.close());
