"use strict";

const net = require("node:net");
const { adoptHandle } = require("./connection-handle.js");
const { ignoreError } = require("./upgrade-guard.js");

/** On the prototype of such sockets, also of other copies of this package. */
const kDetached = Symbol.for("socket.io-turbo.detached");

/** On a socket with a timeout: the bytes that had come and gone at the last `timeout` event. */
const kTimedOutAt = Symbol("timedOutAt");

/** On a socket whose data somebody has asked for. */
const kTapped = Symbol("tapped");

/** Events for which a listener has to get what is read. */
const READING = ["data", "readable"];

const read = (socket, chunk) => net.Socket.prototype.push.call(socket, chunk);

/**
 * The prototype of a `net.Socket` whose connection a worker owns; no instance is constructed.
 * `net.Socket` goes on to do all that goes by its handle, see `connection-handle.js`. Here is the
 * rest: where it relies on what native code tells it beside the handle, or where what JavaScript
 * sees of the stream is not what the worker does.
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

  /** Stops the worker, too, and the WebSocket's messages. */
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

  /** Bytes that are put back, or in, go to the WebSocket, as with ws. */
  push(chunk, encoding) {
    if (chunk === null) return super.push(chunk);
    this._handle?.input(typeof chunk === "string" ? Buffer.from(chunk, encoding) : chunk);
    return this.readableFlowing;
  }

  unshift(chunk, encoding) {
    return this.push(chunk, encoding);
  }

  /** Bytes that wait for the network, those of the WebSocket included. */
  get writableLength() {
    return Math.max(super.writableLength, this._handle?.writeQueueSize ?? 0);
  }

  get writableNeedDrain() {
    return super.writableNeedDrain || Boolean(this._handle?.isBlocked);
  }

  /** `net.Socket` takes a reset from handles of Node.js only. */
  resetAndDestroy() {
    return this._handle ? this._reset() : super.resetAndDestroy();
  }

  /**
   * The timer has run out. Data comes and goes without restarting it, so it is asked now when
   * that was. As with other sockets, a timeout is reported again only after new data.
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

  /** Strings come as they are: `net.Socket` leaves their encoding to the handle. */
  _write(data, encoding, callback) {
    const bytes = typeof data === "string" ? Buffer.from(data, encoding) : data;
    this._handle.connection.sendFrame([bytes], callback);
  }
}

DetachedSocket.prototype._writev = null;
DetachedSocket.prototype[kDetached] = true;
// Its name, where one is shown or compared.
DetachedSocket.prototype.constructor = net.Socket;

/**
 * Has the worker report what it reads, from now on. Where listeners come and go, a listener of
 * our own keeps the stream flowing, as that of ws does.
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
 * Separates a `net.Socket` from its descriptor, of which a worker has a duplicate. The socket
 * remains what it was for everyone who has it: `docs/compatibility.md` lists what differs.
 *
 * @param {import("node:net").Socket} socket
 * @param {import("./connection.js").Connection} connection
 */
function detach(socket, connection) {
  // Node.js reads the addresses once and keeps them.
  void [socket.remoteAddress, socket.localAddress];
  // The connection goes on: only this descriptor of it is closed.
  connection.handle = adoptHandle(socket._handle, connection);
  Object.setPrototypeOf(socket, DetachedSocket.prototype);
  // An HTTP server leaves methods of the former prototype on the socket itself.
  for (const name of ["on", "addListener", "prependListener"]) {
    if (Object.hasOwn(socket, name)) socket[name] = DetachedSocket.prototype[name];
  }
  // As with ws, which listens to both.
  if (!socket.listeners("error").includes(ignoreError)) socket.on("error", ignoreError);
  socket.resume();
}

/** @returns {boolean} whether a worker has the connection of this socket */
function isDetached(socket) {
  return socket[kDetached] === true;
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

/** Gives what the worker has read to the listeners of the socket. */
function handleRead(socket, bytes) {
  if (!socket.destroyed) read(socket, bytes);
}

/** The peer sends nothing more: the socket ends its own side, too, as with ws. */
function handlePeerEnd(socket) {
  if (socket.destroyed) return;
  read(socket, null);
  socket.end();
}

/**
 * Both sides have ended the connection.
 *
 * @param {import("node:net").Socket} socket
 * @param {boolean} isFirst whether it was this side that ended first
 */
function handleEnd(socket, isFirst) {
  if (socket.destroyed) return;
  if (isFirst && !socket.writableFinished) socket.once("finish", readEnd);
  else read(socket, null);
  socket.end();
  // Where nobody reads to the end, the socket does not close by itself.
  if (!socket.readableFlowing) socket.destroySoon();
}

function readEnd() {
  if (!this.destroyed) read(this, null);
}

module.exports = { detach, handleEnd, handlePeerEnd, handleRead, isDetached, readInput };
