"use strict";

/** `serverCount()` in a Redis Cluster, where the clients of other nodes subscribe at any server. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { createServer } = require("node:http");
const { after, before, describe, test } = require("node:test");
const { setTimeout: delay } = require("node:timers/promises");
const { Cluster } = require("ioredis");
const { createClient, createCluster } = require("redis");
const { Server } = require("socket.io");
const { createRedisAdapter, turbo } = require("../..");
const { hasCluster } = require("../../lib/addon/index.js");
const { startRedisCluster } = require("../support/redis/cluster.js");
const { endsOf, skipWithoutRedis } = require("../support/redis/server.js");

/** A guard against hanging only, in milliseconds. */
const TIMEOUT = 60_000;

const skip = (!hasCluster && "no addon") || skipWithoutRedis;

const hasServer = (wanted) => (slots) =>
  slots.some(([, , ...servers]) => servers.some(([, port]) => port === wanted));

/** Subscribes at a server, as the client of another node. */
async function subscribe({ url }, after) {
  const client = createClient({ url });
  client.on("error", () => {});
  after(() => client.close());
  await client.connect();
  await client.subscribe("socket.io-request#/#", () => {});
}

describe("serverCount() in a Redis Cluster", { skip, timeout: TIMEOUT }, () => {
  const ends = endsOf({ after });
  let cluster;

  before(async () => {
    // Clients learn of a replica once it has received something.
    const options = { hasReplica: true, settings: ["repl-ping-replica-period 1"] };
    cluster = await startRedisCluster(ends, options);
    for (const node of cluster.nodes) {
      await node.until(["CLUSTER", "SLOTS"], hasServer(cluster.replica.port));
      await subscribe(node, ends);
    }
  });

  const options = {
    "our connection": () => ({ url: cluster.urls, cluster: true }),
    "clients of ioredis": async (t) => {
      const rootNodes = cluster.nodes.map(({ port }) => ({ host: "127.0.0.1", port }));
      const clients = [0, 1].map(() => new Cluster(rootNodes));
      t.after(() => Promise.all(clients.map((client) => client.quit())));
      await Promise.all(clients.map((client) => once(client, "ready")));
      return { pubClient: clients[0], subClient: clients[1] };
    },
    "clients of redis that use replicas": async (t) => {
      const rootNodes = cluster.urls.map((url) => ({ url }));
      const clients = [0, 1].map(() => createCluster({ rootNodes, useReplicas: true }));
      t.after(() => Promise.all(clients.map((client) => client.close())));
      await Promise.all(clients.map((client) => client.connect()));
      return { pubClient: clients[0], subClient: clients[1] };
    },
  };
  for (const [name, place] of Object.entries(options)) {
    test(`counts those at masters and replicas, over ${name}`, async (t) => {
      const adapter = createRedisAdapter(await place(t));
      const io = new Server(createServer(), turbo({ adapter }));
      t.after(() => io.close());
      const count = () => io.of("/").adapter.serverCount();
      const isSubscribed = async () => (await count()) > cluster.nodes.length;
      while (!(await isSubscribed())) await delay(10);
      assert.equal(await count(), cluster.nodes.length + 1);
    });
  }
});
