"use strict";

/** A Socket.IO server for one test, on the engine that is judged. */

const { once } = require("node:events");
const { createServer } = require("node:http");
const { setTimeout: delay } = require("node:timers/promises");
const { Server } = require("socket.io");

const MIB = 1024 * 1024;

/**
 * Starts a server that is closed after the test. It echoes what comes with `echo`, and lets into
 * `/private` who has the right token.
 *
 * @param {{ after: (fn: () => unknown) => void }} t
 * @param {import("./engines.js").Engine} engine
 * @param {object} [options] of Socket.IO
 * @returns {Promise<{ io: Server, httpServer: import("node:http").Server, port: number,
 *   origin: string, beforeClose: (close: () => unknown) => void }>} `beforeClose` takes what ends
 *   the clients, the last first
 */
async function startServer(t, engine, options) {
  const httpServer = createServer();
  const defaults = { maxHttpBufferSize: 4 * MIB, cors: { origin: "*" } };
  const io = new Server(httpServer, engine.serverOptions({ ...defaults, ...options }));
  io.on("connection", (socket) => {
    socket.on("echo", (...args) => args.pop()(...args));
  });
  io.of("/private").use(({ handshake }, next) => {
    const token = handshake.auth.token ?? handshake.query.token;
    if (token === "right") next();
    else next(Object.assign(new Error("wrong token, žluťoučký"), { data: { token } }));
  });
  await once(httpServer.listen(0, "127.0.0.1"), "listening");
  const { port } = httpServer.address();
  const closers = [];
  t.after(async () => {
    for (const close of closers.reverse()) await close();
    // A server that closes a polling client between two polls keeps the process for 30 s.
    for (let i = 0; i < 100 && io.engine.clientsCount > 0; i++) await delay(10);
    const closed = io.close();
    // Browsers open connections on which they may never ask for anything.
    httpServer.closeAllConnections();
    await closed;
  });
  const beforeClose = (close) => closers.push(close);
  return { io, httpServer, port, origin: `http://127.0.0.1:${port}`, beforeClose };
}

module.exports = { startServer };
