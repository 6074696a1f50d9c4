"use strict";

/**
 * The Engine.IO socket of a connection that a worker has accepted.
 *
 * Its class `EngineSocket` is in front of engine.io's. At first it is *lean*, with few properties of its own.
 * The other properties of engine.io's sockets are either the same for all of them and on the prototype (the
 * heartbeat's state: the worker keeps it), or accessors that *expand* the socket in place: it then has all
 * properties, a transport and a WebSocket, as a socket has whose upgrade Node.js has handled and whose
 * heartbeat a worker has taken over. So each method of engine.io finds the properties that it reads.
 *
 * These need no expansion: packets to the client and from it, as long as `PacketRoute` and `PacketReceiver`
 * can handle them without engine.io; listeners; and the properties that socket.io itself reads.
 */

const { EventEmitter } = require("node:events");
const { inspect } = require("node:util");
const {
  flush,
  handleNewListener,
  kEngineMethods,
  leanRouteOf,
  sendPacket,
} = require("../adapter/packet-route.js");
const { kConnection } = require("../engine/connection.js");
const {
  ENDING_METHODS,
  endingMethods,
  receptionMethods,
  watchLeanSockets,
  watchReception,
  watchTransport,
} = require("../untouched.js");

/** Engine.IO v4, "Packet types": the character of a message. */
const MESSAGE = 0x34;

/** The properties whose reading or setting expands a socket. */
const EXPANDING = ["transport", "writeBuffer", "packetsFn", "sentCallbackFn", "cleanupFn"];

/** The properties that lean sockets have in common. */
const COMMON = {
  upgrading: false,
  upgraded: false,
  pingTimeoutTimer: null,
  hasRefreshedPingTimeout: false,
  protocol: 4,
};

/** Also the name of the constructor of other objects without a prototype: `console.log()` prints it. */
const { Object: Listeners } = { Object: class {} };

/**
 * Returns the listeners of a new socket, in an object with fields: a hash table would take 184 bytes. Fields that are
 * added before the prototype is set would give each object a hidden class of its own, up to Node.js 22: 168 bytes.
 */
function firstListeners() {
  const listeners = Object.setPrototypeOf(new Listeners(), null);
  listeners.close = handleClosed;
  return listeners;
}

/** Removes a socket from its server. engine.io adds such a listener to each, in front of all others. */
function handleClosed() {
  this.removeListener("close", handleClosed);
  delete this.server.clients[this.id];
  this.server.clientsCount--;
}

/**
 * Returns a class of lean sockets.
 *
 * @param {typeof import("engine.io").Socket} Socket
 * @param {Function} Transport engine.io's for WebSockets
 * @returns {new (id: string, server: object, request: object, remoteAddress: string,
 *   connection: object) => import("engine.io").Socket}
 */
function leanClass({ prototype: socketPrototype }, { prototype: transportPrototype }) {
  function EngineSocket(id, server, request, remoteAddress, connection) {
    this._events = firstListeners();
    this._eventsCount = 1;
    this._readyState = "open";
    this.id = id;
    this.server = server;
    this.request = request;
    this.remoteAddress = remoteAddress;
    this[kConnection] = connection;
    connection.conn = this;
    leanRouteOf(this, connection);
  }
  EngineSocket.prototype = Object.create(socketPrototype);
  const { prototype } = EngineSocket;
  const values = { ...COMMON, ...METHODS };
  for (const name of Object.keys(values)) hide(prototype, name, values[name]);
  hide(prototype, inspect.custom, expanded);
  hide(prototype, kEngineMethods, socketPrototype);
  hide(prototype, "transportPrototype", transportPrototype);
  for (const name of EXPANDING) Object.defineProperty(prototype, name, expanding(name));
  Object.defineProperty(prototype, "pingIntervalTimer", intervalTimer);
  watchReception(transportPrototype, socketPrototype);
  watchTransport(transportPrototype);
  endingMethods
    .watch(socketPrototype, ENDING_METHODS)
    .watch(transportPrototype, ["close", "doClose", "onClose", "emit"]);
  watchLeanSockets(prototype);
  return EngineSocket;
}

/** Called for `console.log()`, which goes on with the properties of what is returned. */
function expanded() {
  if (isLean(this)) expand(this);
  return this;
}

function hide(object, name, value) {
  Object.defineProperty(object, name, { value, writable: true, configurable: true });
}

/** Makes a property as an assignment does. */
function define(object, name, value) {
  const descriptor = { value, writable: true, enumerable: true, configurable: true };
  Object.defineProperty(object, name, descriptor);
}

function isLean(conn) {
  return conn[kConnection] !== undefined;
}

function expanding(name) {
  return {
    get() {
      // Of the prototype itself, as when a debugger shows it.
      if (!isLean(this)) return undefined;
      expand(this);
      return this[name];
    },
    set(value) {
      if (isLean(this)) expand(this);
      define(this, name, value);
    },
    configurable: true,
  };
}

