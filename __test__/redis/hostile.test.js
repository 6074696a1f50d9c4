"use strict";

/**
 * Malformed and foreign messages on all channels of a cluster: they are dropped and counted, and
 * disturb neither a node nor a client.
 */

const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { setTimeout: delay } = require("node:timers/promises");
const { encode } = require("notepack.io");
const { turbo } = require("../..");
const { hasCluster } = require("../../lib/addon/index.js");
const { isFirstNode } = require("../support/node-versions.js");
const { randomFrom, SEED } = require("../support/random.js");
const { ours, oursOverNodeRedis } = require("../support/redis/adapters.js");
const { Nodes } = require("../support/redis/nodes.js");
const { endsOf, skipWithoutRedis, startRedisServer } = require("../support/redis/server.js");

const skip = hasCluster ? skipWithoutRedis : "the addon has no cluster here";

/** A guard against hanging only, in milliseconds. */
const TIMEOUT = 30_000;

const hex = (text) => Buffer.from(text.replaceAll(" ", ""), "hex");

const UID = "strange";
const OPTS = { rooms: [], except: [], flags: {} };
const PACKET = { type: 2, data: ["hostile"], nsp: "/" };

/** Bytes that are not a message on any channel. */
const NONSENSE = [
  Buffer.alloc(0),
  Buffer.from([0xc1]),
  hex("dd ff ff ff ff 01"),
  hex("df ff ff ff ff a1 61 01"),
  hex("c6 ff ff ff ff 00"),
  hex("c9 ff ff ff ff 00"),
  hex("c9 7f ff ff ff 01 61"),
  hex("db ff ff ff ff 61"),
  hex("93 dd ff ff ff ff 01"),
  Buffer.alloc(100_000, 0x91),
  Buffer.alloc(100_000, hex("81 a1 61")),
  Buffer.from("{"),
  Buffer.from('{"type":'),
  Buffer.from(`${'{"a":'.repeat(50_000)}1`),
  Buffer.from("text of another publisher"),
  Buffer.alloc(1024 * 1024, 0x41),
  // Bytes behind a whole message.
  Buffer.concat([encode([UID, PACKET, OPTS]), Buffer.from([0])]),
];

/** Encoded values that are not broadcasts. */
const WRONG_BROADCASTS = [
  null,
  5,
  "text",
  [],
  {},
  [UID],
  [UID, PACKET, null],
  [UID, null, OPTS],
  [UID, { ...PACKET, data: "hostile" }, OPTS],
  [UID, { ...PACKET, data: [] }, OPTS],
  [UID, { ...PACKET, data: [{}] }, OPTS],
  [UID, { ...PACKET, type: 0 }, OPTS],
  [UID, { ...PACKET, type: 1 }, OPTS],
  [UID, { ...PACKET, type: 4, data: { message: "refused" } }, OPTS],
  [UID, { ...PACKET, type: 99 }, OPTS],
  [UID, { ...PACKET, type: "99" }, OPTS],
  [UID, { ...PACKET, type: [2] }, OPTS],
  [UID, PACKET, "text"],
  [UID, PACKET, { ...OPTS, rooms: 5 }],
  [UID, PACKET, { ...OPTS, except: true }],
].map(encode);

/** Values that are not requests. The official adapter throws at some of them. */
const WRONG_REQUESTS = [
  null,
  "text",
  { uid: UID, type: 0, rooms: 5 },
  { uid: UID, type: 2, opts: { rooms: 5 }, rooms: ["a"] },
  { uid: UID, type: 3, opts: OPTS, rooms: 5 },
  { uid: UID, type: 4, opts: { except: 5 } },
  { uid: UID, type: 5, requestId: "strange" },
  { uid: UID, type: 6, data: 5 },
  { uid: UID, type: 6, data: {}, requestId: "strange" },
  { uid: UID, type: 7, requestId: "strange" },
  { uid: UID, type: 7, requestId: "strange", packet: 5, opts: OPTS },
  { uid: UID, type: 7, requestId: "strange", packet: { ...PACKET, type: 1 }, opts: OPTS },
  { uid: UID, type: 7, requestId: "strange", packet: { ...PACKET, data: 5 }, opts: OPTS },
];

