"use strict";

/** Rooms that are named by other values than text, and values that look like placeholders. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { describe, test } = require("node:test");
const { turbo } = require("../..");
const { eachGets } = require("../support/redis/nodes.js");
const { kinds, ourKinds, skip, startCluster } = require("../support/redis/idioms.js");

/** A guard against hanging only, in milliseconds. */
const TIMEOUT = 60_000;

const NAMES = [null, true, false, 0, 1.5, -1];

const PLACE = { _placeholder: true, num: 0 };
const BYTES = Buffer.from([1, 2, 3]);
const OTHERS = Buffer.from([4]);

for (const sharded of [false, true]) {
  for (const kind of kinds) {
    const name = `${kind.name}, ${sharded ? "sharded" : "classic"}`;
    describe(name, { skip, timeout: TIMEOUT }, () => {
      test("rooms may be null, booleans and numbers, on all nodes", async (t) => {
        // If each room has a channel, its subscription takes a moment.
        const options = sharded ? { sharded, subscriptionMode: "static" } : {};
        const { nodes, servers } = await startCluster(t, kind, { adapter: options });
        const clients = nodes.all.map((node) => node.clients.slice(0, 2));
        for (const [index, node] of nodes.all.entries()) {
          for (const client of clients[index]) node.socketOf(client).join(NAMES);
        }
        for (const room of NAMES) {
          servers[0].to(room).to("nobody").emit("several", String(room));
          servers[1].except(room).emit("but", String(room));
          await nodes.assertReceived({
            ...eachGets(nodes.clients, [["but", String(room)]]),
            ...eachGets(clients.flat(), [["several", String(room)]]),
          });
        }
        // The official adapter compares only the text of a channel in the classic protocol.
        if (sharded || kind.isOurs) {
          servers[0].to(null).emit("alone");
          await nodes.assertReceived(eachGets(clients.flat(), [["alone"]]));
        }
      });

      test("values that look like placeholders are sent to all nodes", async (t) => {
        const { nodes, servers } = await startCluster(t, kind, { adapter: { sharded } });
        // Clients replace each placeholder by the bytes of its number.
        servers[0].emit("before", { ...PLACE }, BYTES);
        await nodes.assertReceived(eachGets(nodes.clients, [["before", BYTES, BYTES]]));
        servers[0].emit("behind", BYTES, OTHERS, [{ ...PLACE }], { ...PLACE, num: 1 });
        const behind = ["behind", BYTES, OTHERS, [BYTES], OTHERS];
        await nodes.assertReceived(eachGets(nodes.clients, [behind]));
        servers[0].emit("in it", { ...PLACE, more: BYTES });
        await nodes.assertReceived(eachGets(nodes.clients, [["in it", BYTES]]));
        servers[0].emit("alone", { ...PLACE });
        await nodes.settle();
        for (const { received } of nodes.clients) {
          assert.deepEqual(received.splice(0), [["alone", PLACE]]);
        }
      });
    });
  }
}

for (const kind of ourKinds) {
  describe(kind.name, { skip, timeout: TIMEOUT }, () => {
    test("a room that is named by null needs no JavaScript on another node", async (t) => {
      const { nodes, servers } = await startCluster(t, kind);
      const [client] = nodes.all[1].clients;
      nodes.all[1].socketOf(client).join([null, true]);
      const delivered = () => turbo.stats().redis.reduce((sum, each) => sum + each.delivered, 0);
      const before = delivered();
      const received = once(client.socket, "news");
      servers[0].to(null).to(true).emit("news");
      await received;
      assert.equal(delivered() - before, 1);
    });
  });
}
