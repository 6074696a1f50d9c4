"use strict";

/** Redis as it is deployed: a Cluster, behind Sentinels, by TLS, and with restricted users. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { describe, test } = require("node:test");
const { setTimeout: delay } = require("node:timers/promises");
const official = require("@socket.io/redis-adapter");
const { Cluster } = require("ioredis");
const { createRedisAdapter } = require("../..");
const { hasCluster } = require("../../lib/addon/index.js");
const { createCertificates, skipWithoutOpenssl } = require("../support/certificates.js");
const { isFirstNode } = require("../support/node-versions.js");
const { startRedisCluster } = require("../support/redis/cluster.js");
const { Nodes } = require("../support/redis/nodes.js");
const { startRedisSentinels } = require("../support/redis/sentinels.js");
const { endsOf, skipWithoutRedis, startRedisServer } = require("../support/redis/server.js");

const whyNot = () => {
  if (!hasCluster) return "the addon has no cluster here";
  return isFirstNode ? skipWithoutRedis : "under the first Node.js alone";
};
const options = { skip: whyNot(), timeout: 60_000 };

/** Our adapter, with options of its connection. */
const oursTo = (where) => ({
  name: "ours",
  isOurs: true,
  create: async ({ options: others }) => createRedisAdapter({ ...where, ...others }),
});

/** The official adapter over a Redis Cluster. */
const officialTo = (urls) => ({
  name: "official",
  isOurs: false,
  async create({ after }) {
    const [publisher, subscriber] = [0, 1].map(() => {
      const client = new Cluster(urls);
      client.on("error", () => {});
      after(() => client.disconnect());
      return client;
    });
    await Promise.all([publisher, subscriber].map((client) => once(client, "ready")));
    return official.createAdapter(publisher, subscriber);
  },
  mixesUpChannels: true,
});

/** Asserts that everything reaches every node from every other. */
async function isWhole(nodes) {
  await nodes.areConnected();
  for (const [number, node] of nodes.all.entries()) {
    const { io, kind } = node;
    for (let n = 0; n < 20; n++) io.emit(`from ${number}`, n, Buffer.from([n]));
    for (const { received } of nodes.clients) {
      const numbers = () =>
        received.filter(([event]) => event === `from ${number}`).map(([, n]) => n);
      while (numbers().length < 20) await delay(2);
      // ioredis publishes on any server of a Cluster, and so in any order.
      const arrived = kind.isOurs ? numbers() : numbers().sort((a, b) => a - b);
      assert.deepEqual(arrived, [...Array(20).keys()]);
    }
    await nodes.answer(node);
  }
  await nodes.received();
}

describe("a Redis Cluster", options, () => {
  for (const adapter of [{}, { sharded: true }]) {
    const protocol = adapter.sharded ? "the sharded" : "the classic";
    test(`carries ${protocol} protocol, and goes on with another master`, async (t) => {
      const after = endsOf(t);
      const cluster = await startRedisCluster(after, { hasReplica: true });
      const ours = oursTo({ url: cluster.urls, cluster: true });
      const nodes = await Nodes.start("", [ours, ours], { adapter });
      after(() => nodes.close());
      await isWhole(nodes);
      await cluster.failOver();
      await isWhole(nodes);
      await cluster.masters[0].kill();
      await isWhole(nodes);
    });
  }

  test("carries the classic protocol between ours and the official adapter", async (t) => {
    const after = endsOf(t);
    const cluster = await startRedisCluster(after);
    const ours = oursTo({ url: cluster.urls, cluster: true });
    const nodes = await Nodes.start("", [ours, officialTo(cluster.urls)]);
    after(() => nodes.close());
    await isWhole(nodes);
  });
});

