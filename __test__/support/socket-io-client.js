"use strict";

/**
 * Clients of Socket.IO for one test. An *entrance* is a client in a namespace together with the
 * server's socket of it; the client keeps the events that it receives.
 *
 * @typedef {object} Entrance
 * @property {import("socket.io-client").Socket & { received: unknown[][] }} client each event is
 *   kept as its name and its arguments
 * @property {import("socket.io").Socket} socket
 */

const { once } = require("node:events");
const { io: connect } = require("socket.io-client");

const WEBSOCKET_ONLY = { transports: ["websocket"] };
const POLLING_ONLY = { transports: ["polling"] };
const WITH_UPGRADE = { transports: ["polling", "websocket"] };

/** Asks for an acknowledgement, and is not kept: all that was sent before it has arrived. */
const FENCE = "fence";

/** @returns {number[]} `count` integers from `start` on */
const range = (count, start = 0) => Array.from({ length: count }, (_, i) => start + i);

/**
 * Begins to connect a client that has a connection of its own and does not reconnect, by WebSocket
 * only unless `options` say otherwise.
 *
 * @param {string} url
 * @param {object} [options] of socket.io-client
 * @param {Function} [connectTo] socket.io-client 4, or 2
 */
function connectClient(url, options, connectTo = connect) {
  return connectTo(url, { forceNew: true, reconnection: false, ...WEBSOCKET_ONLY, ...options });
}

/** Ends a client's connection, whatever namespaces it has. */
function leave(client) {
  client.io.reconnection(false);
  client.disconnect();
  // A client that has not entered a namespace keeps its connection.
  client.io.engine?.close();
}

/**
 * Keeps the events that a client receives in `client.received`.
 *
 * @param {object} client one of Engine.IO v3 has no `onAny()`: of its events, `news` is kept
 * @param {boolean} [acknowledges] whether to acknowledge each event that asks for it
 */
function collectEvents(client, acknowledges = false) {
  client.received = [];
  client.on(FENCE, (...args) => args.at(-1)());
  const collect = (...args) => {
    if (args[0] === FENCE) return;
    if (acknowledges && typeof args.at(-1) === "function") args.pop()();
    client.received.push(args);
  };
  if (client.onAny) client.onAny(collect);
  else client.on("news", (...args) => collect("news", ...args));
}

/**
 * Begins to connect a client to a server; it is disconnected before the server closes.
 *
 * @param {object} server as `startServer()` returns it; its `entering`, if any, has defaults for the
 *   options
 * @param {object} [options] of socket.io-client, and:
 * @param {string} [options.namespace]
 * @param {Function} [options.connectTo] see `connectClient()`
 * @param {boolean} [options.acknowledges] see `collectEvents()`
 * @param {(client: object) => void} [options.prepare] called at once
 */
function openClient({ origin, beforeClose, entering }, options) {
  const {
    namespace = "/",
    connectTo,
    acknowledges,
    prepare,
    ...clientOptions
  } = {
    ...entering,
    ...options,
  };
  const client = connectClient(origin + namespace, clientOptions, connectTo);
  beforeClose(() => leave(client));
  collectEvents(client, acknowledges);
  prepare?.(client);
  return client;
}

/**
 * Connects a client and waits until both sides know.
 *
 * @param {object} server as `openClient()` takes it
 * @param {object} [options] as `openClient()` takes them, and:
 * @param {import("node:events").EventEmitter} [options.from] emits `connection` in place of the
 *   namespace, which may not exist yet
 * @returns {Promise<Entrance>}
 */
async function enter(server, { from, ...options } = {}) {
  const connected = once(from ?? server.io.of(options.namespace ?? "/"), "connection");
  const client = openClient(server, options);
  const [[socket]] = await Promise.all([connected, once(client, "connect")]);
  return { client, socket };
}

/** Lets clients enter one after the other, so that each is paired with its own socket. */
async function enterAll(server, count, options) {
  const entrances = [];
  for (let i = 0; i < count; i++) entrances.push(await enter(server, options));
  return entrances;
}

/** Opens another namespace on the connection of a client. @returns {Promise<Entrance>} */
async function enterAnother({ client }, { io }, namespace) {
  const connected = once(io.of(namespace), "connection");
  const other = client.io.socket(namespace);
  collectEvents(other);
  const [[socket]] = await Promise.all([connected, once(other, "connect")]);
  return { client: other, socket };
}

/** Waits until the connection of a socket is a WebSocket. */
async function upgraded({ conn }) {
  if (conn.transport.name !== "websocket") await once(conn, "upgrade");
}

/** Waits until clients have received all that was sent to them before. */
async function settled(...entrances) {
  await Promise.all(entrances.map(({ socket }) => new Promise((done) => socket.emit(FENCE, done))));
}

/** Returns the events that a client has received since the last call, once all have arrived. */
async function receivedBy(entrance) {
  await settled(entrance);
  return entrance.client.received.splice(0);
}

/** Returns the events of each of several clients. */
async function receivedByAll(...entrances) {
  const received = [];
  for (const entrance of entrances) received.push(await receivedBy(entrance));
  return received;
}

/** Returns the names of the events of each of several clients. */
async function namesReceivedBy(...entrances) {
  return (await receivedByAll(...entrances)).map((events) => events.map(([name]) => name));
}

/** Returns the first argument of each event of a client. */
async function numbersReceivedBy(entrance) {
  return (await receivedBy(entrance)).map(([, number]) => number);
}

module.exports = {
  POLLING_ONLY,
  WEBSOCKET_ONLY,
  WITH_UPGRADE,
  connectClient,
  enter,
  enterAll,
  enterAnother,
  leave,
  namesReceivedBy,
  numbersReceivedBy,
  openClient,
  range,
  receivedBy,
  receivedByAll,
  settled,
  upgraded,
};
