"use strict";

/**
 * Compacts what a connection keeps in JavaScript, once everything is in place.
 *
 * - An `EventEmitter` keeps its listeners in an object without a prototype, which is a hash table in V8: 184
 *   bytes for up to four events, 472 for up to 16. The same object with fields has 24, and 8 for each event.
 * - A listener added by `once()` has a wrapper of 152 bytes.
 * - An array that was empty has room for 17 elements after the first `push()`.
 * - engine.io leaves listeners and an object behind that cannot have an effect any more.
 *
 * Measured with Node.js 20: an idle connection has 10.0 KiB of heap without compaction, and 7.7 with it.
 *
 * Programs do not notice: the objects are those that Node.js and engine.io keep for themselves. They have the
 * same properties in the same order, and go on to change in the same way.
 */

const { kConnection } = require("../engine/connection.js");
const { shared } = require("../engine/shared-strings.js");
const { ownerOf } = require("../untouched.js");

/** Texts of engine.io's source, by which its listeners are recognised. */
const PASSES_CLOSE_ON = '() => this.emit("close")';
const FOLLOWS_POLLING = /^\(headers, req\) => \{\s*const isInitialRequest = !req\._query\.sid;/;
const ADDS_RESPONSE = "new WebSocketResponse(";

/** The name of engine.io's listener for errors of a WebSocket that has no transport; it does nothing. */
const BEFORE_TRANSPORT = "onUpgradeError";

/**
 * Returns a function that copies an object without a prototype into one with fields. V8 gives the copies
 * that one such function makes as many fields as the first ones need.
 *
 * @returns {<T extends object>(object: T) => T}
 */
function fieldsMaker() {
  // Also the name of the constructor of other objects without a prototype: `console.log()` prints it.
  const { Object: Fields } = { Object: class {} };
  return (object) => {
    const fields = new Fields();
    // `Object.assign()` takes three times as long.
    for (const name in object) fields[name] = object[name];
    for (const key of Object.getOwnPropertySymbols(object)) fields[key] = object[key];
    return Object.setPrototypeOf(fields, null);
  };
}

const toFields = {
  socket: fieldsMaker(),
  conn: fieldsMaker(),
  transport: fieldsMaker(),
  websocket: fieldsMaker(),
};

/** Sockets that are compacted when the turn ends. */
let waiting = [];

const turnEnd = {
  /** Called by the workers. */
  handleTurnEnd() {
    const sockets = waiting;
    waiting = [];
    for (const socket of sockets) compact(socket);
  },
};

/**
 * Compacts a Socket.IO socket and its connection at the end of the turn: the listeners that a program adds
 * in `connection` are there then.
 *
 * @param {import("socket.io").Socket} socket of an Engine.IO socket on a worker
 * @param {import("../engine/workers.js").Workers} workers
 */
function scheduleCompaction(socket, workers) {
  waiting.push(socket);
  workers.scheduleTurnEnd(turnEnd);
}

function compact(socket) {
  const { client, conn } = socket;
  if (conn.readyState !== "open") return;
  const { handshake } = socket;
  // A program may have frozen it.
  if (handshake?.time) Reflect.set(handshake, "time", shared(handshake.time));
  compactListeners(socket, toFields.socket);
  compactArrays(client?.decoder?._callbacks);
  if (conn[kConnection] === undefined) compactConn(conn);
}

function compactConn(conn) {
  const websocket = conn.transport.socket;
  if (!websocket?._connection) return;
  removeUnused(conn, websocket);
  unwrapOnce(conn.transport, "error", "bound onError");
  unwrapOnce(conn.transport, "close", "bound onClose");
  unwrapOnce(websocket, "close", "bound onClose");
  conn.cleanupFn = conn.cleanupFn.slice();
  compactListeners(conn, toFields.conn);
  compactListeners(conn.transport, toFields.transport);
  compactListeners(websocket, toFields.websocket);
}

function compactListeners(emitter, makeFields) {
  const { _events: listeners } = emitter;
  if (listeners && Object.getPrototypeOf(listeners) === null) {
    emitter._events = makeFields(listeners);
  }
}

/** Compacts the lists of listeners of an emitter of socket.io-parser. */
function compactArrays(lists) {
  for (const name in lists) lists[name] = lists[name].slice();
}

/**
 * Unwraps a method of engine.io that `once()` has added as the only listener of an event. It needs no
 * wrapper: engine.io removes it when the transport is left, or the event is the last one.
 */
function unwrapOnce({ _events: listeners }, event, name) {
  const { listener } = listeners[event] ?? {};
  if (listener?.name === name) listeners[event] = listener;
}

/** Removes listeners of engine.io that are not called any more, or have nothing to do. */
function removeUnused({ transport, server }, websocket) {
  // Only polling transports emit it.
  removeOne(transport, "headers", (listener) => FOLLOWS_POLLING.test(String(listener)));
  if (websocket.listenerCount("error") > 1) {
    removeOne(websocket, "error", ({ name }) => name === BEFORE_TRANSPORT);
  }
  // The response of an upgrade is given to middlewares, and to nothing else.
  if (server.middlewares?.length === 0 && addsResponse(server)) {
    removeOne(websocket._socket, "close", (listener) => String(listener) === PASSES_CLOSE_ON);
  }
}

/** Removes the listener of an event for which `isUnused` returns true, if there is just one. */
function removeOne(emitter, event, isUnused) {
  const unused = emitter.listeners(event).filter(isUnused);
  if (unused.length === 1) emitter.removeListener(event, unused[0]);
}

/** By the prototype of servers: true if they make the response of an upgrade as engine.io 6 does. */
const known = new WeakMap();

/** Returns whether a server makes the response of an upgrade as engine.io 6 does. */
function addsResponse(server) {
  const prototype = Object.getPrototypeOf(server);
  if (!known.has(prototype)) {
    const owner = ownerOf(prototype, "handleUpgrade");
    known.set(prototype, String(owner?.handleUpgrade).includes(ADDS_RESPONSE));
  }
  return known.get(prototype);
}

module.exports = { scheduleCompaction };