describe("Sentinels", options, () => {
  test("name another master when the first is killed", async (t) => {
    const after = endsOf(t);
    const user = { username: "turbo", password: "secret" };
    const settings = ["user turbo on >secret ~* &* +@all"];
    const sentinels = await startRedisSentinels(after, { user, settings });
    const ours = oursTo({ url: sentinels.urls, sentinel: { name: sentinels.name, ...user } });
    const nodes = await Nodes.start("", [ours, ours]);
    after(() => nodes.close());
    await isWhole(nodes);
    await sentinels.failOver();
    await isWhole(nodes);
    for (const { events } of nodes.all) {
      const names = events.filter((event) => typeof event === "string");
      assert.deepEqual([names.at(0), names.at(-1)], ["ready", "ready"]);
      assert.ok(names.includes("reconnecting"));
    }
  });
});

describe("TLS", { ...options, skip: options.skip || skipWithoutOpenssl }, () => {
  test("with certificates of both sides, and a password", async (t) => {
    const after = endsOf(t);
    const certificates = createCertificates(after);
    const redis = await startRedisServer(after, {
      certificates,
      requiresClientCertificate: true,
      settings: ["requirepass secret"],
      user: { password: "secret" },
    });
    const ours = oursTo({ url: redis.url, tls: certificates.forClient });
    const nodes = await Nodes.start("", [ours, ours]);
    after(() => nodes.close());
    await isWhole(nodes);
  });

  test("refuses a server whose certificate has an unknown issuer", async (t) => {
    const after = endsOf(t);
    const redis = await startRedisServer(after, { certificates: createCertificates(after) });
    const { ca } = createCertificates(after).forClient;
    const [node] = await startAlone(after, { url: redis.url, tls: { ca } });
    assert.match((await errorOf(node)).message, /certificate/i);
  });
});

/** Starts a node that will not reach Redis. */
async function startAlone(after, where) {
  const nodes = await Nodes.start("", [oursTo(where)], { isAlone: true });
  after(() => nodes.close());
  return nodes.all;
}

/** Returns the first error that a node reports. */
async function errorOf({ events }) {
  const isError = (each) => each instanceof Error;
  while (!events.some(isError)) await delay(5);
  return events.find(isError);
}

/** The pattern of each namespace must be in the rules as it is; one has a "*". */
const PATTERNS = "&socket.io#/#* &socket.io#/name#* &socket.io#/n\\*#* &socket.io#/#even#*";

/** The rights that a user needs, for the default key. */
const RULES = [
  `resetchannels ${PATTERNS} &socket.io#* &socket.io-request#* &socket.io-response#*`,
  "-@all +hello +ping +role +publish +psubscribe +punsubscribe +subscribe",
  "+unsubscribe +pubsub|numsub",
].join(" ");
const SHARDED_RULES = [
  "resetchannels &socket.io#*",
  "-@all +hello +ping +role +spublish +ssubscribe +sunsubscribe",
  "+pubsub|shardnumsub",
].join(" ");

describe("a user", options, () => {
  for (const [adapter, rules] of [
    [{}, RULES],
    [{ subscriptionMode: "dynamic" }, RULES],
    [{ sharded: true }, SHARDED_RULES],
  ]) {
    test(`may do nothing else: ${JSON.stringify(adapter)}`, async (t) => {
      const after = endsOf(t);
      const settings = [`user turbo on >secret ${rules}`];
      const redis = await startRedisServer(after, { settings });
      const url = redis.urlFor({ username: "turbo", password: "secret" });
      const nodes = await Nodes.start(url, [oursTo({ url }), oursTo({ url })], { adapter });
      after(() => nodes.close());
      await isWhole(nodes);
      for (const { events } of nodes.all) assert.deepEqual(events, ["ready"]);
    });
  }

  test("with a wrong password, or without the right to subscribe, is reported", async (t) => {
    const after = endsOf(t);
    const settings = ["user turbo on >secret resetchannels &other* +@all"];
    const redis = await startRedisServer(after, { settings });
    const urlOf = (password) => redis.urlFor({ username: "turbo", password });
    const [stranger] = await startAlone(after, { url: urlOf("wrong") });
    assert.match((await errorOf(stranger)).message, /WRONGPASS|password/i);
    const [guest] = await startAlone(after, { url: urlOf("secret") });
    assert.match((await errorOf(guest)).message, /NOPERM|permission/i);
  });
});
