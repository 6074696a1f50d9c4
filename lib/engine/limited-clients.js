"use strict";

/**
 * `rateLimit` for clients that no worker serves: those that poll, those of WebTransport and other transports,
 * and WebSockets that are left to ws. Without a `rateLimit`, nothing here runs.
 */

const { nextTick } = require("node:process");
const { kConnection } = require("./connection.js");
const { InputLimiter } = require("./input-limiter.js");
const { reportRateLimit } = require("./rate-limit.js");
const { handleFailure } = require("./websocket-events.js");

/** RFC 6455 §7.4.1: the peer violates a policy. */
const POLICY_VIOLATION = 1008;

/** In bytes: what may wait besides one message of the greatest length. A WebSocket reads 64 KiB at once. */
const MAX_HELD_BESIDES = 1024 * 1024;

/** The text of the workers' error. */
const ERROR = "the peer sends more than rateLimit allows";

/** As input: the client has closed its end, behind all that it has sent. */
const CLOSE = Symbol("close");

function ignore() {}

/**
 * Limits the clients of an engine, except those whose transport is a WebSocket of ours: it limits itself.
 *
 * @param {import("engine.io").Server} engine or another engine
 * @param {import("./rate-limit.js").Limit | undefined} limit of `turbo()`
 */
function limitClients(engine, limit = engine.ws?.options?.turbo?.rateLimit) {
  if (limit === undefined) return;
  engine.on("connection", (conn) => {
    // Lean sockets are on workers, which limit them.
    if (conn[kConnection] !== undefined) return;
    const { transport } = conn;
    // Another engine may have transports of another kind.
    const isPossible = typeof transport?.onPacket === "function";
    if (isPossible && !isLimited(transport)) limitConn(conn, engine, limit);
  });
}

/** Returns whether a transport's WebSocket is ours and has a limit. */
function isLimited({ socket }) {
  return socket?._settings?.rateLimit !== undefined;
}

/**
 * Limits a client of Engine.IO, also while it upgrades: what waits goes on waiting, and the first packets of
 * the new transport wait behind it.
 */
function limitConn(conn, engine, limit) {
  let tap;
  const sink = {
    deliver: (packet) => tap.deliver(packet),
    report: () => {
      engine.emit("rate_limit", { socket: conn, action: limit.action });
    },
    // In the next tick, a request with packets has its response, so that the client sees an orderly end.
    disconnect: () => nextTick(() => tap.transport.onError(ERROR)),
    pause: ignore,
    resume: () => {
      if (isLimited(tap.transport)) tap.remove();
    },
  };
  const maxHeld = (engine.opts?.maxHttpBufferSize ?? 0) + MAX_HELD_BESIDES;
  const limiter = new InputLimiter(limit, maxHeld, sink);
  tap = new TransportTap(conn.transport, limiter);
  conn.once("upgrade", (transport) => {
    tap.remove();
    if (isLimited(transport) && !limiter.isHolding) limiter.end();
    else tap = new TransportTap(transport, limiter);
  });
  conn.once("close", () => limiter.end());
}

/** Leads the packets of a transport through a limiter. */
class TransportTap {
  #onPacket;
  #onClose;

  /**
   * @param {import("engine.io").Transport} transport
   * @param {InputLimiter} limiter
   */
  constructor(transport, limiter) {
    this.transport = transport;
    this.#onPacket = transport.onPacket;
    this.#onClose = transport.onClose;
    transport.onPacket = (packet) => limiter.receive(inputOfPacket(packet));
    transport.onClose = () => {
      // The other states are those of a transport that we close.
      const isByPeer = transport.readyState === "open";
      if (isByPeer && limiter.isHolding) limiter.receive(inputOfClose(CLOSE));
      else this.#onClose.call(transport);
    };
  }

  deliver(packet) {
    // In a turn of its own: Socket.IO handles packets later than engine.io closes a client.
    if (packet === CLOSE) setImmediate(() => this.#onClose.call(this.transport));
    else this.#onPacket.call(this.transport, packet);
  }

  remove() {
    this.transport.onPacket = this.#onPacket;
    this.transport.onClose = this.#onClose;
  }
}

function inputOfPacket(packet) {
  const { type, data } = packet;
  const isMessage = type === "message";
  const isText = typeof data === "string";
  return {
    item: packet,
    bytes: isText ? Buffer.byteLength(data) : (data?.byteLength ?? 0),
    packet: isMessage && isText ? data : null,
    isAttachment: isMessage && !isText,
    isHeartbeat: type === "pong" || type === "ping",
  };
}

function inputOfClose(item) {
  return { item, bytes: 0, packet: null, isAttachment: false, isHeartbeat: false };
}

/**
 * Limits a WebSocket that is left to ws. To be called before it gets its socket.
 *
 * @param {import("./websocket.js").WebSocket} websocket
 */
function limitWebSocket(websocket) {
  const { rateLimit, connection } = websocket._settings;
  const prototype = Object.getPrototypeOf(websocket);
  const ownEmit = Object.hasOwn(websocket, "emit") ? websocket.emit : null;
  const emit = (args) => (ownEmit ?? prototype.emit).apply(websocket, args);
  let isPaused = false;
  const resume = () => {
    if (!isPaused) return;
    isPaused = false;
    websocket.resume();
  };
  const limiter = new InputLimiter(rateLimit, connection.maxPayload + MAX_HELD_BESIDES, {
    deliver: (args) => {
      if (args[0] === CLOSE) prototype.close.apply(websocket, args.slice(1));
      else emit(args);
    },
    report: () => reportRateLimit(websocket, rateLimit.action),
    disconnect: () => {
      resume();
      const error = Object.assign(new Error(ERROR), { code: "TURBO_ERR_RATE_LIMIT" });
      handleFailure(websocket, error, POLICY_VIOLATION);
    },
    pause: () => {
      // Not if the application has paused it, which then resumes it, too.
      if (websocket.isPaused) return;
      isPaused = true;
      websocket.pause();
    },
    resume,
  });
  websocket.emit = (...args) => {
    if (args[0] === "close") limiter.end();
    if (args[0] !== "message") return emit(args);
    limiter.receive(inputOfMessage(args, rateLimit.isEngineIo));
    return true;
  };
  websocket.close = (...args) => {
    // ws answers the peer's close frame, which was read together with what waits.
    if (websocket._closeFrameReceived && limiter.isHolding) {
      limiter.receive(inputOfClose([CLOSE, ...args]));
      return;
    }
    // A paused WebSocket would not read the peer's close frame.
    limiter.close();
    prototype.close.apply(websocket, args);
  };
}

/** @param {["message", data: unknown, isBinary: boolean]} args of `emit()` */
function inputOfMessage(args, isEngineIo) {
  const [, data, isBinary] = args;
  const bytes = bytesOf(data);
  const text = isEngineIo && !isBinary ? String(data) : "";
  if (text !== "") args[1] = text;
  return {
    item: args,
    bytes,
    packet: text.startsWith("4") ? text.slice(1) : null,
    // The attachments of Engine.IO in base64 begin with a "b".
    isAttachment: isBinary || text.startsWith("b"),
    isHeartbeat: text === "2" || text === "3",
  };
}

/** @param {Buffer | ArrayBuffer | Buffer[] | Blob} data in the form of the WebSocket's `binaryType` */
function bytesOf(data) {
  if (Array.isArray(data)) return data.reduce((total, part) => total + part.length, 0);
  return data.byteLength ?? data.size;
}

module.exports = { limitClients, limitWebSocket };
