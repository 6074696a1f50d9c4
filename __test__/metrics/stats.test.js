"use strict";

/** The figures of `stats()` that only metrics have, and what becomes of connections that have ended. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const net = require("node:net");
const { describe, test } = require("node:test");
const { turbo } = require("../..");
const { hasEngine } = require("../../lib/addon/index.js");
const { METRICS, snapshot } = require("../../lib/metrics/table.js");
const { stats } = require("../../lib/stats.js");
const { upgradeRequest } = require("../support/websocket/client.js");
const { statsOnce } = require("./served.js");

/** More than the kernel's buffers of a connection hold. */
const MUCH = Buffer.alloc(32 * 1024 * 1024);

/** Reads a metric of the table. */
function read(name) {
  return METRICS.find((metric) => metric.name === name).read(snapshot());
}

/** Waits until the snapshot of this turn is not used any more. */
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

test("a slow client is counted until little waits for it, and a delivery once it has it", {
  skip: !hasEngine && "without the engine there is nothing to count",
  timeout: 60_000,
}, async (t) => {
  const server = new turbo.WebSocketServer({ port: 0 });
  await once(server, "listening");
  const connected = once(server, "connection");
  const peer = net.connect(server.address().port, "127.0.0.1");
  t.after(() => {
    peer.destroy();
    server.close();
  });
  peer.write(upgradeRequest());
  const [websocket] = await connected;
  const before = turbo.stats();
  websocket.send(MUCH);
  const slow = await statsOnce(({ slowClients }) => slowClients === 1);
  assert.ok(slow.queuedBytes > 0);
  assert.equal(
    slow.workers.reduce((sum, { slowClients }) => sum + slowClients, 0),
    1,
  );
  assert.equal(slow.delivery.count, before.delivery.count);
  peer.resume();
  await statsOnce(({ slowClients }) => slowClients === 0);
  const after = await statsOnce(({ delivery }) => delivery.count > before.delivery.count);
  assert.equal(after.delivery.count, before.delivery.count + 1);
  assert.ok(after.delivery.sum > before.delivery.sum);
});

test("a refused upgrade is a handshake, and no connection", { timeout: 60_000 }, async (t) => {
  const server = new turbo.WebSocketServer({ port: 0 });
  await once(server, "listening");
  t.after(() => server.close());
  const { connections: before } = turbo.stats();
  const wrong = upgradeRequest({ headers: { "Sec-WebSocket-Version": "3" } });
  const peer = net.connect(server.address().port, "127.0.0.1");
  peer.write(wrong);
  const [answer] = await once(peer, "data");
  assert.match(String(answer), /^HTTP\/1.1 4/);
  peer.destroy();
  const { connections: after } = turbo.stats();
  assert.equal(after.handshakes, before.handshakes + 1);
  assert.deepEqual([after.opened, after.fallback], [before.opened, before.fallback]);
});

describe("the metrics of Redis", () => {
  /** A connection to Redis that counts what it is told to. */
  const link = (state, counters) => ({ state, native: { stats: () => counters } });

  test("are of all connections, counters also of those that have ended", async () => {
    const zero = read("redis.messages.published");
    const [one, other] = [
      link("ready", { published: 3, queuedBytes: 10, reconnections: 1 }),
      link("connecting", { published: 4, queuedBytes: 1, reconnections: 0 }),
    ];
    stats.addLink(one);
    stats.addLink(other);
    await nextTurn();
    assert.deepEqual(read("redis.connections"), { connecting: 1, ready: 1 });
    assert.deepEqual([read("redis.messages.published") - zero, read("redis.queued")], [7, 11]);
    stats.removeLink(one);
    stats.removeLink(one);
    await nextTurn();
    assert.deepEqual(read("redis.connections"), { connecting: 1, ready: 0 });
    assert.deepEqual([read("redis.messages.published") - zero, read("redis.queued")], [7, 1]);
    stats.removeLink(other);
    await nextTurn();
    assert.deepEqual([read("redis.messages.published") - zero, read("redis.queued")], [7, 0]);
  });
});
