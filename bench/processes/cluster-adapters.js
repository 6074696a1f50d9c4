"use strict";

/**
 * The adapters of a cluster's nodes, in a server's process. A node that loses Redis ends, for it
 * may have lost messages.
 */

/**
 * @param {string} url of Redis
 * @returns {Promise<Function>} the adapter of @socket.io/redis-adapter, with node-redis
 * @throws {Error} if it cannot connect
 */
async function officialAdapter(url) {
  const { createAdapter } = require("@socket.io/redis-adapter");
  const { createClient } = require("redis");
  const clients = [createClient({ url }), createClient({ url })];
  for (const client of clients) client.on("error", fail);
  await Promise.all(clients.map((client) => client.connect()));
  return createAdapter(...clients);
}

function fail(error) {
  throw error;
}

/**
 * @param {string} url of Redis
 * @returns {Function} our adapter, which connects by itself
 */
function ourAdapter(url) {
  return require("../..").createRedisAdapter({ url }).on("error", fail);
}

module.exports = { officialAdapter, ourAdapter };
