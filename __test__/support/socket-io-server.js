"use strict";

/** A Socket.IO server for one test, on the engine under test. */

const { createServer } = require("node:http");
const { setTimeout: delay } = require("node:timers/promises");
const { Server } = require("socket.io");
const { listen } = require("./tcp-server.js");

const MIB = 1024 * 1024;

/**
 * Starts a server that is closed after the test. It acknowledges `echo` with its arguments, and
 * admits clients with the right token to `/private`.
 *
 * @param {{ after: (fn: () => unknown) => void }} t
 * @param {import("./engines.js").Engine} engine
 * @param {object} [options] of Socket.IO
 * @returns {Promise<{ io: Server, httpServer: import("node:http").Server, port: number,
 *   origin: string, beforeClose: (close: () => unknown) => void }>} `beforeClose` takes functions that
 *   end the clients; the last is called first
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
  const { port, origin } = await listen(httpServer);
  const closers = [];
  t.after(async () => {
    for (const close of closers.reverse()) await close();
    // A server that closes a polling client between two polls keeps the process for 30 s.
    for (let i = 0; i < 100 && io.engine.clientsCount > 0; i++) await delay(10);
    const closed = io.close();
    // Browsers open connections on which they may never send a request.
    httpServer.closeAllConnections();
    await closed;
  });
  const beforeClose = (close) => closers.push(close);
  return { io, httpServer, port, origin, beforeClose };
}

module.exports = { startServer };
