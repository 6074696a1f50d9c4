"use strict";

/**
 * Detects whether methods that our fast paths skip have been replaced. Tracing and metrics put methods
 * of their own in front of them, on the prototypes, before our package is loaded or at any time after.
 * Packets then take the full path, on which each of these methods is called.
 *
 * Such a change cannot be reported, so the methods are compared: once for each broadcast, and for each
 * packet that is sent to one client.
 */

const official = require("socket.io-parser");
const ws = require("ws");
const { readerOf } = require("./method-readers.js");

const STATE_METHODS = ["close", "terminate", "pause", "resume"];

/** The methods of engine.io's socket that handle heartbeats. */
const HEARTBEAT_METHODS = [
  "sendPacket",
  "flush",
  "emit",
  "onPacket",
  "schedulePing",
  "resetPingTimeout",
];

/** The methods of engine.io's socket that end it, or report its end. */
const ENDING_METHODS = ["onClose", "close", "closeTransport", "clearTransport", "emit"];

/** A list of methods of prototypes, which are compared with the packages' own. */
class Methods {
  #prototypes = [];
  #names = [];
  #readers = [];
  /** The methods at the last comparison. */
  #seen = [];
  /** The packages' own methods, `undefined` for those that have not been seen yet. */
  #originals = [];
  #known = new Set();

