"use strict";

/** The clusters of two that the tests of idioms over Redis run with: official nodes, and ours. */

const assert = require("node:assert/strict");
const { turbo } = require("../../..");
const { hasCluster } = require("../../../lib/addon/index.js");
const { official, officialOverIoRedis, ours, oursOverNodeRedis } = require("./adapters.js");
const { Nodes } = require("./nodes.js");
const { endsOf, skipWithoutRedis, startRedisServer } = require("./server.js");

/** Those that every test runs with; the official one shows that it asks for nothing new. */
const kinds = hasCluster ? [official, ours, oursOverNodeRedis] : [official];

/** Those with ours, for what is better than with the official one. */
const ourKinds = kinds.filter(({ isOurs }) => isOurs);

/** The official one over both kinds of clients. */
const officialKinds = [official, officialOverIoRedis];

/**
 * Starts two nodes of a kind, which end after the test.
 *
 * @param {{ after: (fn: () => unknown) => void }} t
 * @param {import("./adapters.js").AdapterKind} kind
 * @param {object} [options] as `Nodes.start()` takes them, and `redis`, those of the server
 * @returns {Promise<{ redis: import("./server.js").RedisServer, nodes: Nodes,
 *   servers: import("socket.io").Server[] }>}
 */
async function startCluster(t, kind, { redis: redisOptions, ...options } = {}) {
  const after = endsOf(t);
  const redis = await startRedisServer(after, redisOptions);
  const nodes = await Nodes.start(redis.url, [kind, kind], options);
  after(() => nodes.close());
  if (kind.isOurs) assert.ok(turbo.stats().connections.native > 0, "no native connections");
  return { redis, nodes, servers: nodes.all.map(({ io }) => io) };
}

module.exports = { kinds, officialKinds, ourKinds, skip: skipWithoutRedis, startCluster };
