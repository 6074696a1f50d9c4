"use strict";

/** A broadcast that throws reaches no client, and does not affect later requests. */

const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { eachGets } = require("../support/redis/nodes.js");
const { kinds, skip, startCluster } = require("../support/redis/idioms.js");

/** A guard against hanging only, in milliseconds. */
const TIMEOUT = 60_000;

const cyclic = {};
cyclic.self = cyclic;

/** Broadcasts that throw, for their rooms, their flags, or their payload. */
const FAILING = {
  "a room that is a BigInt": (io) => io.to(5n).emit("private", "secret"),
  "a room that is a symbol": (io) => io.to(Symbol("room")).emit("private", "secret"),
  "rooms, one of which is a BigInt": (io) => io.to("even").except(5n).emit("private", "secret"),
  "flags that are cyclic": (io) =>
    io
      .of("/")
      .adapter.broadcast(
        { type: 2, data: ["private", "secret"] },
        { rooms: new Set(["nobody"]), except: new Set(), flags: cyclic },
      ),
  "a payload that is a BigInt": (io) => io.to("nobody").emit("private", 5n),
  "a payload that is cyclic": (io) => io.to("nobody").emit("private", "secret", cyclic),
};

for (const kind of kinds) {
  describe(kind.name, { skip, timeout: TIMEOUT }, () => {
    test("a request after a broadcast that throws is answered", async (t) => {
      const { nodes, servers } = await startCluster(t, kind);
      const [io, other] = servers;
      const all = nodes.clients.length;
      const [{ clients }] = nodes.all;
      for (const [name, broadcast] of Object.entries(FAILING)) {
        assert.throws(() => broadcast(io), undefined, name);
        assert.equal((await io.local.fetchSockets()).length, clients.length, name);
        assert.throws(() => broadcast(io), undefined, name);
        assert.equal((await other.fetchSockets()).length, all, name);
        assert.throws(() => broadcast(io), undefined, name);
        io.local.socketsJoin(name);
        assert.equal(io.of("/").adapter.rooms.get(name)?.size, clients.length, name);
        assert.throws(() => broadcast(io), undefined, name);
        io.emit("next", name);
        await nodes.assertReceived(eachGets(nodes.clients, [["next", name]]));
      }
    });
  });
}
