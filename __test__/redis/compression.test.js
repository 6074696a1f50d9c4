"use strict";

/** Broadcasts of another node to clients that compress, and to others beside them. */

const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { turbo } = require("../..");
const { eachGets } = require("../support/redis/nodes.js");
const { kinds, skip, startCluster } = require("../support/redis/idioms.js");
const { recordTransfers } = require("../support/transfers.js");
const { WITHOUT_CONTEXT } = require("../support/websocket/deflate.js");

/** A guard against hanging only, in milliseconds. */
const TIMEOUT = 60_000;
const THRESHOLD = 200;
const SERVER = { perMessageDeflate: { threshold: THRESHOLD, ...WITHOUT_CONTEXT } };

const LONG = "žluťoučký kůň ".repeat(100);
const BYTES = Buffer.alloc(3000, "attachment");

/** Records what the clients receive by WebSocket, those that compress and the others. */
function record(clients) {
  const webSockets = clients
    .filter(({ isPolling }) => !isPolling)
    .map(({ socket }) => socket.io.engine.transport.ws);
  const transfers = (isCompressed) =>
    webSockets
      .filter(({ extensions }) => (extensions === "permessage-deflate") === isCompressed)
      .map(recordTransfers);
  return { compressing: transfers(true), plain: transfers(false) };
}

/** Returns which of the long messages were compressed. */
const ofLong = (transfers) =>
  transfers.filter(({ length }) => length >= THRESHOLD).map((each) => each.isCompressed);

for (const sharded of [false, true]) {
  for (const kind of kinds) {
    const name = `${kind.name}, ${sharded ? "sharded" : "classic"}`;
    // The official adapters make messages of the same kind; engine.io 6.6.12 does not pass on `compress`.
    const honoursCompressFalse = kind.isOurs;
    describe(name, { skip, timeout: TIMEOUT }, () => {
      test("broadcasts from all nodes are compressed from the threshold on", async (t) => {
        const { nodes, servers } = await startCluster(t, kind, {
          adapter: { sharded },
          server: SERVER,
        });
        const guests = [];
        for (const node of nodes.all) guests.push(await node.connect({ perMessageDeflate: false }));
        const clients = [...nodes.clients, ...guests];
        const { compressing, plain } = record(clients);
        assert.deepEqual([compressing.length, plain.length], [4, 2]);
        for (const io of servers) {
          io.emit("news", LONG);
          io.emit("news", BYTES, { LONG });
          io.to("nobody").to("even").to("odd").emit("news", "short");
        }
        const each = [
          ["news", LONG],
          ["news", BYTES, { LONG }],
          ["news", "short"],
        ];
        await nodes.assertReceived(eachGets(nodes.clients, [...each, ...each]));
        for (const transfers of compressing) {
          assert.deepEqual(ofLong(transfers), Array(6).fill(true));
          assert.ok(transfers.every((t) => t.length >= THRESHOLD || !t.isCompressed));
        }
        for (const transfers of plain) assert.ok(ofLong(transfers).every((flag) => !flag));
        await nodes.dismiss(guests);
      });

      test("broadcasts without compression are not compressed on any node", async (t) => {
        const { nodes, servers } = await startCluster(t, kind, {
          adapter: { sharded },
          server: SERVER,
        });
        const { compressing } = record(nodes.clients);
        for (const io of servers) {
          io.compress(false).emit("news", LONG, BYTES);
          io.compress(true).emit("news", LONG);
        }
        const each = [
          ["news", LONG, BYTES],
          ["news", LONG],
        ];
        await nodes.assertReceived(eachGets(nodes.clients, [...each, ...each]));
        const flags = honoursCompressFalse ? [false, false, true] : [true, true, true];
        for (const transfers of compressing) {
          assert.deepEqual(ofLong(transfers), [...flags, ...flags]);
        }
      });

      if (!kind.isOurs) return;
      test("all connections by WebSocket are native", async (t) => {
        const { nodes } = await startCluster(t, kind, { adapter: { sharded }, server: SERVER });
        const webSockets = nodes.clients.filter(({ isPolling }) => !isPolling).length;
        assert.deepEqual(turbo.stats().connections.fallback, {});
        assert.ok(turbo.stats().connections.native >= webSockets);
      });
    });
  }
}
