"use strict";

/**
 * Handshakes of sessions that begin with long-polling, and their changes to a WebSocket.
 *
 * A worker answers all requests of such a session itself, by what this file gives it when the session
 * begins. Where a program may look at requests, sessions are left to Node.js; they are native once they have
 * changed to a WebSocket.
 */

const { createRequire } = require("node:module");
const { EventEmitter } = require("node:events");
const { stats } = require("../stats.js");
const { PollingConnection } = require("./polling-connection.js");
const { createRequest } = require("./request.js");

/** The longest time of `setTimeout()`, in milliseconds. */
const MAX_DELAY = 2 ** 31 - 1;

/** Matches the text that a worker can write as a header's value. */
const ASCII = /^[\t\x20-\x7e]*$/;

/** Connections by Engine.IO socket. */
const connections = new WeakMap();

/** The reason to leave a session to Node.js. */
const REASON = "polling";

/**
 * Handles the request that opens a session.
 *
 * @param {import("./listener.js").NativeListener} listener
 * @param {object} offer see `NativeListener`
 * @param {import("./door.js").Door} door
 */
function handlePollingHandshake(listener, offer, door) {
  if (!isPlain(door)) {
    listener.pass(offer, REASON);
    return;
  }
  const connection = new PollingConnection(listener, offer, door.ws.options);
  const { head, remoteAddress } = offer;
  const request = createRequest({ head, remoteAddress, connection, server: listener.server });
  connection.socket = request.socket;
  const handshake = { listener, offer, door, connection, request };
  connection.context.runInAsyncScope(begin, null, handshake);
}

/** Returns whether a program sees nothing of the requests of a polling session. */
function isPlain(door) {
  const { engine, ws } = door;
  const { opts } = engine;
  return (
    door.isPlain &&
    door.isUnobserved &&
    opts.transports.includes("polling") &&
    !opts.allowRequest &&
    engine.middlewares.length === (opts.cors ? 1 : 0) &&
    (!opts.cors || isPlainCors(opts.cors)) &&
    isPlainCompression(opts.httpCompression) &&
    engine.listenerCount("initial_headers") === 0 &&
    engine.listenerCount("headers") === 0 &&
    ws.options.turbo.rateLimit === undefined
  );
}

/** Returns whether the headers of CORS depend on nothing but options and the request's origin. */
function isPlainCors(cors) {
  return typeof cors === "object" && typeof cors.origin !== "function";
}

/** Returns whether packets are compressed with zlib's defaults. */
function isPlainCompression(options) {
  return !options || Object.keys(options).every((name) => name === "threshold");
}

function begin(handshake) {
  const { engine } = handshake.offer;
  if (engine.opts.cors) findLines(handshake);
  else accept(handshake, "");
}

/** Asks the middleware of CORS for its headers. */
function findLines(handshake) {
  const { listener, offer, request } = handshake;
  const response = new HeaderCollector();
  offer.engine._applyMiddlewares(request, response, (error) => {
    const { lines } = response;
    if (error || !ASCII.test(lines.replaceAll("\r\n", ""))) listener.pass(offer, REASON);
    else accept(handshake, lines);
  });
}

/** The part of a response that the middleware of CORS needs. */
class HeaderCollector extends EventEmitter {
  #headers = new Map();

  getHeader(name) {
    return this.#headers.get(name.toLowerCase())?.value;
  }

  setHeader(name, value) {
    const { name: first = name } = this.#headers.get(name.toLowerCase()) ?? {};
    this.#headers.set(name.toLowerCase(), { name: first, value: String(value) });
    return this;
  }

  get lines() {
    return [...this.#headers.values()].map(({ name, value }) => `${name}: ${value}\r\n`).join("");
  }
}

/** Accepts a session, and opens it. */
function accept(handshake, firstLines) {
  const { listener, offer, door, connection, request } = handshake;
  const { engine, sid, remoteAddress } = offer;
  const { opts } = engine;
  const openingLines = cookieLine(opts.cookie, sid);
  if (openingLines === null) {
    listener.pass(offer, REASON);
    return;
  }
  stats.countHandshake();
  connection.acceptPolling(door.negotiation.negotiate(undefined).connection, {
    firstLines,
    openingLines,
    dependsOnOrigin: Boolean(opts.cors),
    origin: request.headers.origin,
    compressionThreshold: opts.httpCompression ? opts.httpCompression.threshold : Infinity,
    maxPayload: opts.maxHttpBufferSize,
    initialPackets: opts.initialPacket ? 1 : 0,
    upgradeTimeout: delayOf(opts.upgradeTimeout),
  });
  const conn = new door.EngineSocket(sid, engine, request, remoteAddress, connection);
  connection.sendText(door.openPacket(sid, true));
  connection.route.startFlight();
  if (opts.initialPacket) conn.sendPacket("message", opts.initialPacket);
  connections.set(conn, connection);
  engine.clients[sid] = conn;
  engine.clientsCount++;
  engine.emit("connection", conn);
}

/** Returns the line of the cookie with the session's id; `null` if it cannot be sent. */
function cookieLine(options, sid) {
  if (!options) return "";
  const value = serializeCookie(options.name, sid, options);
  return ASCII.test(value) ? `Set-Cookie: ${value}\r\n` : null;
}

/** @type {Function | undefined} */
let serialize;

/** Calls the function of engine.io's own dependency. */
function serializeCookie(...args) {
  if (serialize === undefined) {
    const fromSocketIo = createRequire(createRequire(__filename).resolve("socket.io"));
    ({ serialize } = createRequire(fromSocketIo.resolve("engine.io"))("cookie"));
  }
  return serialize(...args);
}

/** Returns the delay that Node.js makes of an argument of `setTimeout()`. */
function delayOf(value) {
  const delay = Number(value);
  return delay >= 1 && delay <= MAX_DELAY ? delay : 1;
}

/**
 * Handles the request for a WebSocket of a polling session.
 *
 * @param {import("./listener.js").NativeListener} listener
 * @param {object} offer whose `sid` is that of the session
 * @param {import("./door.js").Door} door
 */
function handleUpgradeHandshake(listener, offer, door) {
  const conn = offer.engine.clients[offer.sid];
  const connection = connections.get(conn);
  const isPossible =
    connection instanceof PollingConnection &&
    connection.endError === null &&
    !conn.upgrading &&
    !conn.upgraded;
  const negotiated = isPossible ? negotiate(door, offer) : null;
  // engine.io answers, in ways that differ.
  if (negotiated === null) listener.pass(offer, REASON);
  else connection.acceptUpgrade(offer, negotiated, "");
}

function negotiate({ ws, negotiation }, { head }) {
  if (!ws.options.perMessageDeflate) return negotiation.negotiate(undefined);
  const [, offers] = /^sec-websocket-extensions:[ \t]*(.*?)[ \t]*$/im.exec(head) ?? [];
  return negotiation.negotiate(offers);
}

module.exports = { handlePollingHandshake, handleUpgradeHandshake };
