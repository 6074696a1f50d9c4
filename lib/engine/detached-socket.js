"use strict";

const net = require("node:net");
const { adoptHandle, adoptUnopened } = require("./connection-handle.js");
const { shared } = require("./shared-strings.js");
const { ignoreError } = require("./upgrade-guard.js");

/** On the prototype of detached sockets, also of those of other copies of this package. */
const kDetached = Symbol.for("socket.io-turbo.detached");

/** On a socket with a timeout: the bytes read and written by the last `timeout` event. */
const kTimedOutAt = Symbol("timedOutAt");

/** On a socket that has had a listener for what is read. */
const kTapped = Symbol("tapped");

/** Events whose listeners get what is read. */
const READING = ["data", "readable"];

/** Adds bytes of the peer to the stream of a socket; null for the end. */
const read = (socket, chunk) => net.Socket.prototype.push.call(socket, chunk);

/**
 * The prototype of a `net.Socket` whose connection a worker owns. No instance is constructed:
 * `detach()` changes the prototype of the socket of an upgrade.
 *
 * The socket has no descriptor any more. `net.Socket` itself still does all that it does by calling
 * its handle, which is a `ConnectionHandle` now. Overridden here is the rest: what relies on native
 * code beside the handle, and what concerns the stream, whose data the worker reads and decodes.
 */
class DetachedSocket extends net.Socket {
  on(event, listener) {
    if (READING.includes(event)) tap(this);
    return super.on(event, listener);
  }

  addListener(event, listener) {
    return this.on(event, listener);
  }

  prependListener(event, listener) {
    if (READING.includes(event)) tap(this);
    return super.prependListener(event, listener);
  }

  /** Also stops the worker's reading, and with it the WebSocket's messages. */
  pause() {
    super.pause();
    this._handle?.readStop();
    return this;
  }

  resume() {
    super.resume();
    this._handle?.readStart();
    return this;
  }

  /** Passes bytes to the WebSocket as if the peer had sent them, as with ws. */
  push(chunk, encoding) {
    if (chunk === null) return super.push(chunk);
    this._handle?.input(typeof chunk === "string" ? Buffer.from(chunk, encoding) : chunk);
    return this.readableFlowing;
  }

  unshift(chunk, encoding) {
    return this.push(chunk, encoding);
  }

  /** Bytes that wait for the network, including the WebSocket's. */
  get writableLength() {
    return Math.max(super.writableLength, this._handle?.writeQueueSize ?? 0);
  }

  get writableNeedDrain() {
    return super.writableNeedDrain || Boolean(this._handle?.isBlocked);
  }

  /** `net.Socket` resets handles of Node.js only. */
  resetAndDestroy() {
    return this._handle ? this._reset() : super.resetAndDestroy();
  }

  /**
   * Called when the timer has run out. The worker reads and writes without restarting it, so the time
   * of the last traffic is read now. As with other sockets, a timeout is reported again only after
   * new data.
   */
  _onTimeout() {
    const handle = this._handle;
    if (!handle) return;
    const { timeout } = this;
    const total = handle.bytesRead + handle.bytesWritten;
    const rest = this[kTimedOutAt] === total ? timeout : timeout - handle.idleTime;
    if (rest > 0) {
      restartTimer(this, rest);
      return;
    }
    this[kTimedOutAt] = total;
    restartTimer(this, timeout);
    super._onTimeout();
  }

  /** Encodes strings, too: `net.Socket` leaves that to the handle. */
  _write(data, encoding, callback) {
    const bytes = typeof data === "string" ? Buffer.from(data, encoding) : data;
    this._handle.connection.sendFrame([bytes], callback);
  }
}

DetachedSocket.prototype._writev = null;
DetachedSocket.prototype[kDetached] = true;
// For programs that show or compare the name of the class.
DetachedSocket.prototype.constructor = net.Socket;

/** The members that detached sockets have in front of those of `net.Socket`. */
const OVERRIDDEN = Object.getOwnPropertyNames(DetachedSocket.prototype).filter(
  (name) => name !== "constructor",
);

/**
 * Lets the worker report what it reads, from now on. A listener of our own keeps the stream flowing
 * when others are removed, as that of ws does.
 */
