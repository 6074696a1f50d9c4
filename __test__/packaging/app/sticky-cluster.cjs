"use strict";

/**
 * A cluster whose primary process hands each connection to the worker that has its session. Prints
 * as JSON how many workers had clients, and the upgraded connections that were native there.
 */

const cluster = require("node:cluster");
const { once } = require("node:events");
const { createServer } = require("node:http");
const { setupMaster, setupWorker } = require("@socket.io/sticky");
const { Server } = require("socket.io");
const { io: connect } = require("socket.io-client");
const { turbo } = require("socket.io-turbo");

const WORKERS = 2;
const CLIENTS = 6;

async function lead() {
  // Packages of @socket.io/sticky hold Buffers.
  cluster.setupPrimary({ serialization: "advanced" });
  const workers = Array.from({ length: WORKERS }, () => cluster.fork());
  await Promise.all(workers.map((worker) => once(worker, "message")));
  const httpServer = createServer();
  setupMaster(httpServer, { loadBalancingMethod: "round-robin" });
  await once(httpServer.listen(0, "127.0.0.1"), "listening");
  const { port } = httpServer.address();
  const clients = Array.from({ length: CLIENTS }, () =>
    connect(`http://127.0.0.1:${port}`, { forceNew: true }),
  );
  await Promise.all(clients.map((client) => once(client.io.engine, "upgrade")));
  const answers = await Promise.all(clients.map((client) => client.emitWithAck("who")));
  const opened = new Map(answers.map(({ pid, opened }) => [pid, opened]));
  const sum = [...opened.values()].reduce((total, count) => total + count, 0);
  console.log(JSON.stringify({ workers: opened.size, opened: sum }));
  for (const client of clients) client.disconnect();
  cluster.disconnect();
  httpServer.close();
}

function follow() {
  const io = new Server(createServer(), turbo());
  setupWorker(io);
  io.on("connection", (socket) => {
    socket.on("who", (acknowledge) => {
      acknowledge({ pid: process.pid, opened: turbo.stats().connections.opened });
    });
  });
  process.send("ready");
}

if (cluster.isPrimary) lead();
else follow();
