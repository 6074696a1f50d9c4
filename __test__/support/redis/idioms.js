"use strict";

/** The clusters of two nodes that the tests of idioms over Redis use. */

const assert = require("node:assert/strict");
const { turbo } = require("../../..");
const { hasCluster } = require("../../../lib/addon/index.js");
const { official, officialOverIoRedis, ours, oursOverNodeRedis } = require("./adapters.js");
const { Nodes } = require("./nodes.js");
const { endsOf, skipWithoutRedis, startRedisServer } = require("./server.js");

/** For every test; the official kind shows that the test asks for nothing new. */
const kinds = hasCluster ? [official, ours, oursOverNodeRedis] : [official];

/** For tests that the official adapter would fail. */
const ourKinds = kinds.filter(({ isOurs }) => isOurs);

/** The official adapter over both kinds of clients. */
const officialKinds = [official, officialOverIoRedis];

/**
 * Starts two nodes of a kind, until the end of the test.
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
