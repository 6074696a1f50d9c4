"use strict";

/**
 * The official adapters for Redis with our fan-out: one cluster of servers with it and a server
 * as it comes, over a real Redis.
 */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { createServer } = require("node:http");
const { after, before, describe, test } = require("node:test");
const { setTimeout: delay } = require("node:timers/promises");
const redisAdapter = require("@socket.io/redis-adapter");
const { Emitter } = require("@socket.io/redis-emitter");
const streamsAdapter = require("@socket.io/redis-streams-adapter");
const { Redis } = require("ioredis");
const { createClient } = require("redis");
const { Server } = require("socket.io");
const { io: connect } = require("socket.io-client");
const turbo = require("../..");
const { hasEngine } = require("../../lib/addon/index.js");
const { skipWithoutRedis, startRedis } = require("../support/redis/server.js");

const CLIENTS_PER_NODE = 3;

/** How a node's adapter is made; each with clients of its own. */
const ADAPTERS = {
  "@socket.io/redis-adapter with redis": async (url, clients) => {
    const [publisher, subscriber] = await nodeRedis(url, clients, 2);
    return redisAdapter.createAdapter(publisher, subscriber, { requestsTimeout: 5_000 });
  },
  "@socket.io/redis-adapter with ioredis": async (url, clients) => {
    const [publisher, subscriber] = ioRedis(url, clients, 2);
    return redisAdapter.createAdapter(publisher, subscriber, { requestsTimeout: 5_000 });
  },
  "the sharded adapter": async (url, clients) => {
    const [publisher, subscriber] = await nodeRedis(url, clients, 2);
    return redisAdapter.createShardedAdapter(publisher, subscriber, { requestsTimeout: 5_000 });
  },
  "@socket.io/redis-streams-adapter": async (url, clients) => {
    const [client] = await nodeRedis(url, clients, 1);
    return streamsAdapter.createAdapter(client, { readCount: 100 });
  },
};

async function nodeRedis(url, clients, count) {
  const made = Array.from({ length: count }, () => createClient({ url }));
  for (const client of made) {
    client.on("error", () => {});
    // Adapters that are closed are still waiting for answers, for which nobody catches errors.
    clients.unshift(() => client.close());
    await client.connect();
  }
  return made;
}

function ioRedis(url, clients, count) {
  return Array.from({ length: count }, () => {
    const client = new Redis(url);
    clients.unshift(() => client.quit());
    return client;
  });
}

/** A Socket.IO server in a cluster, with clients of its own. */
class Node {
  clients = [];
  #http = createServer();