/** Values that are not messages of the sharded protocol. */
const WRONG_SHARDED = [
  null,
  [1],
  { uid: UID, nsp: "/", type: 3 },
  { uid: UID, nsp: "/", type: 3, data: { packet: PACKET } },
  { uid: UID, nsp: "/", type: 3, data: { packet: { ...PACKET, type: 1 }, opts: OPTS } },
  { uid: UID, nsp: "/", type: 3, data: { packet: { ...PACKET, data: [] }, opts: OPTS } },
  { uid: UID, nsp: "/", type: 3, data: { packet: PACKET, opts: { rooms: 5, except: [] } } },
  { uid: UID, nsp: "/", type: 4, data: {} },
  { uid: UID, nsp: "/", type: 5, data: { opts: OPTS, rooms: 5 } },
  { uid: UID, nsp: "/", type: 6, data: { opts: { rooms: {} } } },
  { uid: UID, nsp: "/", type: 7, data: { requestId: "strange" } },
  { uid: UID, nsp: "/", type: 8, data: { requestId: "strange", sockets: 5 } },
  { uid: UID, nsp: "/", type: 9, data: { packet: "text" } },
];

/** Well-formed messages without a recipient. */
const FOREIGN = [
  { requestId: "unknown", sockets: [] },
  { requestId: "unknown", type: 9, packet: "an answer" },
  { requestId: "unknown", type: 8, clientCount: 1e9 },
  { uid: UID, type: 99 },
  { uid: UID, type: "6", data: ["hostile"] },
  { uid: UID, type: 2, sid: "nobody", room: "a" },
  { uid: UID, type: 4, sid: "nobody", close: true },
];

const json = (value) => Buffer.from(JSON.stringify(value));

/** Returns every proper prefix of a message. */
const beginnings = (message) => [...message.keys()].map((end) => message.subarray(0, end));

function randomBytes() {
  const { below } = randomFrom(SEED);
  return Array.from({ length: 200 }, () =>
    Buffer.from(Array.from({ length: 1 + below(60) }, () => below(256))),
  );
}

const redisStats = () => turbo.stats().redis;
const sum = (field) => redisStats().reduce((total, stats) => total + stats[field], 0);

/** Publishes messages, and waits until all nodes have received them. */
async function publish(redis, command, messages) {
  const before = sum("received");
  const send = ([channel, message]) => redis.command(command, channel, message);
  const deliveries = await Promise.all(messages.map(send));
  const total = deliveries.reduce((count, each) => count + each, 0);
  while (sum("received") - before < total) await delay(2);
}

/** Starts a cluster of two, and asserts that `act` does not disturb it. */
async function survives(t, kind, adapter, act) {
  const after = endsOf(t);
  const redis = await startRedisServer(after);
  const nodes = await Nodes.start(redis.url, [kind, kind], { adapter });
  after(() => nodes.close());
  const servers = nodes.all.map(({ io }) => io);
  const heard = [];
  for (const io of servers) io.on("hostile", (...args) => heard.push(args));
  const rooms = servers.map((io) => new Set(io.of("/").adapter.rooms.keys()));
  const before = sum("delivered");
  await act({ redis, nodes });
  assert.equal(sum("delivered") - before, 0);
  // No client has received an event, changed its rooms, or been disconnected.
  await nodes.assertReceived({});
  assert.deepEqual(heard, []);
  for (const [number, io] of servers.entries()) {
    assert.deepEqual(new Set(io.of("/").adapter.rooms.keys()), rooms[number]);
  }
  assert.ok(nodes.everyone.every(({ socket }) => socket.connected));
  await nodes.areConnected();
  const answers = await servers[0].timeout(5_000).emitWithAck("question");
  assert.equal(answers.length, nodes.clients.length);
  assert.equal((await servers[1].fetchSockets()).length, nodes.clients.length);
  for (const { events } of nodes.all) {
    assert.deepEqual(
      events.filter((event) => event !== "ready"),
      [],
    );
  }
}