/**
 * The timer of pings. A program that reads it wants to stop it: engine.io gets the heartbeat back, and the worker
 * takes it over as from other sockets, unless the timer is stopped by then.
 */
const intervalTimer = {
  get() {
    if (!isLean(this)) return undefined;
    const { route } = this[kConnection];
    expand(this);
    if (route.connection !== null && this._readyState !== "closed") {
      route.releaseHeartbeat();
      route.prepareHeartbeat();
    }
    return this.pingIntervalTimer;
  },
  set(value) {
    define(this, "pingIntervalTimer", value);
  },
  configurable: true,
};

/** Calls engine.io's method of a socket that is not lean any more. */
function callBehind(conn, name, args) {
  return conn[kEngineMethods][name].apply(conn, args);
}

function expandAndCall(conn, name, args) {
  expand(conn);
  return callBehind(conn, name, args);
}

/** The methods in front of engine.io's. */
const METHODS = {
  sendPacket,
  flush,
  on(event, listener) {
    handleNewListener.call(this, event);
    return EventEmitter.prototype.on.call(this, event, listener);
  },
  addListener(event, listener) {
    handleNewListener.call(this, event);
    return EventEmitter.prototype.addListener.call(this, event, listener);
  },
  prependListener(event, listener) {
    handleNewListener.call(this, event);
    return EventEmitter.prototype.prependListener.call(this, event, listener);
  },
  onClose(...args) {
    if (!isLean(this)) return callBehind(this, "onClose", args);
    if (!endsAsPlain(this)) return expandAndCall(this, "onClose", args);
    if (this._readyState === "closed") return undefined;
    this._readyState = "closed";
    this[kConnection].handleConnClose();
    this.emit("close", args[0], args[1]);
    return undefined;
  },
  close(...args) {
    if (!isLean(this)) return callBehind(this, "close", args);
    const connection = this[kConnection];
    const isWaiting = connection.route.leanBuffer?.length > 0;
    if (isWaiting || !endsAsPlain(this)) return expandAndCall(this, "close", args);
    if (this._readyState !== "open") return undefined;
    this._readyState = "closing";
    if (!args[0] && connection.closeWhenPolled()) return undefined;
    connection.isDiscarded = Boolean(args[0]);
    connection.handleConnClose();
    this.onClose("forced close");
    return undefined;
  },
};

/** Returns whether a socket can end without methods of engine.io: it would call no others. */
function endsAsPlain(conn) {
  return (
    endingMethods.areUntouched &&
    conn.pingTimeoutTimer === null &&
    !Object.hasOwn(conn, "pingIntervalTimer") &&
    !ENDING_METHODS.some((name) => Object.hasOwn(conn, name))
  );
}

/**
 * Receives a message as engine.io does.
 *
 * @param {object} conn a lean socket
 * @param {string | Buffer} message
 * @param {boolean} isBinary
 * @returns {boolean} false if the WebSocket has to emit it
 */
function receive(conn, message, isBinary) {
  if (!(isBinary || isText(message)) || !receptionMethods.areUntouched) return false;
  conn.onPacket({ type: "message", data: isBinary ? message : message.slice(1) });
  return true;
}

/** Returns whether a message is a text with a message of Engine.IO that has data. */
function isText(message) {
  return typeof message === "string" && message.length > 1 && message.charCodeAt(0) === MESSAGE;
}

/** Makes a socket of engine.io of a lean one, in place. */
function expand(conn) {
  const { [kConnection]: connection } = conn;
  const { route, writable } = connection;
  conn[kConnection] = undefined;
  for (const name of Object.keys(COMMON)) {
    if (!Object.hasOwn(conn, name)) conn[name] = COMMON[name];
  }
  if (!Object.hasOwn(conn, "pingIntervalTimer")) conn.pingIntervalTimer = null;
  conn.writeBuffer = route.leanBuffer ?? [];
  conn.packetsFn = [];
  conn.sentCallbackFn = [];
  conn.cleanupFn = [];
  const transport = connection.makeTransport(conn);
  transport.sid = conn.id;
  conn.setTransport(transport);
  transport.writable = writable;
  if (connection.isDiscarded) transport.discard();
  if (conn._readyState === "closed") leaveTransport(conn, connection);
  route.leaveLean();
}

/** Opens the session of a new socket by engine.io's own methods, which have to see its packets. */
function openByEngine(conn) {
  conn._readyState = "opening";
  expand(conn);
  conn.onOpen();
}

/** Brings the transport of a closed socket into the state in which engine.io would have left it. */
function leaveTransport({ transport, cleanupFn }, { hasEnded }) {
  for (const cleanUp of cleanupFn.splice(0)) cleanUp();
  transport.on("error", ignore);
  transport._readyState = hasEnded ? "closed" : "closing";
}

function ignore() {}

module.exports = { expand, leanClass, openByEngine, receive };
