"use strict";

/** Helpers for all servers over TCP: HTTP servers, and those of `node:net`. */

const { once } = require("node:events");

/**
 * Listens on a free port of 127.0.0.1.
 *
 * @param {import("node:net").Server} server
 * @returns {Promise<{ port: number, origin: string }>} such as 80 and "http://127.0.0.1:80"
 */
async function listen(server) {
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address();
  return { port, origin: `http://127.0.0.1:${port}` };
}

/** @param {import("node:net").Server} server @returns {Promise<number>} its open connections */
function connectionsOf(server) {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}

module.exports = { connectionsOf, listen };
