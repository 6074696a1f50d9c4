"use strict";

const { InvalidOptionError } = require("./errors.js");
const { binding, hasCluster } = require("./native.js");
const { BYTE_LIMIT, optionOf, refuse } = require("./options.js");

const MIB = 1024 * 1024;

/** How Redis is run: as `Topology` in src/binding/cluster.rs. */
const SINGLE = 0;
const SENTINEL = 1;
const CLUSTER = 2;

const isText = (value) => typeof value === "string" && value !== "";
const isBoolean = (value) => typeof value === "boolean";
const isPem = (value) => isText(value) || Buffer.isBuffer(value);
const isClient = (value) =>
  typeof value?.publish === "function" && typeof value.subscribe === "function";
const isCount = (value) => Number.isSafeInteger(value) && value >= 1;

/** What is accepted, in words and as a test, and the default. */
const OPTIONS = {
  url: {
    accepted: "a URL of Redis, or a list of some",
    isAccepted: (value) =>
      isText(value) || (Array.isArray(value) && value.length > 0 && value.every(isText)),
  },
  pubClient: { accepted: "a client of redis or ioredis", isAccepted: isClient },
  subClient: {
    accepted: "another client of redis or ioredis, which is used for nothing else",
    isAccepted: isClient,
  },
  cluster: { accepted: "true or false", isAccepted: isBoolean, default: false },
  sentinel: {
    accepted: "an object with the name of the master: { name, username, password }",
    isAccepted: (value) =>
      isRecord(value, { name: isText }, { username: isText, password: isText }),
  },
  tls: {
    accepted:
      "an object of PEM strings or Buffers: { ca, cert, key }, with both of cert and key or none",
    isAccepted: (value) =>
      isRecord(value, {}, { ca: isPem, cert: isPem, key: isPem }) &&
      (value.cert === undefined) === (value.key === undefined),
  },
  key: { accepted: "a string that is not empty", isAccepted: isText, default: "socket.io" },
  requestsTimeout: {
    accepted: "a number of milliseconds, an integer of at least 1",
    isAccepted: isCount,
    default: 5000,
  },
  publishOnSpecificResponseChannel: {
    accepted: "true or false",
    isAccepted: isBoolean,
    default: false,
  },
  parser: {
    accepted: "an object with the functions encode and decode",
    isAccepted: (value) =>
      typeof value?.encode === "function" && typeof value.decode === "function",
  },
  sharded: { accepted: "true or false", isAccepted: isBoolean, default: false },
  subscriptionMode: {
    accepted: '"pattern" or "dynamic"; with sharded: true "static", "dynamic" or "dynamic-private"',
    isAccepted: (value, { sharded }) => SUBSCRIPTION_MODES[sharded === true].includes(value),
  },
  maxPublishQueue: { ...BYTE_LIMIT, default: 64 * MIB },
};

/** Without the sharded protocol, and with it; the default comes first. */
const SUBSCRIPTION_MODES = {
  false: ["pattern", "dynamic"],
  true: ["dynamic", "static", "dynamic-private"],
};

/** What is said of Redis where it is not said by clients. */
const SERVER_OPTIONS = ["url", "cluster", "sentinel", "tls", "maxPublishQueue"];

/** What the sharded protocol has not. */
const CLASSIC_OPTIONS = ["requestsTimeout", "publishOnSpecificResponseChannel", "parser"];

/** Whether a value is an object with these properties alone, the first of them needed. */
function isRecord(value, needed, optional) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const tests = { ...needed, ...optional };
  return (
    Object.keys(needed).every((name) => value[name] !== undefined) &&
    Object.entries(value).every(([name, part]) => part === undefined || tests[name]?.(part))
  );
}

/**
 * @param {unknown} given see `RedisAdapterOptions` in index.d.ts
 * @returns {{ clients: object | null, server: object | null, link: object | null, adapter: object }}
 *   the application's clients, or where Redis is, `link` as `RedisLinkOptions` in binding.d.ts; and
 *   what is the adapter's
 * @throws {InvalidOptionError}
 */
