"use strict";

/**
 * Values that cannot be encoded: in payloads, in `socket.data`, as names of rooms. Unless a test has
 * another result, the official adapters end the process in these cases; ours do not.
 */

const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { eachGets } = require("../support/redis/nodes.js");
const { ourKinds, skip, startCluster } = require("../support/redis/idioms.js");

/** A guard against hanging only, in milliseconds. */
const TIMEOUT = 60_000;

const cyclic = { name: "cyclic" };
cyclic.self = cyclic;

const throwing = {
  toJSON() {
    throw new Error("not this one");
  },
};

/** Values that cannot be encoded, and the errors that emitting them throws. */
const UNENCODABLE = {
  "a BigInt": [5n, /BigInt/],
  "what is cyclic": [cyclic, /circular|call stack/],
  "what throws when it is encoded": [throwing, /not this one/],
};

const errorsOf = ({ events }) => events.filter((each) => each instanceof Error);

for (const sharded of [false, true]) {
  for (const kind of ourKinds) {
    const name = `${kind.name}, ${sharded ? "sharded" : "classic"}`;
    describe(name, { skip, timeout: TIMEOUT }, () => {
      test("emit() throws the error of the encoder, and no client receives anything", async (t) => {
        const { nodes, servers } = await startCluster(t, kind, { adapter: { sharded } });
        const [io] = servers;
        const [socket] = io.sockets.sockets.values();
        for (const [what, [value, message]] of Object.entries(UNENCODABLE)) {
          assert.throws(() => io.emit("private", value), message, what);
          assert.throws(() => io.to("even").emit("private", value), message, what);
          assert.throws(() => io.local.emit("private", value), message, what);
          assert.throws(() => socket.broadcast.emit("private", value), message, what);
          assert.throws(() => io.serverSideEmit("private", value), message, what);
        }
        io.emit("next");
        await nodes.assertReceived(eachGets(nodes.clients, [["next"]]));
        assert.deepEqual(errorsOf(nodes.all[0]), []);
      });

      test("another node's fetchSockets() finds sockets without their bad values", async (t) => {
        const { nodes, servers } = await startCluster(t, kind, { adapter: { sharded } });
        const [node] = nodes.all;
        const [cycle, number, getter] = node.clients.map((client) => node.socketOf(client));
        Object.assign(cycle.data, { name: "first", cyclic, bytes: [1, 2] });
        cycle.handshake.session = { cyclic };
        number.data = 5n;
        getter.data = {
          name: "third",
          get trap() {
            throw new Error("not this one");
          },
        };
        getter.join([5n, "room"]);
        const found = await servers[1].fetchSockets();
        assert.equal(found.length, nodes.clients.length);
        const remote = ({ id }) => found.find((each) => each.id === id);
        assert.deepEqual(remote(cycle).data, { index: 0, name: "first", bytes: [1, 2] });
        assert.equal(remote(cycle).handshake.query.index, "0");
        assert.equal("session" in remote(cycle).handshake, false);
        assert.deepEqual(remote(number).data, {});
        assert.deepEqual(remote(getter).data, { name: "third" });
        assert.deepEqual([...remote(getter).rooms].sort(), [getter.id, "room", "even"].sort());
        const told = errorsOf(node).map(({ code, message }) => `${code} ${message}`);
        assert.deepEqual(told, [
          `TURBO_ERR_REDIS Redis: fetchSockets() on another node returns socket ${cycle.id} without handshake.session, data.cyclic`,
          `TURBO_ERR_REDIS Redis: fetchSockets() on another node returns socket ${number.id} without data`,
          `TURBO_ERR_REDIS Redis: fetchSockets() on another node returns socket ${getter.id} without data.trap, rooms`,
        ]);
        assert.deepEqual(errorsOf(nodes.all[1]), []);
      });

      if (sharded) {
        test("a broadcast to a room that has no name for others reports an error", async (t) => {
          const { nodes, servers } = await startCluster(t, kind, { adapter: { sharded } });
          const [node] = nodes.all;
          const [client] = node.clients;
          node.socketOf(client).join(5n);
          servers[0].to(5n).emit("here");
          await nodes.assertReceived(eachGets([client], [["here"]]));
          assert.match(errorsOf(node)[0].message, /a broadcast could not be published: .*BigInt/);
        });
        return;
      }

      test("another node's allRooms() finds those that have a name for it", async (t) => {
        const { nodes, servers } = await startCluster(t, kind);
        const [node] = nodes.all;
        node.socketOf(node.clients[0]).join(["room", 5n]);
        const rooms = await servers[1].of("/").adapter.allRooms();
        assert.ok(rooms.has("room"));
        assert.ok(nodes.clients.every(({ id }) => rooms.has(id)));
        assert.match(
          errorsOf(node)[0].message,
          /allRooms\(\) on another node returns 6 of 7 rooms/,
        );
      });
    });
  }
}
