"use strict";

/**
 * A cluster while Redis is down, stopped, or out of reach: each node goes on serving its own clients,
 * reports what has happened, and is in the cluster again afterwards.
 */

const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { turbo } = require("../..");
const { hasCluster } = require("../../lib/addon/index.js");
const { isFirstNode } = require("../support/node-versions.js");
const { polled } = require("../support/observed.js");
const { ours } = require("../support/redis/adapters.js");
const { Nodes } = require("../support/redis/nodes.js");
const { endsOf, skipWithoutRedis, startRedisServer } = require("../support/redis/server.js");
const { startProxy } = require("../support/tcp-proxy.js");

const skip = hasCluster ? skipWithoutRedis : "the addon has no cluster here";

/** A guard against hanging only, in milliseconds. */
const TIMEOUT = 60_000;

/** Milliseconds until unanswered requests end. */
const REQUESTS_TIMEOUT = 150;
/** Milliseconds until acks time out, long enough for a node's own clients on a busy machine. */
const ACKS_TIMEOUT = 1_500;

/**
 * Starts two nodes, of which the first reaches Redis through a proxy.
 *
 * @param {{ after: (fn: () => unknown) => void }} t
 * @param {object} [options]
 * @param {string[]} [options.settings] lines of redis.conf
 * @param {object} [options.adapter] options of the adapters
 * @param {boolean} [options.isAbsent] true if Redis is down at first
 */
async function start(t, { settings, adapter, isAbsent = false } = {}) {
  const after = endsOf(t);
  const redis = await startRedisServer(after, { settings });
  const proxy = await startProxy({ port: redis.port, beforeClose: after });
  if (isAbsent) await redis.kill();
  const urls = [redis.urlFor(undefined, proxy.port), redis.url];
  const isClassic = !adapter?.sharded;
  const options = { ...(isClassic ? { requestsTimeout: REQUESTS_TIMEOUT } : {}), ...adapter };
  const nodes = await Nodes.start(urls, [ours, ours], { adapter: options, isAlone: isAbsent });
  after(() => nodes.close());
  return { redis, proxy, nodes };
}

/** Returns the part of `stats()` about a node's connection. */
const redisStats = (place) => turbo.stats().redis[place];

const errorsOf = ({ events }) => events.filter((each) => each instanceof Error);
const eventsOf = ({ events }) => events.filter((each) => typeof each === "string");

/** Asserts that the clients of a node receive what it sends; those of other nodes may, too. */
async function servesItsOwn(node) {
  const marks = [Math.random(), Buffer.from([1])];
  node.io.emit("own", ...marks);
  node.io.to("even").emit("even", ...marks);
  const isComplete = ({ index, received }) =>
    received.some(([event, mark]) => event === "own" && mark === marks[0]) &&
    (index % 2 === 1 || received.some(([event, mark]) => event === "even" && mark === marks[0]));
  await polled(() => node.clients.every(isComplete));
  for (const { socket } of node.clients) {
    assert.deepEqual(await socket.emitWithAck("echo", ...marks), marks);
  }
}

/** Asserts that requests end by their timeout, with the texts of the official adapter. */
async function requestsTimeOut({ io, clients }) {
  const { adapter } = io.of("/");
  await Promise.all([
    assert.rejects(io.fetchSockets(), {
      message: "timeout reached while waiting for fetchSockets response",
    }),
    assert.rejects(adapter.allRooms(), {
      message: "timeout reached while waiting for allRooms response",
    }),
    assert.rejects(io.serverSideEmitWithAck("question"), {
      message: "timeout reached: only 0 responses received out of 1",
      responses: [],
    }),
    assert.rejects(io.timeout(ACKS_TIMEOUT).emitWithAck("question"), (error) => {
      assert.equal(error.message, "operation has timed out");
      assert.equal(error.responses.length, clients.length);
      return true;
    }),
  ]);
}

/** Waits until everything works between the nodes. */
async function isWhole(nodes) {
  await nodes.areConnected();
  for (const node of nodes.all) await nodes.answer(node);
  await nodes.received();
}

/** Options by protocol. */
const PROTOCOLS = {
  "the classic protocol": {},
  ...(isFirstNode && {
    "the classic protocol, subscribed to rooms": { subscriptionMode: "dynamic" },
    "the sharded protocol": { sharded: true },
  }),
};

/** Asserts that requests of all nodes end by their timeout, which only the classic protocol can set. */
async function allTimeOut({ all }, { sharded = false }) {
  if (!sharded) await Promise.all(all.map(requestsTimeOut));
}

