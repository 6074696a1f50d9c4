"use strict";

const fastify = require("fastify");
const { Server } = require("socket.io");
const { turbo } = require("socket.io-turbo");

const app = fastify({ serverFactory: (handler) => turbo.createServer(handler) });
const io = new Server(app.server, turbo());

app.get("/health", () => ({
  native: turbo.native,
  connections: turbo.stats().connections.native,
}));

io.on("connection", (socket) => {
  socket.on("say", (text) => io.emit("said", text));
});

// Fastify waits for its connections to end. Those of Socket.IO must be closed first.
app.addHook("preClose", () => io.close());

async function main() {
  // With a host, Fastify makes one server; without, one for each address of localhost.
  await app.listen({ port: Number(process.env.PORT ?? 3000), host: "0.0.0.0" });
  console.log(`http://localhost:${app.server.address().port}`);
}

process.once("SIGTERM", () => app.close());

main();