  /**
   * Adds methods to the list.
   *
   * @param {object | undefined} prototype of a class; ignored if `undefined` or added before
   * @param {string[]} names of own or inherited methods; a missing one is compared as `undefined`
   * @returns {this}
   */
  watch(prototype, names) {
    if (prototype === undefined || this.#known.has(prototype)) return this;
    this.#known.add(prototype);
    for (const name of names) {
      this.#prototypes.push(prototype);
      this.#names.push(name);
      this.#readers.push(readerOf(name));
      this.#seen.push(undefined);
      this.#originals.push(undefined);
    }
    return this;
  }

  /**
   * Adds methods to the list that are the package's own now.
   *
   * @param {object} prototype
   * @param {string[]} names
   * @returns {this}
   */
  watchFromNow(prototype, names) {
    this.watch(prototype, names);
    for (
      let index = this.#prototypes.length - names.length;
      index < this.#prototypes.length;
      index++
    ) {
      this.#seen[index] = prototype[this.#names[index]];
      this.#originals[index] = this.#seen[index];
    }
    return this;
  }

  /** True if all methods are the packages' own. */
  get areUntouched() {
    const prototypes = this.#prototypes;
    const readers = this.#readers;
    for (let index = 0; index < prototypes.length; index++) {
      const method = readers[index](prototypes[index]);
      if (method !== this.#seen[index]) this.#handleChange(index, method);
      if (method !== this.#originals[index]) return false;
    }
    return true;
  }

  #handleChange(index, method) {
    this.#seen[index] = method;
    const isKnown = this.#originals[index] !== undefined;
    if (!isKnown && isOriginal(this.#prototypes[index], this.#names[index], method)) {
      this.#originals[index] = method;
    }
  }
}

/** Returns whether a method that is seen for the first time is the class's own. */
function isOriginal(prototype, name, method) {
  const owner = ownerOf(prototype, name);
  // The text of a class's method begins with its name, that of a function in front of it does not.
  const isOfClass = textOf(owner?.constructor).startsWith("class");
  return !isOfClass || new RegExp(`^(?:async\\s+)?${name}\\s*\\(`).test(textOf(method));
}

/** Returns the object on the prototype chain that has a property; `undefined` if there is none. */
function ownerOf(object, name) {
  for (let owner = object; owner; owner = Object.getPrototypeOf(owner)) {
    if (Object.hasOwn(owner, name)) return owner;
  }
  return undefined;
}

/** Returns the source of a function; the empty string for anything else. */
function textOf(value) {
  return typeof value === "function" ? Function.prototype.toString.call(value) : "";
}

/** The methods that are skipped when a packet goes to the worker without engine.io. */
const packetMethods = new Methods();

/** The methods that are skipped while a worker has the heartbeat of a connection. */
const heartbeatMethods = new Methods();
heartbeatMethods.watch(ws.WebSocket.prototype, ["send", "emit"]);

/** The methods that are skipped when one command broadcasts a packet. */
const broadcastMethods = new Methods();

/** The method that sends a message on a WebSocket. */
const sendMethod = new Methods().watch(ws.WebSocket.prototype, ["send"]);
packetMethods.watch(ws.WebSocket.prototype, ["send"]);

/** The methods that close, pause or resume a WebSocket. */
const stateMethods = new Methods().watch(ws.WebSocket.prototype, STATE_METHODS);

/** The methods by which ws's receiver emits a message. */
const receiverMethods = new Methods();
// The ws of some runtimes has no receiver.
receiverMethods.watch(ws.Receiver?.prototype, ["on", "addListener", "emit"]);

/** The methods that are skipped when a received packet goes to the Socket.IO client; see below. */
const receptionMethods = new Methods();

/** The methods by which a socket of engine.io, its transport and its WebSocket end, or report their end. */
const endingMethods = new Methods();
endingMethods.watch(ws.WebSocket.prototype, [...STATE_METHODS, "emitClose", "emit"]);

/** The methods of engine.io's server and of ws's that are skipped in a handshake. */
const handshakeMethods = new Methods();

/** The methods of socket.io-parser that ours override. */
const encodeMethod = new Methods().watch(official.Encoder.prototype, ["encode"]);
const decodeMethod = new Methods().watch(official.Decoder.prototype, ["add"]);

/**
 * Watches the classes of an Engine.IO socket and its server.
 *
 * @param {import("engine.io").Socket} conn
 * @param {object} [socket] the prototype of engine.io's class, where the socket has another in front
 */
function watchConnection(conn, socket = Object.getPrototypeOf(conn)) {
  const server = Object.getPrototypeOf(conn.server);
  packetMethods.watch(socket, ["sendPacket", "flush", "emit"]).watch(server, ["emit"]);
  broadcastMethods.watch(socket, ["write", "sendPacket", "flush", "emit"]).watch(server, ["emit"]);
  heartbeatMethods.watch(socket, HEARTBEAT_METHODS).watch(server, ["emit"]);
}

/**
 * Watches the class of lean sockets, whose methods are in front of those of engine.io's class.
 *
 * @param {object} prototype
 */
function watchLeanSockets(prototype) {
  packetMethods.watchFromNow(prototype, ["sendPacket", "flush", "emit"]);
  broadcastMethods.watchFromNow(prototype, ["write", "sendPacket", "flush", "emit"]);
  heartbeatMethods.watchFromNow(prototype, HEARTBEAT_METHODS);
  receptionMethods.watchFromNow(prototype, ["onPacket"]);
  endingMethods.watchFromNow(prototype, ENDING_METHODS);
}

/**
 * Watches the class of a WebSocket transport.
 *
 * @param {object} prototype of the transport
 */
function watchTransport(prototype) {
  packetMethods.watch(prototype, ["send", "emit"]);
  broadcastMethods.watch(prototype, ["send", "emit"]);
  heartbeatMethods.watch(prototype, ["send", "emit", "onData", "onPacket"]);
}

/**
 * The methods that pass a received packet on, from a WebSocket transport to a Socket.IO client. They are
 * compared for each packet and by name: `Methods` would take 40 ns for that (Node 20). Those that are
 * bound when a connection is made, as `onPacket()` of engine.io's socket, are compared only then.
 */
class ReceptionLayers {
  /** The prototypes, and their methods while these were the packages' own. @private */
  transport;
  client;
  onData;
  decoder = official.Decoder.prototype;
  add = official.Decoder.prototype.add;
  /** The methods that a program may also replace on single transports and clients. */
  onPacket;
  parseNamespace;
  /** The prototype of engine.io's sockets that is known to be watched. @private */
  watched = null;

  constructor(transport, client) {
    this.transport = transport;
    this.client = client;
    this.onData = transport.onData;
    this.onPacket = transport.onPacket;
    this.parseNamespace = client._parseNamespace;
  }

  /** True if the methods that a program can replace on classes only are the packages' own. */
  get areUntouched() {
    return this.transport.onData === this.onData && this.decoder.add === this.add;
  }
}

/** By the prototype of the WebSocket transports. */
const receptionLayers = new WeakMap();

/**
 * Returns the methods between a WebSocket transport and a Socket.IO client.
 *
 * @param {import("engine.io").Socket} conn
 * @param {object} client
 * @param {object | null} lean stands for the transport of a lean socket
 * @returns {ReceptionLayers | null} `null` while some of them are replaced
 */
function receptionLayersOf(conn, client, lean) {
  const transport = lean?.transportPrototype ?? Object.getPrototypeOf(conn.transport);
  const clients = Object.getPrototypeOf(client);
  const sockets = lean?.socketPrototype ?? Object.getPrototypeOf(conn);
  const known = receptionLayers.get(transport);
  if (known?.client !== clients || known.watched !== sockets) {
    watchReception(transport, sockets);
    receptionMethods.watch(clients, ["ondata", "ondecoded", "_parseNamespace"]);
  }
  const areUntouched = receptionMethods.areUntouched && decodeMethod.areUntouched;
  if (!areUntouched || Object.hasOwn(conn, "onPacket")) return null;
  const layers = known?.client === clients ? known : new ReceptionLayers(transport, clients);
  layers.watched = sockets;
  if (layers !== known) receptionLayers.set(transport, layers);
  return layers;
}

/**
 * Watches the methods that pass a received packet on, from a WebSocket transport to an Engine.IO socket.
 *
 * @param {object} transport the prototype
 * @param {object} socket the prototype
 */
function watchReception(transport, socket) {
  receptionMethods.watch(transport, ["onData", "onPacket"]).watch(socket, ["onPacket"]);
}

/** The classes of the last call of `watchSocket()`: most programs have no others. */
const watched = { socket: undefined, client: undefined };

/**
 * Watches the classes of a Socket.IO socket and its client.
 *
 * @param {import("socket.io").Socket} socket
 */
function watchSocket(socket) {
  const prototype = Object.getPrototypeOf(socket);
  const clients = Object.getPrototypeOf(socket.client);
  if (prototype === watched.socket && clients === watched.client) return;
  broadcastMethods.watch(prototype, ["notifyOutgoingListeners"]);
  broadcastMethods.watch(clients, ["writeToEngine"]);
  watched.socket = prototype;
  watched.client = clients;
}

module.exports = {
  ENDING_METHODS,
  broadcastMethods,
  decodeMethod,
  endingMethods,
  encodeMethod,
  handshakeMethods,
  heartbeatMethods,
  ownerOf,
  packetMethods,
  receiverMethods,
  receptionMethods,
  receptionLayersOf,
  sendMethod,
  stateMethods,
  textOf,
  watchConnection,
  watchLeanSockets,
  watchReception,
  watchSocket,
  watchTransport,
};
