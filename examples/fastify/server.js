"use strict";

const fastify = require("fastify");
const { Server } = require("socket.io");
const { turbo } = require("socket.io-turbo");

const app = fastify();
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
  await app.listen({ port: Number(process.env.PORT ?? 3000) });
  console.log(`http://localhost:${app.server.address().port}`);
}

process.once("SIGTERM", () => app.close());

main();
