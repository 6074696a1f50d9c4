"use strict";

/**
 * The adapters that make a cluster over Redis: the official ones over the usual clients, and ours.
 * Each is made with connections of its own.
 */

const { once } = require("node:events");
const official = require("@socket.io/redis-adapter");
const { Redis } = require("ioredis");
const { createClient } = require("redis");
const turbo = require("../../..");

/**
 * @typedef {object} AdapterKind
 * @property {string} name
 * @property {boolean} isOurs
 * @property {boolean} [mixesUpChannels] whether a namespace gets a message twice, if its channels
 *   match another's pattern
 * @property {(place: Place) => Promise<Function>} create makes a factory for a server's `adapter`
 *
 * @typedef {object} Place
 * @property {string} url of Redis
 * @property {object} [options] of the adapter, such as `key`
 * @property {(close: () => Promise<unknown>) => void} after takes what closes the connections, the
 *   last first, when the servers are closed
 */

/** Two clients of `redis`, connected. */
async function nodeRedis({ url, after }) {
  return Promise.all([0, 1].map(() => connectNodeRedis(url, after)));
}

async function connectNodeRedis(url, after) {
  const client = createClient({ url });
  client.on("error", () => {});
  // Adapters that are closed are still waiting for answers, for which nobody catches errors.
  after(() => client.isOpen && client.close());
  return client.connect();
}

/** Two clients of `ioredis`. */
async function ioRedis({ url, after }) {
  return Promise.all([0, 1].map(() => connectIoRedis(url, after)));
}

async function connectIoRedis(url, after) {
  const client = new Redis(url);
  client.on("error", () => {});
  after(() => client.quit());
  // Before, it takes SSUBSCRIBE for a command like others, and fails over its own INFO.
  await once(client, "ready");
  return client;
}

/** @returns {AdapterKind} the official adapter */
function officialOver(name, connect) {
  return {
    name: `official over ${name}`,
    isOurs: false,
    async create({ options = {}, ...place }) {
      const [publisher, subscriber] = await connect(place);
      const { sharded, key, ...others } = options;
      if (!sharded) return official.createAdapter(publisher, subscriber, { key, ...others });
      const prefix = key === undefined ? {} : { channelPrefix: key };
      return official.createShardedAdapter(publisher, subscriber, { ...prefix, ...others });
    },
  };
}

/** @returns {AdapterKind} ours, over clients that are given */
function oursOver(name, connect) {
  return {
    name: `ours over ${name}`,
    isOurs: true,
    async create({ options, ...place }) {
      const [pubClient, subClient] = await connect(place);
      return turbo.createRedisAdapter({ pubClient, subClient, ...options });
    },
  };
}

/** Ours over its own connection. @type {AdapterKind} */
const ours = {
  name: "ours",
  isOurs: true,
  async create({ url, options }) {
    return turbo.createRedisAdapter({ url, ...options });
  },
};

module.exports = {
  official: officialOver("redis", nodeRedis),
  officialOverIoRedis: { ...officialOver("ioredis", ioRedis), mixesUpChannels: true },
  ours,
  oursOverIoRedis: oursOver("ioredis", ioRedis),
  oursOverNodeRedis: oursOver("redis", nodeRedis),
};
