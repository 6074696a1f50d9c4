"use strict";

/** Several servers, or many namespaces, behind one factory; keys and prefixes of all kinds. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { createServer } = require("node:http");
const { describe, test } = require("node:test");
const { Redis } = require("ioredis");
const { Server } = require("socket.io");
const { createRedisAdapter, turbo } = require("../..");
const { polled } = require("../support/observed.js");
const { oursOverIoRedis } = require("../support/redis/adapters.js");
const { eachGets } = require("../support/redis/nodes.js");
const { kinds, ourKinds, skip, startCluster } = require("../support/redis/idioms.js");
const { startRedisServer } = require("../support/redis/server.js");
const { connectClient } = require("../support/socket-io-client.js");
const { listen } = require("../support/tcp-server.js");

/** A guard against hanging only, in milliseconds. */
const TIMEOUT = 60_000;

/** Our nodes over each of their transports. */
const ourTransports = ourKinds.length > 0 ? [...ourKinds, oursOverIoRedis] : [];

/** Returns a function that takes what is called after the test, the last first. */
function endsOf(t) {
  const ends = [];
  t.after(async () => {
    for (const end of ends) await end();
  });
  return (end) => ends.unshift(end);
}

/** Starts a server on an adapter, with one client. */
async function serve(after, adapter) {
  const httpServer = createServer();
  const io = new Server(httpServer, turbo({ adapter }));
  const { origin } = await listen(httpServer);
  after(() => io.close());
  const client = connectClient(origin);
  after(() => client.disconnect());
  await once(client, "connect");
  return { io, client, origin };
}

for (const kind of ourTransports) {
  for (const sharded of [false, true]) {
    const name = `${kind.name}, ${sharded ? "sharded" : "classic"}`;
    describe(name, { skip, timeout: TIMEOUT }, () => {
      test("four servers of one process share a factory", async (t) => {
        const after = endsOf(t);
        const { url } = await startRedisServer(after);
        const factory = await kind.create({ url, options: { sharded }, after });
        const nodes = [];
        for (let count = 0; count < 4; count++) nodes.push(await serve(after, factory));
        const [{ io }] = nodes;
        await polled(async () => (await io.of("/").adapter.serverCount()) === 4);
        assert.equal((await io.fetchSockets()).length, 4);
        for (const [index, { client, io: server }] of nodes.entries()) {
          client.on("question", (answer) => answer(index));
          server.on("question", (answer) => answer(index));
        }
        const answers = await io.timeout(10_000).emitWithAck("question");
        assert.deepEqual(answers.sort(), [0, 1, 2, 3]);
        const others = await nodes[3].io.serverSideEmitWithAck("question");
        assert.deepEqual(others.sort(), [0, 1, 2]);
        const received = nodes.map(({ client }) => once(client, "news"));
        io.emit("news", 1);
        for (const each of received) assert.deepEqual(await each, [1]);
        await nodes[1].io.of("/").adapter.close();
        assert.equal(await io.of("/").adapter.serverCount(), 3);
        assert.equal((await io.fetchSockets()).length, 3);
      });

      test("keys may have characters that are special in patterns", async (t) => {
        const key = "app[1]*?\\^-x]";
        const { nodes, servers } = await startCluster(t, kind, { adapter: { sharded, key } });
        servers[0].emit("news");
        await nodes.assertReceived(eachGets(nodes.clients, [["news"]]));
        servers[1].to("even").emit("even");
        const even = nodes.clients.filter(({ index }) => index % 2 === 0);
        await nodes.assertReceived(eachGets(even, [["even"]]));
        assert.equal((await servers[1].fetchSockets()).length, nodes.clients.length);
      });

      test("sixteen namespaces print no warning", async (t) => {
        const after = endsOf(t);
        const { url } = await startRedisServer(after);
        const factory = await kind.create({ url, options: { sharded }, after });
        const warnings = [];
        const handleWarning = ({ message }) => warnings.push(message);
        process.on("warning", handleWarning);
        after(() => process.removeListener("warning", handleWarning));
        const { client, io, origin } = await serve(after, factory);
        const names = Array.from({ length: 16 }, (_, index) => `/name-${index}`);
        for (const each of names) {
          io.of(each);
          const socket = client.io.socket(each);
          await once(socket, "connect");
        }
        assert.ok(origin);
        // Listeners of the application are still detected, in each of them.
        const flushed = once(io.engine, "flush");
        io.of(names[15]).emit("news");
        await flushed;
        assert.deepEqual(warnings, []);
      });
    });
  }
}

for (const kind of kinds) {
  describe(kind.name, { skip, timeout: TIMEOUT }, () => {
    test("an acknowledgement without a timeout reaches each client once", async (t) => {
      const { nodes, servers } = await startCluster(t, kind);
      for (const [index, io] of servers.entries()) {
        await new Promise((resolve) => {
          // Without a timeout, it is called at once: no client has answered by then.
          io.to("even").emit("question", index, resolve);
        });
        await nodes.answer(nodes.all[index]);
        const even = nodes.clients.filter(({ index: place }) => place % 2 === 0);
        const got = await nodes.received();
        const own = nodes.all[index].clients.map(({ name }) => name);
        for (const { name } of even) {
          const questions = got[name].filter(([event]) => event === "question");
          // The official adapter takes its own request for another node's.
          const expected = kind.isOurs || !own.includes(name) ? 1 : questions.length;
          assert.equal(questions.length, expected, name);
        }
      }
    });
  });
}

describe("ioredis with a keyPrefix", {
  skip: skip || ourKinds.length === 0,
  timeout: TIMEOUT,
}, () => {
  const connectTo = async (after, url, keyPrefix) => {
    const client = new Redis(url, { keyPrefix });
    client.on("error", () => {});
    after(() => client.quit());
    await once(client, "ready");
    return client;
  };

  for (const sharded of [false, true]) {
    test(`nodes receive each other's messages, ${sharded ? "sharded" : "classic"}`, async (t) => {
      const after = endsOf(t);
      const { url } = await startRedisServer(after);
      const nodes = [];
      for (let count = 0; count < 2; count++) {
        const clients = [];
        for (let each = 0; each < 2; each++) clients.push(await connectTo(after, url, "app:"));
        const [pubClient, subClient] = clients;
        nodes.push(await serve(after, createRedisAdapter({ pubClient, subClient, sharded })));
      }
      const [first, second] = nodes;
      await polled(async () => (await first.io.of("/").adapter.serverCount()) === 2);
      assert.equal((await first.io.fetchSockets()).length, 2);
      const received = once(second.client, "news");
      first.io.emit("news", 1);
      assert.deepEqual(await received, [1]);
    });
  }

  test("two prefixes are refused with the sharded protocol", async (t) => {
    const after = endsOf(t);
    const { url } = await startRedisServer(after);
    const pubClient = await connectTo(after, url, "app:");
    const subClient = await connectTo(after, url, "");
    assert.throws(
      () => createRedisAdapter({ pubClient, subClient, sharded: true }),
      (error) =>
        error.option === "subClient" &&
        /subClient must be a client with the keyPrefix of pubClient, "app:",/.test(error.message),
    );
    createRedisAdapter({ pubClient, subClient });
  });
});
