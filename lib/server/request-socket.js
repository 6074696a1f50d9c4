"use strict";

const net = require("node:net");
const { OVERRIDDEN, attach } = require("../engine/detached-socket.js");
const { REMOTE_PORT } = require("../addon/codes.js").Traffic;
const { LeanKind } = require("./lean.js");

const kConnection = Symbol("connection");
const kRemoteAddress = Symbol("remoteAddress");
const kServer = Symbol("server");

/** The type of a TCP handle for a connection, as the constructor takes it. */
const SOCKET = 0;

/** The connections of sockets that have been expanded. */
const expanded = new WeakMap();

/** The class of TCP handles, which Node.js does not export. */
let tcp;

/** The methods that an HTTP server leaves on each socket. */
const METHODS = ["on", "addListener", "prependListener"];

/**
 * The `net.Socket` of a connection that Node.js has never had: a lean object (see `lean.js`). Expanded, it is
 * what `detach()` makes of the socket of an upgrade; of a connection that is over, a destroyed one.
 */
const kind = new LeanKind(
  net.Socket.prototype,
  [kConnection, kRemoteAddress, kServer],
  expandSocket,
);

function LeanSocket(connection, remoteAddress, server) {
  this[kConnection] = connection;
  this[kRemoteAddress] = remoteAddress;
  this[kServer] = server;
}

LeanSocket.prototype = kind.prototype;

kind.add("remoteAddress", (socket) => socket[kRemoteAddress], undefined, false);
for (const name of ["server", "_server"]) kind.add(name, (socket) => socket[kServer]);
kind.add("parser", () => null);
kind.addExpanding(Reflect.ownKeys(new net.Socket()));
kind.addExpanding([...METHODS, "setEncoding", "_paused", "_peername"]);
// Found on the prototype of `net.Socket` otherwise.
kind.addExpanding(OVERRIDDEN);

/**
 * Returns a socket.
 *
 * @param {object} values
 * @param {import("../engine/connection.js").Connection} values.connection on its worker, with a method
 *   `addresses()`; or what stands for it until it is accepted, see `setConnection()`
 * @param {string} values.remoteAddress as Node.js spells it
 * @param {import("node:http").Server} values.server
 * @returns {import("node:net").Socket}
 */
function createSocket({ connection, remoteAddress, server }) {
  tcp ??= server._handle?.constructor;
  return new LeanSocket(connection, remoteAddress, server);
}

/** Returns the connection of a socket. */
function connectionOf(socket) {
  return socket[kConnection] ?? expanded.get(socket);
}

/**
 * Sets the connection of a socket that has been accepted.
 *
 * @param {import("node:net").Socket} socket
 * @param {import("../engine/connection.js").Connection} connection
 */
function setConnection(socket, connection) {
  if (isLean(socket)) {
    socket[kConnection] = connection;
    return;
  }
  expanded.set(socket, connection);
  if (socket._handle === null) return;
  connection.handle = socket._handle;
  socket._handle.connection = connection;
}

/** Returns whether a socket has not been expanded. */
function isLean(socket) {
  return socket[kConnection] !== undefined;
}

function expandSocket(socket) {
  const { [kConnection]: connection, [kRemoteAddress]: address, [kServer]: server } = socket;
  const added = kind.strip(socket, net.Socket.prototype);
  expanded.set(socket, connection);
  if (connection.endError === null) {
    construct(socket, new (tcpClass())(SOCKET), server);
    setNames(socket, connection.addresses() ?? namesOf(address));
    attach(socket, connection);
  } else {
    const traffic = connection.traffic();
    construct(socket, new ClosedHandle(traffic), server);
    setNames(socket, namesOf(address, traffic[REMOTE_PORT]));
    close(socket, server);
  }
  Object.defineProperties(socket, added);
}

/** Returns the class of TCP handles. */
function tcpClass() {
  tcp ??= handleOf(new net.Socket()).constructor;
  return tcp;
}

/** Returns the handle that a socket has while it looks up an address. */
function handleOf(socket) {
  socket.connect({ host: "localhost", port: 1, lookup: ignore });
  const { _handle: handle } = socket;
  socket.destroy();
  return handle;
}

function ignore() {}

/** Does what the servers of Node.js do with a socket until its upgrade. */
function construct(socket, handle, server) {
  const { highWaterMark, keepAlive, keepAliveInitialDelay } = server;
  net.Socket.call(socket, {
    handle,
    allowHalfOpen: true,
    manualStart: true,
    readableHighWaterMark: highWaterMark,
    writableHighWaterMark: highWaterMark,
  });
  socket.server = server;
  socket._server = server;
  socket.parser = null;
  for (const name of METHODS) socket[name] = net.Socket.prototype[name];
  socket.setEncoding = refuseEncoding;
  socket._paused = false;
  // The worker has set them; the handle is not open.
  socket.setNoDelay(true);
  if (keepAlive) socket.setKeepAlive(true, keepAliveInitialDelay * 1000);
}

/** As an HTTP server's. */
function refuseEncoding() {
  const error = new Error("Changing the socket encoding is not allowed per RFC7230 Section 3.");
  throw Object.assign(error, { code: "ERR_HTTP_SOCKET_ENCODING" });
}

/** Sets the addresses as Node.js keeps them. */
function setNames(socket, { remote, local }) {
  socket._peername = remote;
  if (local !== undefined) socket._sockname = local;
}

/** Returns what is known of the addresses when the kernel does not tell. */
function namesOf(address, port) {
  return { remote: { address, family: `IPv${net.isIP(address)}`, port } };
}

/** The handle of a connection that is over. */
class ClosedHandle {
  constructor([bytesRead, bytesWritten]) {
    this.bytesRead = bytesRead;
    this.bytesWritten = bytesWritten;
  }

  /** Does not call back: the socket is not to emit `close` again. */
  close() {}

  setNoDelay() {}

  setKeepAlive() {}
}

/** Makes a socket look like one whose connection has ended long ago. */
function close(socket, server) {
  // It has been counted out already.
  socket._server = null;
  socket.push(null);
  socket.destroy();
  socket._server = server;
}

module.exports = { connectionOf, createSocket, isLean, setConnection };