  constructor(options) {
    this.io = new Server(this.#http, options);
    this.io.on("connection", (socket) => {
      const { index } = socket.handshake.query;
      socket.data.index = Number(index);
      socket.join(index % 2 === 0 ? "even" : "odd");
    });
  }

  async connect(first) {
    await once(this.#http.listen(0, "127.0.0.1"), "listening");
    const url = `http://127.0.0.1:${this.#http.address().port}`;
    for (let index = first; index < first + CLIENTS_PER_NODE; index++) {
      const client = connect(url, { transports: ["websocket"], forceNew: true, query: { index } });
      client.received = [];
      client.onAny((event, ...args) => {
        const acknowledge = typeof args.at(-1) === "function" ? args.pop() : () => {};
        client.received.push([event, ...args]);
        acknowledge(index, Buffer.from([index]));
      });
      this.clients.push(client);
    }
    await Promise.all(this.clients.map((client) => once(client, "connect")));
  }

  async close() {
    for (const client of this.clients) client.disconnect();
    await this.io.close();
  }
}

/** Two servers with our fan-out and a server as it comes. */
async function startCluster(url, createBase, closers) {
  const ours = async () => {
    const adapter = turbo.createAdapter(await createBase(url, closers));
    // Broadcasts are counted by I/O thread.
    return new Node(turbo.turbo({ adapter, ioThreads: 1 }));
  };
  const nodes = [await ours(), await ours(), new Node({ adapter: await createBase(url, closers) })];
  for (const [index, node] of nodes.entries()) {
    await node.connect(index * CLIENTS_PER_NODE);
    closers.unshift(() => node.close());
  }
  for (const node of nodes) await hears(node, nodes);
  return nodes;
}

/** Waits until a broadcast of `node` reaches the clients of all, and forgets what they got. */
async function hears(node, nodes) {
  while ((await node.io.of("/").adapter.serverCount()) < nodes.length) await delay(20);
  const clients = nodes.flatMap(({ clients }) => clients);
  const probe = `probe of ${nodes.indexOf(node)}`;
  while (!clients.every(({ received }) => received.some(([event]) => event === probe))) {
    node.io.emit(probe);
    await delay(50);
  }
  // What was sent before comes before; then nothing of it is under way.
  node.io.emit("last probe");
  while (!clients.every(({ received }) => received.at(-1)?.[0] === "last probe")) await delay(5);
  for (const { received } of clients) received.length = 0;
}

/** Waits until so many sockets are in a room, on all servers together. */
async function roomHas(nodes, room, count) {
  const size = ({ io }) => io.of("/").adapter.rooms.get(room)?.size ?? 0;
  while (nodes.reduce((sum, node) => sum + size(node), 0) !== count) await delay(5);
}

for (const [name, createBase] of Object.entries(ADAPTERS)) {
  describe(name, { skip: skipWithoutRedis, timeout: 60_000 }, () => {
    const closers = [];
    let url;
    let nodes;
    let clients;

    before(async () => {
      url = await startRedis((end) => closers.push(end));
      nodes = await startCluster(url, createBase, closers);
      clients = nodes.flatMap((node) => node.clients);
    });

    after(async () => {
      for (const close of closers) await close();
    });

    /** What all clients get, once those that `indexes` names have got `count` packets. */
    async function received(indexes, count) {
      const isComplete = () => indexes.every((index) => clients[index].received.length >= count);
      while (!isComplete()) await delay(5);
      // What should not come would come now.
      await delay(30);
      return clients.map((client) => client.received.splice(0));
    }

    /** What each of the clients gets, if those that `indexes` names get `packets`. */
    const onlyFor = (indexes, packets) =>
      clients.map((_, index) => (indexes.includes(index) ? packets : []));

    const ALL = Array.from({ length: 3 * CLIENTS_PER_NODE }, (_, index) => index);
    const EVEN = ALL.filter((index) => index % 2 === 0);
    const ODD = ALL.filter((index) => index % 2 === 1);

    for (const sender of [0, 2]) {
      const from = sender === 0 ? "a server with our fan-out" : "a server as it comes";

      test(`broadcasts of ${from} reach all, in order`, async () => {
        const { io } = nodes[sender];
        const before = turbo.stats().broadcasts;
        io.emit("text", "ž", { n: 1.5 });
        io.emit("binary", Buffer.from([1, 2]), { deep: [Buffer.from([3])] });
        const packets = [
          ["text", "ž", { n: 1.5 }],
          ["binary", Buffer.from([1, 2]), { deep: [Buffer.from([3])] }],
        ];
        assert.deepEqual(await received(ALL, 2), onlyFor(ALL, packets));
        // Two servers have our fan-out.
        if (hasEngine) assert.equal(turbo.stats().broadcasts - before, 2 * packets.length);
      });

      test(`broadcasts of ${from} reach rooms, and not who is excepted`, async () => {
        const { io } = nodes[sender];
        io.to("even").emit("even");
        assert.deepEqual(await received(EVEN, 1), onlyFor(EVEN, [["even"]]));
        io.to(["even", "odd"]).except("even").emit("odd");
        assert.deepEqual(await received(ODD, 1), onlyFor(ODD, [["odd"]]));
        io.to(clients[4].id).emit("one");
        assert.deepEqual(await received([4], 1), onlyFor([4], [["one"]]));
        io.local.emit("local");
        const local = nodes[sender].clients.map((client) => clients.indexOf(client));
        assert.deepEqual(await received(local, 1), onlyFor(local, [["local"]]));
      });

      test(`broadcasts of ${from} are acknowledged by all`, async () => {
        const { io } = nodes[sender];
        const answers = await io.timeout(5_000).emitWithAck("question", "text");
        assert.deepEqual(answers.sort(), [...ALL]);
        assert.deepEqual(await received(ALL, 1), onlyFor(ALL, [["question", "text"]]));
      });
    }

    test("sockets are fetched, moved and told apart everywhere", async () => {
      const [{ io }, , stock] = nodes;
      const sockets = await io.fetchSockets();
      assert.deepEqual(sockets.map(({ data }) => data.index).sort(), ALL);
      stock.io.in("odd").socketsJoin("moved");
      await roomHas(nodes, "moved", ODD.length);
      io.to("moved").emit("moved");
      assert.deepEqual(await received(ODD, 1), onlyFor(ODD, [["moved"]]));
      io.in("moved").socketsLeave("moved");
      await roomHas(nodes, "moved", 0);
      stock.io.to("moved").emit("nobody");
      io.emit("all");
      assert.deepEqual(await received(ALL, 1), onlyFor(ALL, [["all"]]));
    });

    test("servers speak to each other", async () => {
      const [ours, other, stock] = nodes;
      other.io.once("request", (text, callback) => callback(`other ${text}`));
      stock.io.once("request", (text, callback) => callback(`stock ${text}`));
      const answers = await ours.io.serverSideEmitWithAck("request", "text");
      assert.deepEqual(answers.sort(), ["other text", "stock text"]);
    });

    if (name.startsWith("@socket.io/redis-adapter")) {
      test("hears the emitter", async () => {
        const [client] = ioRedis(url, closers, 1);
        const emitter = new Emitter(client);
        const before = turbo.stats().broadcasts;
        emitter.to("even").except(clients[0].id).emit("emitted", Buffer.from("bytes"));
        const indexes = EVEN.slice(1);
        const packets = [["emitted", Buffer.from("bytes")]];
        assert.deepEqual(await received(indexes, 1), onlyFor(indexes, packets));
        if (hasEngine) assert.equal(turbo.stats().broadcasts - before, 2);
      });
    }
  });
}
