"use strict";

/** Namespaces that are removed, and adapters that are closed, while sockets connect and disconnect. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { describe, test } = require("node:test");
const { polled } = require("../support/observed.js");
const { kinds, ourKinds, skip, startCluster } = require("../support/redis/idioms.js");

/** A guard against hanging only, in milliseconds. */
const TIMEOUT = 60_000;

/** The protocols, by the options of the adapters. */
const PROTOCOLS = {
  classic: {},
  "classic, subscribed to rooms": { subscriptionMode: "dynamic" },
  sharded: { sharded: true },
};

for (const [protocol, adapter] of Object.entries(PROTOCOLS)) {
  for (const kind of kinds) {
    describe(`${kind.name}, ${protocol}`, { skip, timeout: TIMEOUT }, () => {
      test("a client may be in a middleware when the last other one leaves", async (t) => {
        const options = kind.isOurs || adapter.sharded ? adapter : {};
        const server = { cleanupEmptyChildNamespaces: true };
        const { nodes } = await startCluster(t, kind, { adapter: options, server });
        const [node] = nodes.all;
        const waiting = [];
        const parent = node.io.of(/^\/dyn-\d+$/);
        parent.use(({ handshake }, next) => {
          if (handshake.auth.isSlow) waiting.push(next);
          else next();
        });
        parent.on("connection", (socket) => socket.join(["room", 5]));
        const [first, second] = [node.manager(), node.manager()];
        const early = first.socket("/dyn-1");
        await once(early, "connect");
        const late = second.socket("/dyn-1", { auth: { isSlow: true } });
        await polled(() => waiting.length > 0);
        early.disconnect();
        await polled(() => !node.io._nsps.has("/dyn-1"));
        waiting[0]();
        await once(late, "connect");
        late.disconnect();
        const again = first.socket("/dyn-2");
        await once(again, "connect");
        // The cluster is complete.
        await nodes.assertReceived({});
        again.disconnect();
      });
    });
  }

  for (const kind of ourKinds) {
    describe(`${kind.name}, ${protocol}`, { skip, timeout: TIMEOUT }, () => {
      test("an adapter may be closed twice, and is alone afterwards", async (t) => {
        const { nodes, servers } = await startCluster(t, kind, { adapter });
        const [name] = nodes.namespaces;
        const namespace = servers[0].of(name);
        const left = namespace.adapter.close();
        await Promise.all([left, namespace.adapter.close()]);
        const [client] = nodes.all[0].everyone.filter(({ socket }) => socket.nsp === name);
        const socket = namespace.sockets.get(client.id);
        socket.join("room");
        namespace.to("room").emit("here");
        namespace.emit("here, too");
        namespace.serverSideEmit("nobody hears it");
        assert.deepEqual(await namespace.fetchSockets(), [socket]);
        assert.deepEqual(await namespace.timeout(5_000).emitWithAck("question"), [client.index]);
        socket.leave("room");
        const events = [["here"], ["here, too"], ["question"]];
        const fenced = once(client.socket, "end");
        socket.emit("end");
        await fenced;
        assert.deepEqual(client.received.splice(0), [...events, ["end"]]);
        await namespace.adapter.close();
        // Other namespaces are still in the cluster.
        assert.equal((await servers[0].fetchSockets()).length, nodes.clients.length);
      });
    });
  }
}
