"use strict";

/** The servers whose connections I/O threads accept: real servers of Node.js in all other respects. */

const http = require("node:http");
const { withHandle } = require("./handle-server.js");
const { withListener } = require("./listening.js");

const HttpServer = withListener(withHandle(http.Server));

/**
 * Returns an `http.Server` whose connections I/O threads accept, as `http.createServer()` returns one.
 *
 * @param {import("../../index.js").CreateServerOptions | Function} [options] may be left out
 * @param {import("node:http").RequestListener} [listener] of `request` events
 * @returns {import("node:http").Server}
 * @throws {import("../errors.js").InvalidOptionError} if an option of ours is invalid; and what Node.js throws
 */
function createServer(options, listener) {
  return new HttpServer(options, listener);
}

/**
 * Returns an `https.Server` whose connections I/O threads accept and decrypt, as `https.createServer()` returns one.
 *
 * @param {import("node:https").ServerOptions | Function} [options] may be left out
 * @param {import("node:http").RequestListener} [listener] of `request` events
 * @returns {import("node:https").Server}
 * @throws {InvalidOptionError} for an option that I/O threads cannot honour
 */
function createSecureServer(options, listener) {
  // Loaded only where it is used, as `node:https` is.
  const { SecureServer } = require("./secure-server.js");
  return new SecureServer(options, listener);
}

module.exports = { createSecureServer, createServer };
