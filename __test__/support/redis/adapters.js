"use strict";

/**
 * The adapters that make a cluster over Redis: the official ones over the usual clients, the same
 * with our fan-out, and ours. Each is made with connections of its own.
 */

const { once } = require("node:events");
const official = require("@socket.io/redis-adapter");
const streams = require("@socket.io/redis-streams-adapter");
const { Redis } = require("ioredis");
const { createClient } = require("redis");
const turbo = require("../../..");

/**
 * @typedef {object} AdapterKind
 * @property {string} name
 * @property {boolean} isOurs whether the server is `turbo()`'s
 * @property {boolean} [mixesUpChannels] whether a namespace receives a message twice if its channels
 *   match the pattern of another namespace
 * @property {boolean} [losesArrayBuffers] whether other nodes receive `{}` for an ArrayBuffer
 * @property {(place: Place) => Promise<Function>} create makes a factory for a server's `adapter`
 *
 * @typedef {object} Place
 * @property {string} url of Redis
 * @property {object} [options] of the adapter, such as `key`
 * @property {(close: () => Promise<unknown>) => void} after registers what closes the connections
 *   when the servers are closed, the last first
 */

/** Connects a client of `redis`. */
async function nodeRedis({ url, after }) {
  const client = createClient({ url });
  client.on("error", () => {});
  // Adapters that are closed still wait for answers, and nothing catches their errors.
  after(() => client.isOpen && client.close());
  return client.connect();
}

/** Connects a client of `ioredis`. */
async function ioRedis({ url, after }) {
  const client = new Redis(url);
  client.on("error", () => {});
  after(() => client.quit());
  // Before, it takes SSUBSCRIBE for a command like others, and fails over its own INFO.
  await once(client, "ready");
  return client;
}

const pairOf = (connect, place) => Promise.all([connect(place), connect(place)]);

/** @returns {AdapterKind} the official adapter */
function officialOver(name, connect) {
  return {
    name: `official over ${name}`,
    isOurs: false,
    async create({ options: { sharded, key, ...others } = {}, ...place }) {
      const [publisher, subscriber] = await pairOf(connect, place);
      if (!sharded) return official.createAdapter(publisher, subscriber, { key, ...others });
      const prefix = key === undefined ? {} : { channelPrefix: key };
      return official.createShardedAdapter(publisher, subscriber, { ...prefix, ...others });
    },
  };
}

/** The adapter that reads a stream. @type {AdapterKind} */
const officialStreams = {
  name: "official over streams",
  isOurs: false,
  losesArrayBuffers: true,
  create: async (place) => streams.createAdapter(await nodeRedis(place), { readCount: 100 }),
};

/** @returns {AdapterKind} an official adapter with our fan-out */
function extended(kind) {
  const create = async (place) => turbo.createAdapter(await kind.create(place));
  return { ...kind, name: `${kind.name} with our fan-out`, isOurs: true, create };
}

/** @returns {AdapterKind} ours, over clients that are given */
function oursOver(name, connect) {
  return {
    name: `ours over ${name}`,
    isOurs: true,
    async create({ options, ...place }) {
      const [pubClient, subClient] = await pairOf(connect, place);
      return turbo.createRedisAdapter({ pubClient, subClient, ...options });
    },
  };
}

/** Ours over its own connection. @type {AdapterKind} */
const ours = {
  name: "ours",
  isOurs: true,
  create: async ({ url, options }) => turbo.createRedisAdapter({ url, ...options }),
};

module.exports = {
  extended,
  official: officialOver("redis", nodeRedis),
  officialOverIoRedis: { ...officialOver("ioredis", ioRedis), mixesUpChannels: true },
  officialStreams,
  ours,
  oursOverIoRedis: oursOver("ioredis", ioRedis),
  oursOverNodeRedis: oursOver("redis", nodeRedis),
};
