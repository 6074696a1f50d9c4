"use strict";

/** The state that all handshakes with one Engine.IO server share, as long as its options stay the same. */

const { WebSocketServer } = require("../engine/websocket-server.js");
const { WebSocket } = require("../engine/websocket.js");
const { introduce, isUpgradeUntouched } = require("../engine/upgrade-guard.js");
const { handshakeMethods, heartbeatMethods, packetMethods, receiverMethods, watchConnection } =
  require("../untouched.js");
const { classesFor } = require("./engine-classes.js");
const { Negotiation } = require("./negotiation.js");

/** The methods of engine.io's server that a lean handshake skips, or calls in its own order. */
const OF_ENGINE = [
  "_applyMiddlewares",
  "createTransport",
  "generateId",
  "handshake",
  "onWebSocket",
  "prepare",
  "upgrades",
  "verify",
];
const OF_UPGRADE = ["handleUpgrade"];

/** The methods of a WebSocket server. */
const OF_WS = ["handleUpgrade", "completeUpgrade", "shouldHandle", "emit"];

handshakeMethods.watch(WebSocketServer.prototype, OF_WS);

/**
 * Returns whether an engine has no methods of its own in front of those of its class, `OF_ENGINE`. They are named one by
 * one: loops over the two lists take 0.8 of the 38 µs that a client costs which connects.
 */
function isEngineOfClass(engine, methods) {
  return (
    engine._applyMiddlewares === methods._applyMiddlewares &&
    engine.createTransport === methods.createTransport &&
    engine.generateId === methods.generateId &&
    engine.handshake === methods.handshake &&
    engine.onWebSocket === methods.onWebSocket &&
    engine.prepare === methods.prepare &&
    engine.upgrades === methods.upgrades &&
    engine.verify === methods.verify
  );
}

/** The same for a WebSocket server, and `OF_WS`. */
function isWsOfClass(ws, methods) {
  return (
    ws.handleUpgrade === methods.handleUpgrade &&
    ws.completeUpgrade === methods.completeUpgrade &&
    ws.shouldHandle === methods.shouldHandle &&
    ws.emit === methods.emit
  );
}

/** Programs whose `DEBUG` may name a layer expect its output. */
const isDebugged = /\*|engine/.test(process.env.DEBUG ?? "");

/** Of ws's server: it is not being closed. */
const RUNNING = 0;

/** The most that timers of Node.js accept, in milliseconds; they take 1 instead of more. */
const MAX_DELAY = 2 ** 31 - 1;

/** Returns the delay that Node.js makes of an argument of `setTimeout()`. */
function delayOf(value) {
  const delay = Number(value);
  return delay >= 1 && delay <= MAX_DELAY ? delay : 1;
}

class Door {
  /** The options by which the texts and the native options were made. */
  #pingInterval;
  #pingTimeout;
  #maxPayload;

  /**
   * @param {import("engine.io").Server} engine with a WebSocket server of ours
   * @param {{ EngineSocket: Function, Socket: Function } | null} classes
   */
  constructor(engine, classes) {
    this.engine = engine;
    this.ws = engine.ws;
    /** The class of lean sockets; `null` if there is none for this engine. */
    this.EngineSocket = classes?.EngineSocket ?? null;
    introduce(engine);
    const prototype = Object.getPrototypeOf(engine);
    handshakeMethods.watch(prototype, [...OF_ENGINE, ...OF_UPGRADE]);
    if (classes !== null) watchConnection({ server: engine }, classes.Socket.prototype);
    this.#read();
  }

  #read() {
    const { pingInterval, pingTimeout, maxHttpBufferSize } = this.engine.opts;
    this.#pingInterval = pingInterval;
    this.#pingTimeout = pingTimeout;
    this.#maxPayload = maxHttpBufferSize;
    const tailWith = (upgrades) => {
      const maxPayload = maxHttpBufferSize;
      const text = JSON.stringify({ sid: "", upgrades, pingInterval, pingTimeout, maxPayload });
      return text.slice('{"sid":"'.length);
    };
    this.openTail = tailWith([]);
    const { transports } = this.engine.opts;
    const upgrades = this.engine.upgrades("polling").filter((name) => transports.includes(name));
    this.openTailOfPolling = tailWith(upgrades);
    const { turbo } = this.ws.options;
    const heartbeat = { pingInterval: delayOf(pingInterval), pingTimeout: delayOf(pingTimeout) };
    heartbeat.maxLoopLag = turbo.maxLoopLag ?? heartbeat.pingInterval + heartbeat.pingTimeout;
    this.negotiation = new Negotiation(this.ws.options, heartbeat);
  }

  /** Reads the options of the server again if a program has changed them. */
  refresh() {
    const { pingInterval, pingTimeout, maxHttpBufferSize } = this.engine.opts;
    const isCurrent =
      pingInterval === this.#pingInterval &&
      pingTimeout === this.#pingTimeout &&
      maxHttpBufferSize === this.#maxPayload;
    if (!isCurrent) this.#read();
  }

  /**
   * Returns the text of the packet that opens a session.
   *
   * @param {string} sid of characters that JSON leaves as they are
   * @param {boolean} [isPolling] true if it begins with long-polling
   */
  openPacket(sid, isPolling = false) {
    return `0{"sid":"${sid}${isPolling ? this.openTailOfPolling : this.openTail}`;
  }

  /** True if no method is replaced that the packets of a lean socket skip, and nobody listens to all of them. */
  get isUnobserved() {
    const { engine } = this;
    return (
      packetMethods.areUntouched &&
      heartbeatMethods.areUntouched &&
      receiverMethods.areUntouched &&
      engine.listenerCount("flush") === 0 &&
      engine.listenerCount("drain") === 0
    );
  }

  /** True if nothing but options, middlewares and listeners of headers decides on a handshake. */
  get isPlain() {
    const { engine, ws } = this;
    const prototype = Object.getPrototypeOf(engine);
    return (
      !isDebugged &&
      this.EngineSocket !== null &&
      handshakeMethods.areUntouched &&
      isUpgradeUntouched(engine) &&
      isEngineOfClass(engine, prototype) &&
      isWsOfClass(ws, WebSocketServer.prototype) &&
      ws._state === RUNNING &&
      ws.listenerCount("headers") === 1 &&
      ws.listenerCount("wsClientError") === 0 &&
      !engine.opts.transports.includes("webtransport")
    );
  }
}

/** By the engine. */
const doors = new WeakMap();

/**
 * Returns the door of a server.
 *
 * @param {import("engine.io").Server} engine
 * @returns {Door | null} `null` if it has no WebSocket server of ours
 */
function doorOf(engine) {
  const known = doors.get(engine);
  if (known !== undefined && known.ws === engine.ws) {
    known.refresh();
    return known;
  }
  if (!isOurs(engine.ws)) return null;
  const door = new Door(engine, classesFor(engine));
  doors.set(engine, door);
  return door;
}

/** Returns whether workers can have the connections of a WebSocket server; see also `fallback.js`. */
function isOurs(ws) {
  if (!(ws instanceof WebSocketServer)) return false;
  const { options } = ws;
  const isNegotiable = !options.perMessageDeflate || options.turbo.compression !== null;
  return (
    options.WebSocket === WebSocket &&
    isNegotiable &&
    !options.skipUTF8Validation &&
    options.allowSynchronousEvents &&
    !options.verifyClient &&
    !options.handleProtocols
  );
}

module.exports = { doorOf };
