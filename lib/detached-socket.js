"use strict";

const net = require("node:net");
const { nextTick } = require("node:process");

/** On a socket: the connection that it had. */
const kConnection = Symbol("connection");

/** In the place of a handle: the socket counts as open, and has its own address. */
const NO_HANDLE = {
  fd: -1,
  getsockname() {},
  close(callback) {
    if (callback !== undefined) nextTick(callback);
  },
};

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
  // Node.js reads the addresses once and keeps them.
  void [socket.remoteAddress, socket.localAddress];
  const handle = socket._handle;
  socket._handle = NO_HANDLE;
  // The connection goes on: only this descriptor of it is closed.
  handle.close(() => connection.handleDetached());
  socket[kConnection] = connection;
  socket._read = read;
  socket._write = write;
  socket._writev = null;
  socket._final = final;
  socket._destroy = destroy;
  socket.resetAndDestroy = socket.destroy;
  if (socket.listenerCount("error") === 0) socket.on("error", ignoreError);
}

/** @returns {boolean} whether a worker has the connection of this socket */
function isDetached(socket) {
  return socket[kConnection] !== undefined;
}

/**
 * What Node.js has read behind the request. From Node.js 26 on, `read()` gives one piece
 * at a time.
 *
 * @param {import("node:net").Socket} socket
 * @param {Buffer} head the piece that came with the request
 * @returns {Buffer}
 */
function readInput(socket, head) {
  const pieces = [head];
  for (let piece = socket.read(); piece !== null; piece = socket.read()) pieces.push(piece);
  return pieces.length === 1 ? head : Buffer.concat(pieces);
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

/** Somebody destroys the socket, such as engine.io when it refuses a client late. */
function destroy(error, callback) {
  this[kConnection].websocket.cutOff();
  net.Socket.prototype._destroy.call(this, error, callback);
}

/** A worker deals with errors of the connection. */
function ignoreError() {}

module.exports = { detach, isDetached, readInput };
