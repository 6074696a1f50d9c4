"use strict";

/**
 * The contenders. A contender is a Socket.IO server; a floor is a loop that sends the same frames to
 * the same sockets and does nothing else.
 *
 * @typedef {object} Contender
 * @property {string} title for the report
 * @property {() => object} [options] those of `new Server(http, options)`; called in the
 *   server's own process, so that `ws` never loads our addon
 * @property {(redis: string) => Promise<object>} [nodeOptions] the same for a node of a cluster over
 *   the Redis with this URL
 * @property {boolean} [isNative] whether all connections have to be on our I/O workers
 * @property {(serve: (io: object) => void, heartbeat?: Heartbeat) => Promise<Listening>} [listen]
 *   for those that do not serve on Node's HTTP server
 * @property {() => HttpModule} [http] the module that makes the server, if Node.js's own do not
 * @property {() => string} [executable] for those that do not run under this Node.js
 * @property {() => string} [program] for a server that is not written in JavaScript: builds it, once,
 *   and returns its path. It does what server.js does
 * @property {() => string | undefined} [missing] what has to be done before it can take part
 * @property {string} [floor] for a floor: the `--with` of bench/load
 *
 * @typedef {import("./listening.js").HttpModule} HttpModule
 * @typedef {import("./listening.js").Listening} Listening
 * @typedef {import("./server-process.js").Heartbeat} Heartbeat
 */

const { existsSync } = require("node:fs");
const path = require("node:path");
const { cargoBuild } = require("./cargo.js");
const { officialAdapter, ourAdapter } = require("./cluster-adapters.js");
const { listenOnBun, listenOnUws } = require("./listening.js");

const peers = path.join(__dirname, "../peers/node_modules");
const bun = path.join(peers, "@oven/bun-linux-x64/bin/bun");

/** @type {Record<string, Contender>} */
const contenders = {
  ws: {
    title: "socket.io with ws",
    options: () => ({}),
    nodeOptions: async (redis) => ({ adapter: await officialAdapter(redis) }),
  },
  parser: { title: "our parser alone", options: () => pick("parser") },
  adapter: { title: "our adapter alone", options: () => pick("adapter") },
  // With what belongs to it beside the class.
  engine: { title: "our engine alone", isNative: true, options: () => omit("parser", "adapter") },
  turbo: {
    title: "turbo(): all three",
    isNative: true,
    options: () => turboOptions(),
    nodeOptions: async (redis) => turboOptions({ adapter: ourAdapter(redis) }),
  },
  server: {
    title: "turbo() on turbo.createServer() or createSecureServer()",
    isNative: true,
    options: () => turboOptions(),
    http: () => require("../..").turbo,
  },
  // The same, where `turbo` is a node of a cluster.
  alone: { title: "turbo() without a cluster", isNative: true, options: () => turboOptions() },
  bun: {
    title: "Bun and its engine",
    executable: () => bun,
    listen: (serve, heartbeat) =>
      listenOnBun(path.join(peers, "@socket.io/bun-engine"), serve, heartbeat),
    missing: () => (existsSync(bun) ? undefined : "npm ci --prefix bench/peers (Linux x64 only)"),
  },
  uws: {
    title: "uWebSockets.js",
    listen: (serve, heartbeat) =>
      listenOnUws(path.resolve(process.env.TURBO_BENCH_UWS), serve, heartbeat),
    missing: () => missingPackage("TURBO_BENCH_UWS", "uWebSockets.js"),
  },
  eiows: {
    title: "socket.io with eiows",
    options: () => ({ wsEngine: require(path.resolve(process.env.TURBO_BENCH_EIOWS)).Server }),
    missing: () => missingPackage("TURBO_BENCH_EIOWS", "eiows"),
  },
  socketioxide: { title: "socketioxide, wholly in Rust", program: () => buildSocketioxide() },
  send: { title: "floor: send(2)", floor: "send" },
  "io-uring": { title: "floor: io_uring", floor: "io-uring" },
};

let socketioxide;

/**
 * @returns {string} the path of the executable
 * @throws {Error} if there is no cargo, or if it fails, which has then said why
 */
function buildSocketioxide() {
  socketioxide ??= cargoBuild("socketioxide", ["--release"]);
  return socketioxide;
}

/**
 * @param {string} name of a contender, or the path of a module, with a slash in it, which
 *   exports a function that returns the options of `new Server(http, options)`, or promises
 *   them; of a node of a cluster it is given the URL of Redis
 * @returns {Contender | undefined} nothing where there is no such contender
 */
function contender(name) {
  if (Object.hasOwn(contenders, name)) return contenders[name];
  if (!name.includes("/")) return undefined;
  const file = path.resolve(name);
  const missing = () => (existsSync(file) ? undefined : `there is no ${file}`);
  const options = (redis) => require(file)(redis);
  return { title: path.basename(name, ".js"), options, nodeOptions: options, missing };
}

/** Returns what the user has to do before a package of their own can be compared. */
function missingPackage(variable, name) {
  if (process.env[variable] === undefined) return `set ${variable} to the folder of ${name}`;
  const folder = path.resolve(process.env[variable]);
  return existsSync(folder) ? undefined : `${variable} is ${folder}, which is not there`;
}

/**
 * @param {object} [given] options of `turbo()`
 * @returns {Record<string, unknown>} these, and what it plugs in
 * @throws {Error} if that is not native, for then there is nothing to measure
 */
function turboOptions(given = {}) {
  const { turbo } = require("../..");
  if (!turbo.native) throw turbo.nativeError;
  const options = turbo(given);
  for (const part of ["wsEngine", "parser", "adapter"]) {
    if (options[part] === undefined) throw new Error(`turbo() plugs in no ${part}`);
  }
  return options;
}

const pick = (part) => ({ [part]: turboOptions()[part] });

function omit(...parts) {
  const entries = Object.entries(turboOptions()).filter(([name]) => !parts.includes(name));
  return Object.fromEntries(entries);
}

/** @param {string} name @returns {boolean} */
const isFloor = (name) => contender(name)?.floor !== undefined;

/** @param {string} name @returns {boolean} whether it can be a node of a cluster */
const isNode = (name) => contender(name)?.nodeOptions !== undefined;

/** The contender whose figures have bounds, unless a bound names another. */
const OURS = "turbo";

/** The same on our own server. */
const SERVER = "server";

/** The contender without a cluster, to which a node is compared. */
const ALONE = "alone";

module.exports = { ALONE, OURS, SERVER, contender, contenders, isFloor, isNode };
