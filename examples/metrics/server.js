"use strict";

const { createServer } = require("node:http");
const { collectDefaultMetrics, register } = require("prom-client");
const { Server } = require("socket.io");
const { turbo } = require("socket.io-turbo");

collectDefaultMetrics();
turbo.metrics(register);

const httpServer = createServer(async (request, response) => {
  if (request.url === "/metrics") {
    response.setHeader("content-type", register.contentType);
    response.end(await register.metrics());
  } else if (request.url === "/health") {
    const { native: connections } = turbo.stats().connections;
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ native: turbo.native, connections }));
  } else {
    response.writeHead(404).end();
  }
});
const io = new Server(httpServer, turbo());

io.on("connection", (socket) => {
  socket.on("say", (text) => io.emit("said", text));
});

httpServer.listen(process.env.PORT ?? 3000, () => {
  console.log(`http://localhost:${httpServer.address().port}`);
});

process.once("SIGTERM", () => io.close());
