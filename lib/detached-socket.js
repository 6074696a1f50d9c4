"use strict";

/** On a socket: the connection that it had. */
const kConnection = Symbol("connection");

/**
 * Separates a `net.Socket` from its descriptor, of which a worker has a duplicate. For
 * everybody who has the socket it stays what it was: it has its addresses, its
 * `http.Server` counts it until the connection ends, what is written to it goes out after
 * what was sent before, and ending or destroying it ends the connection. But nothing can
 * be read from it.
 *
 * @param {import("node:net").Socket} socket
 * @param {import("./connection.js").Connection} connection
 */
function detach(socket, connection) {
  keepAddresses(socket);
  const handle = socket._handle;
  socket._handle = null;
  // The connection goes on: only this descriptor of it is closed.
  handle.close();
  socket[kConnection] = connection;
  socket._read = read;
  socket._write = write;
  socket._writev = null;
  socket._final = final;
  socket.on("error", ignoreError);
  socket.on("close", handleClose);
}

/** @returns {boolean} whether a worker has the connection of this socket */
function isDetached(socket) {
  return socket[kConnection] !== undefined;
}

/** What Node.js has read behind the request. */
function readInput(socket, head) {
  const read = socket.read();
  if (read === null) return head;
  return head.length === 0 ? read : Buffer.concat([head, read]);
}

/**
 * Node.js keeps the peer's address once it has been asked for, and gives our own only
 * while it has the descriptor.
 */
function keepAddresses(socket) {
  const { localAddress, localFamily, localPort } = socket;
  void socket.remoteAddress;
  Object.defineProperties(socket, {
    address: { value: address },
    localAddress: { value: localAddress },
    localFamily: { value: localFamily },
    localPort: { value: localPort },
  });
}

/** As `net.Socket` has it. */
function address() {
  return { address: this.localAddress, family: this.localFamily, port: this.localPort };
}

function read() {}

/** Strings come as they are: `net.Socket` leaves their encoding to the descriptor. */
function write(data, encoding, callback) {
  const bytes = typeof data === "string" ? Buffer.from(data, encoding) : data;
  this[kConnection].sendFrame([bytes], callback);
}

function final(callback) {
  this[kConnection].end();
  callback();
}

/** Somebody has destroyed the socket, such as engine.io when it refuses a client late. */
function handleClose() {
  this[kConnection].websocket.terminate();
}

/** A worker deals with errors of the connection. */
function ignoreError() {}

module.exports = { detach, isDetached, readInput };
