"use strict";

/** The servers that the tests of the adapter run with: each engine, with clients by each transport. */

const { describe } = require("node:test");
const turbo = require("../..");
const { engines, hasNative } = require("./engines.js");
const { startServer } = require("./socket-io-server.js");

/** Socket.IO v5, "Packet encoding". */
const EVENT = 2;
/** Options of a broadcast to all. */
const ALL = { rooms: new Set(), except: new Set(), flags: {} };

/** Our engine once more, with connections on several workers. */
const withThreads = {
  name: "turbo",
  serverOptions: (options) => turbo.turbo({ ...options, ioThreads: 3 }),
};

const kinds = engines.flatMap((engine) => [
  { title: `${engine.name} with clients by WebSocket`, engine, transport: "websocket" },
  { title: `${engine.name} with clients by polling`, engine, transport: "polling" },
]);
if (hasNative) {
  kinds.push({ title: "turbo with three threads", engine: withThreads, transport: "websocket" });
}

/**
 * Defines a group of tests once for each kind of server.
 *
 * @param {(kind: { title: string, engine: import("./engines.js").Engine, transport: string }) => void}
 *   define
 */
function describeAdapters(define) {
  for (const kind of kinds) describe(`the adapter of ${kind.title}`, () => define(kind));
}

/** Starts a server as `startServer()` does, whose clients enter by the transport of its kind. */
async function serve(t, { engine, transport }, options) {
  const server = await startServer(t, engine, options);
  return { ...server, entering: { transports: [transport] } };
}

module.exports = { ALL, EVENT, describeAdapters, serve };
