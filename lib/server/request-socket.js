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
const kind = new LeanKind(net.Socket.prototype, [kConnection, kRemoteAddress, kServer], (socket) =>
  expandSocket(socket, kind, net.Socket.prototype),
);

function LeanSocket(connection, remoteAddress, server) {
  this[kConnection] = connection;
  this[kRemoteAddress] = remoteAddress;
  this[kServer] = server;
}

LeanSocket.prototype = kind.prototype;
addAccessors(kind);

/** The same for a connection with TLS. Made for the first, since few programs load `node:tls`. */
let LeanTlsSocket = null;

function makeTlsKind() {
  const { CarriedTlsSocket, TLS_FIELDS } = require("./tls-socket.js");
  const tlsKind = new LeanKind(
    CarriedTlsSocket.prototype,
    [kConnection, kRemoteAddress, kServer],
    (socket) => expandSocket(socket, tlsKind, CarriedTlsSocket.prototype),
  );
  LeanTlsSocket = function LeanTlsSocket(...values) {
    LeanSocket.apply(this, values);
  };
  LeanTlsSocket.prototype = tlsKind.prototype;
  tlsKind.add("encrypted", () => true);
  tlsKind.addExpanding(TLS_FIELDS);
  addAccessors(tlsKind);
}

function addAccessors(kind) {
  kind.add("remoteAddress", (socket) => socket[kRemoteAddress], undefined, false);
  for (const name of ["server", "_server"]) kind.add(name, (socket) => socket[kServer]);
  kind.add("parser", () => null);
  kind.addExpanding(Reflect.ownKeys(new net.Socket()));
  kind.addExpanding([...METHODS, "setEncoding", "_paused", "_peername"]);
  // Found on the prototype of `net.Socket` otherwise.
  kind.addExpanding(OVERRIDDEN);
}

/**
 * Returns a socket.
 *
 * @param {object} values
 * @param {import("../engine/connection.js").Connection} values.connection on its worker,
 *   or not yet; its `traffic()` has the peer's port in each case
 * @param {string} values.remoteAddress as Node.js spells it
 * @param {import("node:http").Server} values.server
 * @returns {import("node:net").Socket}
 */
function createSocket({ connection, remoteAddress, server }) {
  tcp ??= server._handle?.constructor;
  // Servers with TLS have this property.
  if (server.requestCert === undefined) return new LeanSocket(connection, remoteAddress, server);
  if (LeanTlsSocket === null) makeTlsKind();
  return new LeanTlsSocket(connection, remoteAddress, server);
}

/** Returns the connection of a socket. */
function connectionOf(socket) {
  return socket[kConnection] ?? expanded.get(socket);
}

function expandSocket(socket, kind, prototype) {
  const { [kConnection]: connection, [kRemoteAddress]: address, [kServer]: server } = socket;
  const added = kind.strip(socket, prototype);
  expanded.set(socket, connection);
  const traffic = connection.traffic();
  const isOpen = connection.endError === null;
  construct(socket, isOpen ? new (tcpClass())(SOCKET) : new ClosedHandle(traffic), server);
  // Node.js reads it once and keeps it; engine.io has read it.
  const family = `IPv${net.isIP(address)}`;
  socket._peername = { address, family, port: traffic[REMOTE_PORT] };
  // As ws does when it has accepted the connection.
  if (connection.workers !== null) socket.setTimeout(0);
  if (isOpen) attach(socket, connection);
  if (Object.hasOwn(socket, "bytesRead")) leadToHandle(socket);
  beginTls(socket, server, connection);
  if (!isOpen) close(socket, server);
  Object.defineProperties(socket, added);
}

/**
 * Lets a socket ask its handle where `net.Socket` does not, as that of Bun, which counts bytes by itself. That one
 * gives milliseconds to its handle, too, where Node.js gives seconds.
 */
function leadToHandle(socket) {
  const { _handle: handle } = socket;
  for (const name of ["bytesRead", "bytesWritten"]) {
    const accessor = { get: () => handle[name], set() {} };
    Object.defineProperty(socket, name, { ...accessor, configurable: true, enumerable: true });
  }
  const { setKeepAlive } = handle;
  handle.setKeepAlive = (isEnabled, delay = 0) =>
    setKeepAlive.call(handle, isEnabled, delay / 1000);
}

/** Makes it a `tls.TLSSocket`, if its connection has TLS. */
function beginTls(socket, server, connection) {
  if (server.requestCert === undefined) return;
  require("./tls-socket.js").beginTls(socket, server, connection.tlsDetails());
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

/** Prepares a socket as the servers of Node.js do until its upgrade. */
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

module.exports = { connectionOf, createSocket };
