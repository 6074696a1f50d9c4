"use strict";

/** The options of `createRedisAdapter()`: defaults, validation, and hints for other packages' names. */

const { InvalidOptionError } = require("../errors.js");
const { Topology } = require("../addon/codes.js");
const { binding, hasCluster } = require("../addon/index.js");
const { BYTE_LIMIT, optionOf, refuse } = require("../options.js");

const MIB = 1024 * 1024;

const { Single: SINGLE, Sentinel: SENTINEL, Cluster: CLUSTER } = Topology;

const isText = (value) => typeof value === "string" && value !== "";
const isBoolean = (value) => typeof value === "boolean";
const isPem = (value) => isText(value) || Buffer.isBuffer(value);
const isClient = (value) =>
  typeof value?.publish === "function" && typeof value.subscribe === "function";
const isCount = (value) => Number.isSafeInteger(value) && value >= 1;

/** For each option the accepted values, in words and as a test, and the default. */
const OPTIONS = {
  url: {
    accepted: "a URL of Redis, or a list of such URLs",
    isAccepted: (value) =>
      isText(value) || (Array.isArray(value) && value.length > 0 && value.every(isText)),
  },
  pubClient: { accepted: "a client of redis or ioredis", isAccepted: isClient },
  subClient: {
    accepted: "another client of redis or ioredis, for subscriptions only",
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
      "an object of PEM strings or Buffers: { ca, cert, key }, with both cert and key or neither",
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

/** The modes by `sharded`; the default comes first. */
const SUBSCRIPTION_MODES = {
  false: ["pattern", "dynamic"],
  true: ["dynamic", "static", "dynamic-private"],
};

/** Options of a connection of our own, which clients make needless. */
const SERVER_OPTIONS = ["url", "cluster", "sentinel", "tls", "maxPublishQueue"];

/** Names of options in other packages, and what to write instead. */
const OTHER_NAMES = {
  ...Object.fromEntries(
    ["host", "port", "hosts", "urls", "uri", "db", "database", "username", "password"].map(
      (name) => [name, 'url: "redis://user:password@host:port/database"'],
    ),
  ),
  nodes: "url with a list of URLs, and cluster: true",
  rootNodes: "url with a list of URLs, and cluster: true",
  sentinels: "url with a list of URLs, and sentinel: { name }",
  client: "pubClient and subClient",
  channelPrefix: "key",
  prefix: "key",
  keyPrefix: "key",
  requestTimeout: "requestsTimeout",
};

/** Options that the sharded protocol does not have. */
const CLASSIC_OPTIONS = ["requestsTimeout", "publishOnSpecificResponseChannel", "parser"];

/** Returns whether a value is an object with all `needed` and no other than `optional` properties. */
function isRecord(value, needed, optional) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const tests = { ...needed, ...optional };
  return (
    Object.keys(needed).every((name) => value[name] !== undefined) &&
    Object.entries(value).every(([name, part]) => part === undefined || tests[name]?.(part))
  );
}

/**
 * Validates the options.
 *
 * @param {unknown} given see `RedisAdapterOptions` in index.d.ts
 * @returns {{ clients: object | null, server: object | null, link: object | null, adapter: object }}
 *   `clients` are the application's; without these, `server` says where Redis is, for the fallback, as
 *   does `link`, which is a `RedisLinkOptions` of binding.d.ts; `adapter` has the other options
 * @throws {InvalidOptionError}
 */
function redisAdapterOptions(given) {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    const accepted = 'an object such as { url: "redis://localhost:6379" }, or with clients';
    throw new InvalidOptionError("options", accepted, withoutPasswords(given));
  }
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(OPTIONS, name));
  if (unknown !== undefined) refuseUnknown(unknown, given[unknown]);
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

/**
 * Refuses an unknown option.
 *
 * @param {string} name
 * @throws {InvalidOptionError}
 */
function refuseUnknown(name, value) {
  const names = Object.keys(OPTIONS).join(", ");
  const hint = Object.hasOwn(OTHER_NAMES, name) ? `; write ${OTHER_NAMES[name]}` : "";
  const message = `${name} is not an option of createRedisAdapter()${hint}. Its options are ${names}`;
  throw new InvalidOptionError(name, `one of ${names}`, value, message);
}

/**
 * Returns the application's clients; `null` if a URL is given instead.
 *
 * @throws {InvalidOptionError} if neither is given, or only one client
 */
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
 * Checks that both clients have the same prefix of keys. ioredis puts it in front of the channels of
 * the sharded protocol, too: with two prefixes no message would reach another node.
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
    const accepted = "one URL, or a list with cluster: true or with sentinel";
    throw new InvalidOptionError("url", accepted, url);
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

const URL_FORM = "redis://[[user]:password@]host[:port][/database], with rediss:// for TLS";

/** @throws {InvalidOptionError} if the addon cannot use a URL or a certificate */
function checkServer(options, url, tls) {
  const withoutTls = { ...options, ca: undefined, cert: undefined, key: undefined };
  const problem = problemOf(withoutTls);
  if (problem !== null) {
    const isBad = (each) => problemOf({ ...withoutTls, topology: SINGLE, urls: [each] }) !== null;
    const bad = options.urls.find(isBad);
    const accepted = bad === undefined ? "a list of URLs that fit together" : URL_FORM;
    const value = withoutPasswords(bad ?? url);
    throw new InvalidOptionError("url", `${accepted} (${problem})`, value);
  }
  const tlsProblem = problemOf(options);
  if (tlsProblem !== null) {
    throw new InvalidOptionError("tls", `${OPTIONS.tls.accepted} (${tlsProblem})`, tls);
  }
}

/** Returns what the addon finds wrong with the options; `null` if nothing, or without the addon. */
function problemOf(options) {
  try {
    if (hasCluster) binding.checkRedisLinkOptions(options);
    return null;
  } catch ({ message }) {
    return message;
  }
}

function withoutPasswords(value) {
  return typeof value === "string" ? value.replace(/\/\/.*@/, "//…@") : value;
}

module.exports = { redisAdapterOptions };
