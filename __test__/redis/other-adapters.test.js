"use strict";

/**
 * The official adapters for Redis with our fan-out: clusters of two nodes with it and one without.
 * Wherever a broadcast is made, it goes through the workers of both.
 */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { setTimeout: delay } = require("node:timers/promises");
const { Emitter } = require("@socket.io/redis-emitter");
const { createClient } = require("redis");
const turbo = require("../..");
const { hasEngine } = require("../../lib/addon/index.js");
const adapters = require("../support/redis/adapters.js");
const { acknowledgements } = require("../support/redis/behaviours/acknowledgements.js");
const { behaves } = require("../support/redis/behaviours/all.js");
const { broadcasts } = require("../support/redis/behaviours/broadcasts.js");
const { requests } = require("../support/redis/behaviours/requests.js");

const { extended, official, officialOverIoRedis, officialStreams } = adapters;

/** How many of the nodes have our fan-out. */
const EXTENDED = 2;

/** Waits until clients have received two packets, and asserts how many broadcasts that took. */
async function assertFannedOut(nodes, clients, send) {
  const before = turbo.stats().broadcasts;
  send();
  while (clients.some(({ received }) => received.length < 2)) await delay(5);
  if (hasEngine) assert.equal(turbo.stats().broadcasts - before, 2 * EXTENDED);
  await nodes.received();
}

function fanOut(started, index, { isSharded }) {
  test("broadcasts go through the workers", async () => {
    const nodes = started();
    const { io } = nodes.all[index];
    await nodes.received();
    await assertFannedOut(nodes, nodes.clients, () => {
      io.emit("text", "ž", { n: 1.5 });
      io.emit("binary", Buffer.from([1, 2]), { deep: [Buffer.from([3])] });
    });
  });

  test("the emitter's broadcasts do, too", { skip: isSharded }, async (t) => {
    const nodes = started();
    const client = await createClient({ url: nodes.urls[0] }).connect();
    t.after(() => client.close());
    await nodes.received();
    const members = nodes.clients.filter((each) => each.index % 2 === 0 && each.index > 0);
    await assertFannedOut(nodes, members, () => {
      const operator = new Emitter(client).to("even").except(nodes.clients[0].id);
      operator.emit("emitted", Buffer.from("bytes"));
      operator.emit("emitted", "text");
    });
  });
}

const behaviours = [acknowledgements, broadcasts, requests, fanOut];

for (const [base, options] of [
  [official, {}],
  [officialOverIoRedis, {}],
  [official, { adapter: { sharded: true } }],
  // There is no emitter for it, and no request for all rooms, as in the sharded protocol.
  [officialStreams, { protocol: { isSharded: true, isOrdered: true } }],
]) {
  behaves({
    kinds: [extended(base), extended(base), base],
    senders: [0, 2],
    behaviours,
    // Broadcasts are counted by I/O thread.
    server: { ioThreads: 1 },
    ...options,
  });
}
