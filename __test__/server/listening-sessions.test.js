"use strict";

/** Clients of Socket.IO among the connections of a server: the same as with Node.js. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { describe, test } = require("node:test");
const { WebSocket } = require("ws");
const { stats } = require("../..");
const { hasEngine } = require("../../lib/addon/index.js");
const { connect, kinds, newServer, request } = require("../support/http-servers.js");
const { polled } = require("../support/observed.js");
const { connectionsOf } = require("../support/tcp-server.js");

async function start(t, kind) {
  const server = newServer(t, kind, (_request, response) => response.end("ok"));
  await once(server.listen(0, "127.0.0.1"), "listening");
  return server;
}

/** Connects a client by WebSocket, until it has a session. */
async function enter(t, server) {
  const { port } = server.address();
  const client = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`);
  t.after(() => client.terminate());
  const [message] = await once(client, "message");
  assert.match(`${message}`, /^0\{/);
  return client;
}

for (const kind of kinds.filter(({ attach }) => attach !== null)) {
  describe(`a server of ${kind.name}`, { timeout: 60_000 }, () => {
    test("counts clients among its connections, until they are gone", async (t) => {
      const server = await start(t, kind);
      const before = stats().server.sessions;
      const clients = [await enter(t, server), await enter(t, server)];
      assert.equal(await connectionsOf(server), 2);
      const opened = stats().server.sessions - before;
      assert.equal(opened, kind.isOurs && hasEngine ? 2 : 0);
      clients[0].close();
      await polled(async () => (await connectionsOf(server)) === 1);
      clients[1].terminate();
      await polled(async () => (await connectionsOf(server)) === 0);
    });

    test("opens sessions of clients that poll", async (t) => {
      const server = await start(t, kind);
      const before = stats().server.sessions;
      const path = "/socket.io/?EIO=4&transport=polling";
      const { body } = await request(server, { path });
      assert.match(body, /^0\{"sid":"/);
      const opened = stats().server.sessions - before;
      assert.equal(opened, kind.isOurs && hasEngine ? 1 : 0);
    });

    test("waits for its clients when it is closed, and serves them", async (t) => {
      const server = await start(t, kind);
      const clients = [await enter(t, server), await enter(t, server)];
      let isClosed = false;
      const closed = new Promise((resolve) => {
        server.close((error) => {
          isClosed = true;
          resolve(error);
        });
      });
      clients[0].send("40");
      const [answer] = await once(clients[0], "message");
      assert.match(`${answer}`, /^40\{/);
      clients[1].close();
      await polled(async () => (await connectionsOf(server)) === 1);
      assert.equal(isClosed, false);
      clients[0].terminate();
      assert.equal(await closed, undefined);
    });

    test("leaves its clients when it closes all connections of HTTP", async (t) => {
      const server = await start(t, kind);
      const client = await enter(t, server);
      const other = await connect(t, server);
      server.closeAllConnections();
      server.closeIdleConnections();
      client.send("40");
      const [answer] = await once(client, "message");
      assert.match(`${answer}`, /^40\{/);
      other.socket.destroy();
      client.terminate();
      await polled(async () => (await connectionsOf(server)) === 0);
    });

    test("counts its clients for `maxConnections`", async (t) => {
      const server = await start(t, kind);
      await enter(t, server);
      server.maxConnections = 1;
      const dropped = once(server, "drop");
      const second = await connect(t, server);
      assert.equal((await dropped)[0].remotePort, second.socket.localPort);
      assert.equal(await second.ended(), "");
      server.maxConnections = 2;
      assert.equal((await request(server)).body, "ok");
    });

    test("closes with its clients", async (t) => {
      const server = kind.createServer();
      const io = kind.attach(server);
      await once(server.listen(0, "127.0.0.1"), "listening");
      const clients = [await enter(t, server), await enter(t, server)];
      const closed = Promise.all(clients.map((client) => once(client, "close")));
      const events = [];
      server.on("close", () => events.push("close"));
      await io.close();
      assert.deepEqual(events, ["close"]);
      await closed;
      assert.equal(server.listening, false);
    });

    test("listens again with the same Socket.IO server", async (t) => {
      const server = kind.createServer();
      const io = kind.attach(server);
      t.after(() => io.close());
      for (let i = 0; i < 3; i++) {
        await once(server.listen(0, "127.0.0.1"), "listening");
        const client = await enter(t, server);
        const closed = new Promise((resolve) => server.close(resolve));
        client.terminate();
        await closed;
      }
      await once(server.listen(0, "127.0.0.1"), "listening");
      (await enter(t, server)).terminate();
    });

    test("takes a Socket.IO server that is attached while it listens", async (t) => {
      const server = newServer(t, { ...kind, attach: null });
      await once(server.listen(0, "127.0.0.1"), "listening");
      const early = await connect(t, server);
      const io = kind.attach(server);
      t.after(() => io.engine.close());
      const client = await enter(t, server);
      client.send("40");
      await once(client, "message");
      early.socket.destroy();
      client.terminate();
    });
  });
}