function redisAdapterOptions(given) {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new InvalidOptionError(
      "options",
      "an object with the url of Redis, or with clients",
      given,
    );
  }
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(OPTIONS, name));
  if (unknown !== undefined) {
    const names = Object.keys(OPTIONS).join(", ");
    throw new InvalidOptionError(unknown, `left out; there are ${names}`, given[unknown]);
  }
  const options = Object.fromEntries(
    Object.keys(OPTIONS).map((name) => [name, optionOf(OPTIONS, given, name)]),
  );
  const clients = clientsOf(options);
  if (options.sharded) {
    refuse(given, CLASSIC_OPTIONS, "left out with sharded: true");
    checkPrefixes(clients);
  }
  const adapter = adapterOptions(options);
  if (clients !== null) {
    refuse(given, SERVER_OPTIONS, "left out with clients");
    return { clients, adapter, server: null, link: null };
  }
  const { cluster, sentinel, tls } = options;
  const server = { urls: [options.url].flat(), cluster, sentinel, tls };
  return { clients, adapter, server, link: linkOptions(options) };
}

/** @returns {{ pubClient: object, subClient: object } | null} */
function clientsOf({ url, pubClient, subClient }) {
  const isWithout = pubClient === undefined && subClient === undefined;
  if (url !== undefined && isWithout) return null;
  if (isWithout) throw new InvalidOptionError("url", OPTIONS.url.accepted, url);
  for (const [name, client] of Object.entries({ pubClient, subClient })) {
    if (client === undefined) throw new InvalidOptionError(name, OPTIONS[name].accepted, client);
  }
  return { pubClient, subClient };
}

/**
 * ioredis puts the prefix of keys in front of the channels of the sharded protocol, too: with two
 * prefixes no node would hear another.
 *
 * @throws {InvalidOptionError}
 */
function checkPrefixes(clients) {
  if (clients === null) return;
  const [prefix, other] = Object.values(clients).map(({ options }) => options?.keyPrefix ?? "");
  if (String(prefix) === String(other)) return;
  const accepted = `a client with the keyPrefix of pubClient, ${JSON.stringify(String(prefix))}, with sharded: true`;
  throw new InvalidOptionError("subClient", accepted, String(other));
}

function adapterOptions({ subscriptionMode, ...options }) {
  const [byDefault] = SUBSCRIPTION_MODES[options.sharded];
  const { key, sharded, requestsTimeout, publishOnSpecificResponseChannel, parser } = options;
  return {
    key,
    sharded,
    subscriptionMode: subscriptionMode ?? byDefault,
    requestsTimeout,
    publishOnSpecificResponseChannel,
    parser,
  };
}

function linkOptions({ url, cluster, sentinel, tls = {}, maxPublishQueue }) {
  const urls = [url].flat();
  if (cluster && sentinel !== undefined) {
    throw new InvalidOptionError("sentinel", "left out with cluster: true", sentinel);
  }
  if (urls.length > 1 && !cluster && sentinel === undefined) {
    throw new InvalidOptionError("url", "one, but with cluster: true or with sentinel", url);
  }
  const options = {
    topology: sentinel !== undefined ? SENTINEL : cluster ? CLUSTER : SINGLE,
    urls,
    maxPublishQueue,
    sentinelName: sentinel?.name,
    username: sentinel?.username,
    password: sentinel?.password,
    ca: tls.ca?.toString(),
    cert: tls.cert?.toString(),
    key: tls.key?.toString(),
  };
  checkServer(options, url, tls);
  return options;
}

/** @throws {InvalidOptionError} if a URL is none, or a certificate */
function checkServer(options, url, tls) {
  const problem = problemOf({ ...options, ca: undefined, cert: undefined, key: undefined });
  if (problem !== null) {
    const accepted = `redis://[[user]:password@]host[:port] (${problem})`;
    throw new InvalidOptionError("url", accepted, withoutPasswords(url));
  }
  const tlsProblem = problemOf(options);
  if (tlsProblem !== null) {
    throw new InvalidOptionError("tls", `${OPTIONS.tls.accepted} (${tlsProblem})`, tls);
  }
}

/** @returns {string | null} */
function problemOf(options) {
  try {
    if (hasCluster) binding.checkRedisLinkOptions(options);
    return null;
  } catch ({ message }) {
    return message;
  }
}

function withoutPasswords(url) {
  return Array.isArray(url) ? url : url.replace(/\/\/.*@/, "//…@");
}

module.exports = { redisAdapterOptions };
