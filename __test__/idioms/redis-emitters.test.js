"use strict";

/**
 * Messages of emitters in other languages, and of old ones: missing options, text instead of numbers,
 * one room instead of a list.
 */

const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { encode } = require("notepack.io");
const { eachGets } = require("../support/redis/nodes.js");
const { kinds, ourKinds, skip, startCluster } = require("../support/redis/idioms.js");

/** A guard against hanging only, in milliseconds. */
const TIMEOUT = 60_000;

const UID = "emitter";
const BYTES = Buffer.from([1, 2, 3]);
const CHANNEL = "socket.io#/#";
const REQUESTS = "socket.io-request#/#";

/** The same broadcast to all, with the empty values of each language. */
const TO_ALL = {
  "socket.io-python-emitter": [{ type: 2 }, { rooms: "", flags: "" }],
  "PHP, an empty array for no options": [{ type: 2 }, []],
  "PHP, empty arrays": [{ type: 2 }, { rooms: [], flags: [] }],
  "no options, no namespace": [{ type: 2, nsp: undefined }, {}],
  "null for nothing": [{ type: 2 }, { rooms: null, except: null, flags: null }],
  "a type as text": [{ type: "2" }, { rooms: [], except: [], flags: {} }],
};

const message = ([packet, opts], event, ...args) =>
  encode([UID, { nsp: "/", ...packet, data: [event, ...args] }, opts]);

/** The same in the sharded protocol, as JSON unless there are bytes in it. */
const sharded = ([packet, opts], event, ...args) => {
  const data = { packet: { ...packet, data: [event, ...args] }, opts };
  const whole = { type: 3, data, uid: UID, nsp: "/" };
  return args.some(Buffer.isBuffer) ? encode(whole) : JSON.stringify(whole);
};

const DONE = {
  classic: ["PUBLISH", REQUESTS, JSON.stringify({ uid: UID, type: 6, data: ["done"] })],
  sharded: [
    "SPUBLISH",
    CHANNEL,
    JSON.stringify({ uid: UID, nsp: "/", type: 9, data: { packet: ["done"] } }),
  ],
};

/** Waits until the nodes have received all that was sent before on the same connection. */
const settledBy = (redis, nodes, protocol) => async (expected) => {
  const received = nodes.all.map(({ io }) => new Promise((resolve) => io.once("done", resolve)));
  await redis.command(...DONE[protocol]);
  await Promise.all(received);
  await nodes.assertReceived(expected);
};

for (const kind of kinds) {
  describe(kind.name, { skip, timeout: TIMEOUT }, () => {
    test("all clients receive the broadcast of any emitter", async (t) => {
      const { redis, nodes } = await startCluster(t, kind);
      const assertReceived = settledBy(redis, nodes, "classic");
      for (const [name, parts] of Object.entries(TO_ALL)) {
        await redis.command("PUBLISH", CHANNEL, message(parts, "news", name));
        await assertReceived(eachGets(nodes.clients, [["news", name]]));
      }
      const [{ clients }] = nodes.all;
      for (const client of clients.slice(0, 2)) nodes.all[0].socketOf(client).join("r");
      const options = { rooms: "r", flags: "" };
      await redis.command("PUBLISH", `${CHANNEL}r#`, message([{ type: 2 }, options], "room"));
      await redis.command("PUBLISH", CHANNEL, message([{ type: 2 }, { except: "r" }], "others"));
      await assertReceived({
        ...eachGets(nodes.clients, [["others"]]),
        ...eachGets(clients.slice(0, 2), [["room"]]),
      });
    });

    test("requests name rooms by any list of JavaScript", async (t) => {
      const { redis, nodes, servers } = await startCluster(t, kind);
      const request = (value) => redis.command("PUBLISH", REQUESTS, JSON.stringify(value));
      await request({ uid: UID, type: 2, opts: { rooms: "" }, rooms: ["r"] });
      await request({ uid: UID, type: 2, opts: [], rooms: "s" });
      await request({ uid: UID, type: 3, opts: { rooms: "r", except: "" }, rooms: ["even"] });
      await settledBy(redis, nodes, "classic")({});
      for (const { adapter } of servers.map((io) => io.of("/"))) {
        assert.equal(adapter.rooms.get("r").size, 3);
        assert.equal(adapter.rooms.get("s").size, 3);
        assert.equal(adapter.rooms.has("even"), false);
      }
    });

    test("the sharded protocol accepts the same", async (t) => {
      const { redis, nodes } = await startCluster(t, kind, { adapter: { sharded: true } });
      const assertReceived = settledBy(redis, nodes, "sharded");
      for (const [name, parts] of Object.entries(TO_ALL)) {
        await redis.command("SPUBLISH", CHANNEL, sharded(parts, "news", name));
        await assertReceived(eachGets(nodes.clients, [["news", name]]));
      }
    });
  });
}

for (const kind of ourKinds) {
  describe(`${kind.name}, better than the official one`, { skip, timeout: TIMEOUT }, () => {
    for (const protocol of ["classic", "sharded"]) {
      test(`emitters of Socket.IO 2 announce binary data, ${protocol}`, async (t) => {
        const isSharded = protocol === "sharded";
        const { redis, nodes } = await startCluster(t, kind, { adapter: { sharded: isSharded } });
        const assertReceived = settledBy(redis, nodes, protocol);
        const options = { rooms: [], except: [], flags: {} };
        for (const type of [5, "5", "2"]) {
          const make = isSharded ? sharded : message;
          const bytes = make([{ type }, options], "bytes", BYTES);
          await redis.command(isSharded ? "SPUBLISH" : "PUBLISH", CHANNEL, bytes);
          await assertReceived(eachGets(nodes.clients, [["bytes", BYTES]]));
        }
      });
    }
  });
}