function tap(socket) {
  if (socket[kTapped] || !socket._handle) return;
  socket[kTapped] = true;
  socket._handle.tap();
  net.Socket.prototype.on.call(socket, "data", ignore);
}

function ignore() {}

function restartTimer(socket, milliseconds) {
  const { timeout } = socket;
  net.Socket.prototype.setTimeout.call(socket, milliseconds);
  socket.timeout = timeout;
}

/**
 * Closes the descriptor of a `net.Socket`, of which a worker has a duplicate. The socket goes on to
 * work for all code that uses it; `docs/compatibility.md` lists the differences.
 *
 * @param {import("node:net").Socket} socket
 * @param {import("./connection.js").Connection} connection
 */
function detach(socket, connection) {
  // Node.js reads the addresses once and keeps them.
  void [socket.remoteAddress, socket.localAddress];
  shareNames(socket);
  // Only Node's descriptor is closed; the worker's keeps the connection open.
  serve(socket, adoptHandle(socket._handle, connection), connection);
}

/**
 * Makes a `net.Socket` that has never been connected the one of a connection that a worker has accepted.
 *
 * @param {import("node:net").Socket} socket with a TCP handle that is not open
 * @param {import("./connection.js").Connection} connection
 */
function attach(socket, connection) {
  serve(socket, adoptUnopened(socket._handle, connection), connection);
  // Begins now what `resume()` has scheduled, since the program may pause the socket in this turn.
  socket.read(0);
}

function serve(socket, handle, connection) {
  connection.handle = handle;
  Object.setPrototypeOf(socket, DetachedSocket.prototype);
  // An HTTP server leaves methods of the former prototype on the socket itself.
  for (const name of ["on", "addListener", "prependListener"]) {
    if (Object.hasOwn(socket, name)) socket[name] = DetachedSocket.prototype[name];
  }
  // As with ws, which listens to both.
  if (!socket.listeners("error").includes(ignoreError)) socket.on("error", ignoreError);
  socket.resume();
}

/** The local name of the last socket, as Node.js keeps it. */
let lastLocalName = null;

/** Shares what Node.js keeps about the addresses of a socket with sockets that have the same ones. */
function shareNames(socket) {
  const { _sockname: localName, _peername: peerName } = socket;
  if (peerName?.address) peerName.address = shared(peerName.address);
  if (localName === undefined) return;
  const isSame = (key) => localName[key] === lastLocalName?.[key];
  if (["address", "family", "port"].every(isSame)) socket._sockname = lastLocalName;
  else lastLocalName = localName;
}

/** Returns whether a worker owns the connection of a socket, whose handshake is over. */
function isDetached(socket) {
  return socket[kDetached] === true && pendingConnectionOf(socket) === undefined;
}

/** Returns the connection of a socket whose handshake a worker offers; `undefined` for all others. */
function pendingConnectionOf(socket) {
  const connection = socket[kDetached] === true ? socket._handle?.connection : undefined;
  return connection?.isPending === true ? connection : undefined;
}

/**
 * Returns what Node.js has read behind the request. From Node.js 26 on, `read()` returns one piece
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

/** Passes what the worker has read to the listeners of the socket. */
function handleRead(socket, bytes) {
  if (!socket.destroyed) read(socket, bytes);
}

/** Handles the end of the peer's side: the socket ends its own side, too, as with ws. */
function handlePeerEnd(socket) {
  if (socket.destroyed) return;
  read(socket, null);
  socket.end();
}

/**
 * Handles the end of both sides: the socket closes.
 *
 * @param {import("node:net").Socket} socket
 * @param {boolean} isFirst true if this side ended first
 */
function handleEnd(socket, isFirst) {
  if (socket.destroyed) return;
  if (isFirst && !socket.writableFinished) socket.once("finish", readEnd);
  else read(socket, null);
  socket.end();
  // A socket that is not read to its end does not close by itself.
  if (!socket.readableFlowing) socket.destroySoon();
}

function readEnd() {
  if (!this.destroyed) read(this, null);
}

module.exports = {
  OVERRIDDEN,
  attach,
  detach,
  handleEnd,
  handlePeerEnd,
  handleRead,
  isDetached,
  pendingConnectionOf,
  readInput,
};