for (const [name, adapter] of Object.entries(PROTOCOLS)) {
  describe(name, { skip, timeout: TIMEOUT }, () => {
    test("Redis is down at first", async (t) => {
      const { redis, nodes } = await start(t, { adapter, isAbsent: true });
      for (const node of nodes.all) {
        await servesItsOwn(node);
        await polled(() => errorsOf(node).length > 0);
        assert.equal(errorsOf(node)[0].code, "TURBO_ERR_REDIS");
        assert.deepEqual(eventsOf(node), []);
      }
      await allTimeOut(nodes, adapter);
      for (const place of nodes.all.keys()) {
        assert.equal(redisStats(place).state, "connecting");
        assert.ok(redisStats(place).queuedBytes > 0);
      }
      await redis.restart();
      await isWhole(nodes);
      for (const [place, node] of nodes.all.entries()) {
        assert.deepEqual(eventsOf(node), ["ready"]);
        assert.equal(redisStats(place).state, "ready");
        await polled(() => redisStats(place).queuedBytes === 0);
        assert.equal(redisStats(place).publishDropped, 0);
        assert.equal(redisStats(place).reconnections, 0);
      }
    });

    test("Redis is killed, and starts again", async (t) => {
      const { redis, nodes } = await start(t, { adapter });
      await redis.kill();
      for (const [place, node] of nodes.all.entries()) {
        await polled(() => eventsOf(node).includes("reconnecting"));
        await servesItsOwn(node);
        assert.equal(redisStats(place).state, "connecting");
      }
      await allTimeOut(nodes, adapter);
      await redis.restart();
      await isWhole(nodes);
      for (const [place, node] of nodes.all.entries()) {
        assert.deepEqual(eventsOf(node), ["ready", "reconnecting", "ready"]);
        assert.ok(errorsOf(node).length > 0);
        assert.equal(redisStats(place).reconnections, 1);
      }
    });

    test("Redis stops for a moment, and nothing is lost", async (t) => {
      const { redis, nodes } = await start(t, { adapter });
      const [one] = nodes.all;
      redis.stop();
      for (const node of nodes.all) await servesItsOwn(node);
      await allTimeOut(nodes, adapter);
      for (let n = 0; n < 100; n++) one.io.emit("n", n);
      redis.continue();
      const numbers = ({ received }) =>
        received.filter(([event]) => event === "n").map(([, number]) => number);
      await polled(() => nodes.clients.every((client) => numbers(client).length >= 100));
      for (const client of nodes.clients) {
        assert.deepEqual(numbers(client), [...Array(100).keys()]);
      }
      await isWhole(nodes);
      for (const node of nodes.all) assert.deepEqual(node.events, ["ready"]);
    });
  });
}

describe("a cluster", { skip, timeout: TIMEOUT }, () => {
  test("drops and counts messages that do not fit in the queue for Redis", async (t) => {
    const limit = 100_000;
    const adapter = { maxPublishQueue: limit };
    const { redis, nodes } = await start(t, { adapter, isAbsent: true });
    const [one] = nodes.all;
    const bytes = Buffer.alloc(30_000);
    for (let n = 0; n < 10; n++) one.io.emit("large", n, bytes);
    const isComplete = ({ received }) => received.length === 10;
    await polled(() => one.clients.every(isComplete));
    const { queuedBytes, publishDropped } = redisStats(0);
    assert.ok(queuedBytes > 0 && queuedBytes <= limit, `${queuedBytes}`);
    assert.equal(publishDropped, 7);
    await redis.restart();
    await isWhole(nodes);
    assert.equal(redisStats(0).publishDropped, 7);
  });

  test("goes on when Redis drops nodes that are behind", async (t) => {
    const settings = ["client-output-buffer-limit pubsub 100kb 0 0"];
    const { nodes } = await start(t, { settings });
    const [one] = nodes.all;
    one.io.emit("large", Buffer.alloc(2_000_000));
    for (const [place, node] of nodes.all.entries()) {
      await polled(() => eventsOf(node).includes("reconnecting"));
      await servesItsOwn(node);
      await polled(() => redisStats(place).state === "ready");
      assert.ok(errorsOf(node).length > 0);
    }
    await isWhole(nodes);
    for (const place of nodes.all.keys()) assert.equal(redisStats(place).reconnections, 1);
    const large = one.clients.map(({ received }) => received.length);
    assert.deepEqual(large, [0, 0, 0]);
  });

  test("goes on when one node's connections are reset", async (t) => {
    const { proxy, nodes } = await start(t);
    const [one, other] = nodes.all;
    for (let times = 1; times <= 3; times++) {
      proxy.reset();
      await polled(() => eventsOf(one).length === 1 + 2 * times);
      for (const node of nodes.all) await servesItsOwn(node);
      await isWhole(nodes);
      assert.equal(redisStats(0).reconnections, times);
    }
    assert.deepEqual(other.events, ["ready"]);
  });
});

// A silent connection is closed after ten seconds.
const skipLong = isFirstNode ? skip : "under the first Node.js alone";
describe("silence", { skip: skipLong, timeout: TIMEOUT, concurrency: true }, () => {
  test("a node that is cut off notices, and reconnects", async (t) => {
    const { proxy, nodes } = await start(t);
    const [one, other] = nodes.all;
    proxy.stall();
    await servesItsOwn(one);
    await allTimeOut(nodes, {});
    await polled(() => eventsOf(one).includes("reconnecting"));
    assert.deepEqual(
      errorsOf(one).map(({ message }) => message),
      ["Redis: Redis does not answer"],
    );
    for (const node of nodes.all) await servesItsOwn(node);
    proxy.heal();
    await isWhole(nodes);
    assert.deepEqual(eventsOf(one), ["ready", "reconnecting", "ready"]);
    assert.deepEqual(other.events, ["ready"]);
  });

  test("a Redis that is suspended is noticed, and resumes", async (t) => {
    const { redis, nodes } = await start(t);
    redis.stop();
    for (const node of nodes.all) {
      await polled(() => eventsOf(node).includes("reconnecting"));
      await servesItsOwn(node);
    }
    redis.continue();
    await isWhole(nodes);
    for (const node of nodes.all) {
      assert.deepEqual(eventsOf(node), ["ready", "reconnecting", "ready"]);
    }
  });
});