for (const kind of isFirstNode ? [ours, oursOverNodeRedis] : [ours]) {
  describe(`${kind.name}, SEED=${SEED}`, { skip, timeout: TIMEOUT }, () => {
    test("drops and counts what is not a broadcast", async (t) => {
      await survives(t, kind, {}, async ({ redis }) => {
        const messages = [
          ...NONSENSE,
          ...WRONG_BROADCASTS,
          ...beginnings(encode([UID, PACKET, OPTS])),
          ...randomBytes(),
        ].map((message) => ["socket.io#/#", message]);
        const before = sum("malformed");
        await publish(redis, "PUBLISH", messages);
        // Two nodes have received each of them once.
        assert.equal(sum("malformed") - before, 2 * messages.length);
      });
    });

    // Some of the clients poll, so that the message goes to JavaScript.
    test("drops and counts what is nested beyond JavaScript's stack", async (t) => {
      for (const sharded of [false, true]) {
        await survives(t, kind, { sharded }, async ({ redis }) => {
          const nested = `${"[".repeat(9_900)}${"]".repeat(9_900)}`;
          const data = json({ uid: UID, nsp: "/", type: 3, data: { packet: PACKET, opts: OPTS } });
          const deepJson = data.toString().replace('"hostile"', `"hostile",${nested}`);
          const flat = encode([UID, { ...PACKET, data: ["hostile", []] }, OPTS]);
          const at = flat.indexOf(Buffer.from("hostile")) + "hostile".length;
          const levels = Buffer.concat([Buffer.alloc(9_899, 0x91), Buffer.from([0x90])]);
          const deep = Buffer.concat([flat.subarray(0, at), levels, flat.subarray(at + 1)]);
          const before = sum("malformed");
          const message = ["socket.io#/#", sharded ? deepJson : deep];
          await publish(redis, sharded ? "SPUBLISH" : "PUBLISH", [message]);
          while (sum("malformed") - before < 2) await delay(5);
        });
      }
    });

    test("does not decode messages to rooms without members", async (t) => {
      await survives(t, kind, {}, async ({ redis }) => {
        const messages = NONSENSE.map((message) => ["socket.io#/#nobody#", message]);
        const before = sum("filtered");
        await publish(redis, "PUBLISH", messages);
        assert.equal(sum("filtered") - before, 2 * messages.length);
      });
    });

    test("drops and counts what is neither a request nor a response", async (t) => {
      await survives(t, kind, {}, async ({ redis, nodes }) => {
        const { requestChannel, responseChannel, specificResponseChannel } =
          nodes.all[0].io.of("/").adapter;
        const request = { uid: UID, requestId: "strange", type: 7, packet: PACKET, opts: OPTS };
        const garbage = [...NONSENSE, ...beginnings(encode(request)), ...beginnings(json(request))];
        const wrong = [...WRONG_REQUESTS.map(encode), ...WRONG_REQUESTS.map(json)];
        const before = sum("malformed");
        const messages = [...garbage, ...wrong].map((message) => [requestChannel, message]);
        await publish(redis, "PUBLISH", messages);
        while (sum("malformed") - before < 2 * messages.length) await delay(5);
        await publish(
          redis,
          "PUBLISH",
          [...garbage, ...randomBytes(), ...FOREIGN.map(json)].flatMap((message) => [
            [responseChannel, message],
            [specificResponseChannel, message],
          ]),
        );
        await publish(
          redis,
          "PUBLISH",
          FOREIGN.map((value) => [requestChannel, json(value)]),
        );
      });
    });

    test("drops and counts what is not of the sharded protocol", async (t) => {
      await survives(t, kind, { sharded: true }, async ({ redis, nodes }) => {
        const { channel, responseChannel } = nodes.all[0].io.of("/").adapter;
        const garbage = [
          ...NONSENSE,
          ...WRONG_SHARDED.map(encode),
          ...WRONG_SHARDED.map(json),
          ...beginnings(
            json({ uid: UID, nsp: "/", type: 3, data: { packet: PACKET, opts: OPTS } }),
          ),
        ];
        const before = sum("malformed");
        await publish(
          redis,
          "SPUBLISH",
          garbage.map((message) => [channel, message]),
        );
        while (sum("malformed") - before < 2 * garbage.length) await delay(5);
        await publish(
          redis,
          "SPUBLISH",
          garbage.map((message) => [responseChannel, message]),
        );
        while (sum("malformed") - before < 3 * garbage.length) await delay(5);
      });
    });
  });
}
