"use strict";

const http = require("node:http");
const { Duplex } = require("node:stream");

/** The result of `areFreshIdle()`, once it is known. */
let result;

/**
 * Returns whether `closeIdleConnections()` of this Node.js, which `close()` calls, ends connections that have
 * sent nothing yet. Those of 20 to 24 wait for their first request, that of 26 ends them.
 *
 * Asks a server that listens nowhere, about a connection without a network.
 */
function areFreshIdle() {
  result ??= ask();
  return result;
}

function ask() {
  const server = new http.Server();
  const connection = new Duplex({ read() {}, write() {} });
  // Not emitted: a program that observes all servers must not see this one.
  for (const listener of server.listeners("listening")) listener.call(server);
  for (const listener of server.listeners("connection")) listener.call(server, connection);
  server.closeIdleConnections();
  const { destroyed } = connection;
  connection.destroy();
  server.close();
  return destroyed;
}

module.exports = { areFreshIdle };
