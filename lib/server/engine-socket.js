"use strict";

/**
 * The Engine.IO socket of a connection that a worker has accepted.
 *
 * It is *lean* at first: of the class `EngineSocket` in front of engine.io's, with few properties of its
 * own. What engine.io's sockets have besides is either the same for all of them (heartbeat timers: the
 * worker has the heartbeat) and on the prototype, or an accessor that *expands* the socket in place: it
 * becomes an instance of engine.io's class, with a transport and a WebSocket, just as one whose upgrade
 * Node.js has handled and whose heartbeat a worker has taken over. So any method of engine.io that is
 * called on a lean socket finds what it looks for.
 *
 * Without expansion go: packets to the client and from it, as long as `PacketRoute` and `PacketReceiver`
 * need no engine.io for them; listeners; and whatever socket.io itself reads.
 */

const { EventEmitter } = require("node:events");
const { flush, handleNewListener, leanRouteOf, sendPacket } = require("../adapter/packet-route.js");
const { kConnection } = require("../engine/connection.js");
const {
  endingMethods,
  receptionMethods,
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
  pingIntervalTimer: null,
  hasRefreshedPingTimeout: false,
  protocol: 4,
};

/** Programs whose `DEBUG` may name a layer expect its output. */
const isDebugged = /\*|engine/.test(process.env.DEBUG ?? "");

/** Also the name of the constructor of other objects without a prototype: `console.log()` prints it. */
const { Object: Listeners } = {
  Object: class {
    close = handleClosed;
  },
};

/** Returns the listeners of a new socket, in an object with fields: a hash table would take 184 bytes. */
function firstListeners() {
  return Object.setPrototypeOf(new Listeners(), null);
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
  for (const [name, value] of Object.entries({ ...COMMON, ...METHODS }))
    hide(prototype, name, { value, writable: true });
  hide(prototype, "socketPrototype", { value: socketPrototype });
  hide(prototype, "transportPrototype", { value: transportPrototype });
  for (const name of EXPANDING) hide(prototype, name, expanding(name));
  watchReception(transportPrototype, socketPrototype);
  watchTransport(transportPrototype);
  endingMethods
    .watch(socketPrototype, ["onClose", "close", "closeTransport", "clearTransport", "emit"])
    .watch(transportPrototype, ["close", "doClose", "onClose", "emit"]);
  return EngineSocket;
}

function hide(prototype, name, descriptor) {
  Object.defineProperty(prototype, name, { ...descriptor, configurable: true });
}

function expanding(name) {
  return {
    get() {
      // Of the prototype itself, as when a debugger shows it.
      if (this[kConnection] === undefined) return undefined;
      expand(this);
      return this[name];
    },
    set(value) {
      expand(this);
      this[name] = value;
    },
  };
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
  expandInPlace() {
    expand(this);
  },
  onClose(reason, description) {
    if (!endsAsPlain(this)) {
      expand(this);
      this.onClose(reason, description);
      return;
    }
    if (this._readyState === "closed") return;
    this._readyState = "closed";
    this[kConnection].handleConnClose();
    this.emit("close", reason, description);
  },
  close(discard) {
    const { route } = this[kConnection];
    if (!endsAsPlain(this) || route.leanBuffer?.length > 0) {
      expand(this);
      return this.close(discard);
    }
    if (this._readyState !== "open") return undefined;
    this._readyState = "closing";
    this[kConnection].handleConnClose();
    this.onClose("forced close");
    return undefined;
  },
  /**
   * Receives a message as engine.io does.
   *
   * @returns {boolean} false if the WebSocket has to emit it
   */
  receive(message, isBinary) {
    if (isDebugged || !(isBinary || isText(message)) || !receptionMethods.areUntouched)
      return false;
    this.onPacket({ type: "message", data: isBinary ? message : message.slice(1) });
    return true;
  },
};

/** Methods that a program may have replaced on a single socket. */
const ENDING = ["onClose", "close", "closeTransport", "clearTransport", "emit"];

/** Returns whether a socket can end without methods of engine.io: it would call no others. */
function endsAsPlain(conn) {
  return (
    endingMethods.areUntouched &&
    conn.pingTimeoutTimer === null &&
    conn.pingIntervalTimer === null &&
    !ENDING.some((name) => Object.hasOwn(conn, name))
  );
}

/** Returns whether a message is a text with a message of Engine.IO. */
function isText(message) {
  return typeof message === "string" && message.charCodeAt(0) === MESSAGE;
}

/** Makes a socket of engine.io of a lean one, in place. */
function expand(conn) {
  const { [kConnection]: connection, socketPrototype, server, request } = conn;
  const { route, writable } = connection;
  conn[kConnection] = undefined;
  Object.setPrototypeOf(conn, socketPrototype);
  for (const [name, value] of Object.entries(COMMON)) {
    if (!Object.hasOwn(conn, name)) conn[name] = value;
  }
  conn.writeBuffer = route.leanBuffer ?? [];
  conn.packetsFn = [];
  conn.sentCallbackFn = [];
  conn.cleanupFn = [];
  connection.makeWebSocket();
  const transport = server.createTransport("websocket", request);
  transport.perMessageDeflate = server.opts.perMessageDeflate;
  transport.sid = conn.id;
  conn.setTransport(transport);
  transport.writable = writable;
  if (conn._readyState === "closed") leaveTransport(conn, connection);
  route.leaveLean();
}

/** Does with the transport of a socket that has been closed what engine.io has done by now. */
function leaveTransport({ transport, cleanupFn }, { hasEnded }) {
  for (const cleanUp of cleanupFn.splice(0)) cleanUp();
  transport.on("error", ignore);
  transport._readyState = hasEnded ? "closed" : "closing";
}

function ignore() {}

module.exports = { leanClass };
