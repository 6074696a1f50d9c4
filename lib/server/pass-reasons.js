"use strict";

/**
 * The reasons to pass a connection to Node.js, as counted in `stats().server.passed`. Tests compare them with
 * index.d.ts and with the guides.
 */

const { channel } = require("node:diagnostics_channel");
const { EventEmitter } = require("node:events");
const http = require("node:http");

const PASS_REASONS = [
  // The first request is not one that I/O threads serve.
  "request",
  // A session that polls, of whose requests a program may see something.
  "polling",
  // No engine is attached whose requests I/O threads could serve.
  "noEngine",
  // The program listens in front of Socket.IO.
  "connectionListeners",
  "upgradeListeners",
  "requestListeners",
  "overlappingPaths",
  "tracing",
  "diagnostics",
  // A property of the server concerns connections in front of requests.
  "timeout",
  "maxConnections",
  "serverOptions",
  // The WebSocket server is not ours, or has options that I/O threads do not know.
  "webSocketOptions",
  // OpenSSL alone can do what an HTTPS server asks for.
  "tlsOptions",
  "tlsListeners",
];

/** The emitter's own method: tracing puts one of its own in front of it, on a prototype or a server. */
const { emit } = EventEmitter.prototype;

/** The channels on which Node.js publishes connections and requests. */
const CHANNELS = [
  "net.server.socket",
  "http.server.request.start",
  "http.server.response.created",
  "http.server.response.finish",
].map((name) => channel(name));

/**
 * Returns why all connections of a server must be passed for now, as far as that can change without a call of
 * its methods.
 *
 * @param {import("node:http").Server} server
 * @returns {"tracing" | "diagnostics" | null}
 */
function observationReason(server) {
  if (server.emit !== emit) return "tracing";
  for (const each of CHANNELS) if (each.hasSubscribers) return "diagnostics";
  return null;
}

/**
 * Returns which property of a server lets Node.js do something with connections, or with requests of Engine.IO,
 * that I/O threads do not.
 *
 * @param {import("node:http").Server} server
 * @returns {"timeout" | "maxConnections" | "serverOptions" | null}
 */
function propertyReason(server) {
  if (server.timeout > 0) return "timeout";
  if (server.maxConnections !== undefined && server.maxConnections !== null)
    return "maxConnections";
  const isPlain =
    !(server.maxRequestsPerSocket > 0) &&
    !(server.maxHeadersCount > 0) &&
    !server.httpAllowHalfOpen &&
    !server.pauseOnConnect &&
    !server.blockList;
  return isPlain ? null : "serverOptions";
}

/**
 * Returns whether an option of `http.createServer()` changes what a request of Engine.IO is to a program.
 *
 * @param {import("node:http").ServerOptions} options
 */
function hasRequestOptions(options) {
  const { IncomingMessage = http.IncomingMessage, ServerResponse = http.ServerResponse } = options;
  return Boolean(
    IncomingMessage !== http.IncomingMessage ||
      ServerResponse !== http.ServerResponse ||
      options.joinDuplicateHeaders ||
      options.uniqueHeaders ||
      options.shouldUpgradeCallback,
  );
}

module.exports = { PASS_REASONS, hasRequestOptions, observationReason, propertyReason };
