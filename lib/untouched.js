"use strict";

/**
 * Whether methods that our fast ways skip are those of their packages. Tracing and metrics put
 * methods of their own in front of them, on the prototypes, before our package is loaded or at any
 * time after; then packets take the full way, on which each of these is called as ever.
 *
 * Nobody reports such a change, so the methods are compared: once for each broadcast, and for each
 * packet that is sent to one client.
 */

const official = require("socket.io-parser");
const ws = require("ws");

const STATE_METHODS = ["close", "terminate", "pause", "resume"];

/** Methods of prototypes, and whether all of them are untouched. */
class Methods {
  #prototypes = [];
  #names = [];
  /** The methods when they were compared last. */
  #seen = [];
  /** The package's own, as far as they have been met. */
  #originals = [];
  #known = new Set();

  /**
   * @param {object | undefined} prototype of a class; a second time for the same nothing happens, nor
   *   without one
   * @param {string[]} names its own methods or inherited ones; what it does not have counts as well
   * @returns {this}
   */
  watch(prototype, names) {
    if (prototype === undefined || this.#known.has(prototype)) return this;
    this.#known.add(prototype);
    for (const name of names) {
      this.#prototypes.push(prototype);
      this.#names.push(name);
      this.#seen.push(undefined);
      this.#originals.push(undefined);
    }
    return this;
  }

  /** Returns whether all are the package's own. */
  get areUntouched() {
    const prototypes = this.#prototypes;
    for (let index = 0; index < prototypes.length; index++) {
      const method = prototypes[index][this.#names[index]];
      if (method !== this.#seen[index]) this.#handleChange(index, method);
      if (method !== this.#originals[index]) return false;
    }
    return true;
  }

  #handleChange(index, method) {
    this.#seen[index] = method;
    const isMet = this.#originals[index] !== undefined;
    if (!isMet && isOriginal(this.#prototypes[index], this.#names[index], method)) {
      this.#originals[index] = method;
    }
  }
}

/** Returns whether a method that is met for the first time is the class's own. */
function isOriginal(prototype, name, method) {
  const owner = ownerOf(prototype, name);
  // Methods of classes begin with their names, functions that are put in front do not.
  const isOfClass = textOf(owner?.constructor).startsWith("class");
  return !isOfClass || new RegExp(`^(?:async\\s+)?${name}\\s*\\(`).test(textOf(method));
}

function ownerOf(prototype, name) {
  for (let owner = prototype; owner; owner = Object.getPrototypeOf(owner)) {
    if (Object.hasOwn(owner, name)) return owner;
  }
  return undefined;
}

function textOf(value) {
  return typeof value === "function" ? Function.prototype.toString.call(value) : "";
}

/** Skipped where a packet goes to the worker without engine.io. */
const packetMethods = new Methods();

/** Skipped where one command broadcasts a packet. */
const broadcastMethods = new Methods();

/** With which a WebSocket sends a message. */
const sendMethod = new Methods().watch(ws.WebSocket.prototype, ["send"]);
packetMethods.watch(ws.WebSocket.prototype, ["send"]);

/** With which a WebSocket is closed, paused or resumed. */
const stateMethods = new Methods().watch(ws.WebSocket.prototype, STATE_METHODS);

/** With which ws hands a message on. */
const receiverMethods = new Methods();
// The ws of some runtimes has none.
receiverMethods.watch(ws.Receiver?.prototype, ["on", "addListener", "emit"]);

/** socket.io-parser's, in whose place ours are. */
const encodeMethod = new Methods().watch(official.Encoder.prototype, ["encode"]);
const decodeMethod = new Methods().watch(official.Decoder.prototype, ["add"]);

/** @param {import("engine.io").Socket} conn whose class, and server's, are to be watched */
function watchConnection(conn) {
  const [socket, server] = [Object.getPrototypeOf(conn), Object.getPrototypeOf(conn.server)];
  packetMethods.watch(socket, ["sendPacket", "flush", "emit"]).watch(server, ["emit"]);
  broadcastMethods.watch(socket, ["write", "sendPacket", "flush", "emit"]).watch(server, ["emit"]);
}

/** @param {import("engine.io").Transport} transport a WebSocket one, whose class is to be watched */
function watchTransport(transport) {
  const prototype = Object.getPrototypeOf(transport);
  packetMethods.watch(prototype, ["send", "emit"]);
  broadcastMethods.watch(prototype, ["send", "emit"]);
}

/** @param {import("socket.io").Socket} socket whose class, and client's, are to be watched */
function watchSocket(socket) {
  broadcastMethods.watch(Object.getPrototypeOf(socket), ["notifyOutgoingListeners"]);
  broadcastMethods.watch(Object.getPrototypeOf(socket.client), ["writeToEngine"]);
}

module.exports = {
  broadcastMethods,
  decodeMethod,
  encodeMethod,
  packetMethods,
  receiverMethods,
  sendMethod,
  stateMethods,
  watchConnection,
  watchSocket,
  watchTransport,
};
