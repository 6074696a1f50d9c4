"use strict";

/** Shared by the tests that send packets to one connection in every way. */

const { describe } = require("node:test");
const { engines } = require("./engines.js");
const { range } = require("./socket-io-client.js");
const { startServer } = require("./socket-io-server.js");

const KIB = 1024;
const BYTES = Buffer.from([0, 1, 127, 128, 255]);

/** Defines a group of tests once for each engine. @param {(engine: object) => void} define */
function describeConnections(define) {
  for (const engine of engines) describe(`a connection of ${engine.name}`, () => define(engine));
}

/** Starts a server that accepts clients of Engine.IO v3; its clients acknowledge all events. */
async function serve(t, engine, options) {
  const server = await startServer(t, engine, { allowEIO3: true, ...options });
  return { ...server, entering: { acknowledges: true } };
}

/**
 * The ways to send to one socket: each sends a number with `news`.
 *
 * @type {Array<(socket: import("socket.io").Socket, number: number) => void>}
 */
const waysToSend = [
  (socket, number) => socket.emit("news", number),
  (socket, number) => socket.nsp.emit("news", number),
  (socket, number) => socket.nsp.to(socket.id).emit("news", number, BYTES, { BYTES }),
  (socket, number) => socket.emit("news", number, BYTES, "text", BYTES),
  (socket, number) => socket.nsp.except("nobody").emit("news", number, "ž".repeat(1000)),
  (socket, number) => socket.emit("news", number, () => {}),
  (socket, number) => socket.nsp.timeout(500).emit("news", number, () => {}),
  (socket, number) => socket.conn.send(`2["news",${number}]`),
  (socket, number) => socket.nsp.local.emit("news", number, Buffer.alloc(100 * KIB)),
];

/** Sends numbers from 0 on, in all ways in turn; `sent()` returns those that have been sent. */
function createSender(socket) {
  let next = 0;
  const send = (count) => {
    for (let i = 0; i < count; i++) waysToSend[next % waysToSend.length](socket, next++);
  };
  const broadcast = () => socket.nsp.emit("news", next++);
  return { send, broadcast, sent: () => range(next) };
}

module.exports = { createSender, describeConnections, serve, waysToSend };
