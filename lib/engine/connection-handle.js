"use strict";

const { constants } = require("node:os");
const { nextTick } = require("node:process");
const { BYTES_READ, BYTES_WRITTEN, DESCRIPTOR, IDLE } = require("../addon/codes.js").Traffic;
const { NotPossibleError } = require("../errors.js");

/** Returned by `shutdown()` if it is complete: no callback follows. */
const DONE_AT_ONCE = 1;

const HANDED_OVER =
  "an I/O thread serves this connection: its socket cannot be sent to another process. " +
  "Send it in a listener of the HTTP server's upgrade event, before Socket.IO handles the upgrade";

const WRAPPED =
  "an I/O thread serves this connection: its socket cannot become the transport of another " +
  "protocol in native code. Give that protocol a stream.Duplex that passes the data on";

/**
 * Emulates the handle of a `net.Socket` whose connection a worker owns: the methods and
 * properties of a handle that Node.js 20 to 26 uses, so that `net.Socket` itself does what it
 * does with other sockets. Each passes the call on to the `Connection`.
 *
 * No instance is constructed: `adoptHandle()` closes the TCP handle of the socket and changes its
 * prototype. It has to be that object. Native code of Node.js finds a closed handle in it and reports
 * an error, where a plain object ends the process. For the same reason nothing here is `#private`.
 *
 * As in Node's handles, methods return 0 or the negative number of a system error.
 *
 * The end of a connection reaches its socket in one of two orders:
 *   - the socket is closed first, by `close()` or `reset()`: the worker terminates the connection, and the
 *     callback is called when `handleEnd()` reports that its descriptor is closed;
 *   - the connection ends first: `handleEnd()` returns false, the socket is ended or destroyed for
 *     that reason, and calls `close()`.
 */
class ConnectionHandle {
  /** @private */
  get socket() {
    return this.connection.socket;
  }

  /** Set by `net.Socket` when it closes its handle, and by `process.send()` when it sends it. */
  get onread() {
    return ignore;
  }
  set onread(_listener) {
    if (this.onclose !== undefined) return;
    undoSending(this.socket.server);
    throw new NotPossibleError(HANDED_OVER);
  }

  /**
   * Read before the handle is given to native code: by HTTP, which uses the socket's events if it is
   * false, and by other protocols, which do not.
   */
  get isStreamBase() {
    if (this.socket.parser) return false;
    throw new NotPossibleError(WRAPPED);
  }

  /** The worker's descriptor; -1 when the connection is over. */
  get fd() {
    return this.lastTraffic === undefined ? this.traffic[DESCRIPTOR] : -1;
  }

  get bytesRead() {
    return this.traffic[BYTES_READ];
  }

  get bytesWritten() {
    return this.traffic[BYTES_WRITTEN];
  }

  /** Bytes that wait for the network. */
  get writeQueueSize() {
    return this.connection.bufferedAmount;
  }

  /** @private Returns whether more bytes wait than `highWaterMark`. */
  get isBlocked() {
    return this.connection.backlog > 0;
  }

  /** @private Milliseconds since bytes were last read or written. */
  get idleTime() {
    return this.traffic[IDLE];
  }

  /** @private The worker's counters; the last ones, when the connection is over. */
  get traffic() {
    return this.lastTraffic ?? this.connection.traffic();
  }

  getAsyncId() {
    const { socket } = this;
    const key = Object.getOwnPropertySymbols(socket).find(
      ({ description }) => description === "async_id_symbol",
    );
    return socket[key];
  }

  readStart() {
    this.connection.pause(false);
    return 0;
  }

  readStop() {
    this.connection.pause(true);
    return 0;
  }

  shutdown() {
    this.connection.end();
    return DONE_AT_ONCE;
  }

  /** Ends the connection. Of what was sent before, the kernel gets as much as it takes. */
  close(callback) {
    end(this, callback, false);
  }

  /** Ends the connection by a reset. */
  reset(callback) {
    end(this, callback, true);
    return 0;
  }

  /**
   * The connection is over.
   *
   * @private for `websocket-events.js`
   * @returns {boolean} true if its socket waited for that, and is closed now
   */
  handleEnd() {
    if (this.onclose !== undefined) finish(this);
    return this.onclose !== undefined;
  }

  ref() {
    this.setReferenced(true);
  }

  unref() {
    this.setReferenced(false);
  }

  hasRef() {
    return this.isReferenced;
  }

  /** @private */
  setReferenced(isReferenced) {
    if (this.isReferenced === isReferenced || this.lastTraffic !== undefined) return;
    this.isReferenced = isReferenced;
    this.connection.setReferenced(isReferenced);
  }

  /** @private for `Connection`: keeps the last counters, before the id may be reused */
  release() {
    this.setReferenced(false);
    this.lastTraffic = this.connection.traffic();
  }

  /** Asks the kernel. Of a connection that has been taken over, `net.Socket` has kept the answer. */
  getsockname(result) {
    const address = this.connection.localAddress();
    if (address === null) return -constants.errno.ENOTCONN;
    Object.assign(result, address);
    return 0;
  }

  /** `net.Socket` has kept the address; see `detach()` and `server/request-socket.js`. */
  getpeername() {
    return -constants.errno.ENOTCONN;
  }

  connect() {
    return -constants.errno.EISCONN;
  }

  connect6() {
    return -constants.errno.EISCONN;
  }

  bind() {
    return -constants.errno.EINVAL;
  }

  bind6() {
    return -constants.errno.EINVAL;
  }

  setNoDelay(isEnabled) {
    return this.connection.command("setNoDelay", isEnabled);
  }

  setKeepAlive(isEnabled, delay = 0, interval = 0, count = 0) {
    return this.connection.command("setKeepAlive", isEnabled, delay, interval, count);
  }

  setTypeOfService(value) {
    return this.connection.command("setTypeOfService", value);
  }

  /** The same by the names of Bun. */
  resume() {
    return this.readStart();
  }

  pause() {
    return this.readStop();
  }

  terminate() {
    return this.reset();
  }

  get localAddress() {
    return this.connection.localAddress()?.address;
  }

  get localFamily() {
    return this.connection.localAddress()?.family;
  }

  get localPort() {
    return this.connection.localAddress()?.port;
  }

  /** @private for `DetachedSocket`: lets the worker report what it reads to the socket, too */
  tap() {
    this.connection.command("tap", true);
  }

  /** @private for `DetachedSocket`: lets the worker decode `bytes` as if the peer had sent them */
  input(bytes) {
    this.connection.command("input", bytes);
  }
}

/** On the prototype until they are set: few handles need own properties. */
Object.assign(ConnectionHandle.prototype, {
  /** The callback of `close()` or `reset()`. */
  onclose: undefined,
  isReferenced: true,
  /** The counters when the connection ended. */
  lastTraffic: undefined,
});

/** Ends the connection of a handle, once; `callback` is called when it is over. */
function end(handle, callback = ignore, isReset) {
  if (handle.onclose !== undefined) return;
  handle.onclose = callback;
  const { connection } = handle;
  if (connection.endError === null) connection.terminate(isReset);
  // Two ticks: an error of the socket is emitted in the next one, and first.
  else nextTick(nextTick, finish, handle);
}

/**
 * Reports the end to the listeners of the socket and of the WebSocket. Those of the WebSocket come
 * first, unless something may still have to be read: with ws, its listener is the first of the socket's.
 */
function finish(handle) {
  const { websocket } = handle.connection;
  // A handshake that was refused has none.
  const isFirst = websocket !== null && hasReadAll(websocket);
  try {
    if (isFirst) websocket.emitClose();
    handle.onclose();
  } finally {
    if (!isFirst) websocket?.emitClose();
  }
}

/** Returns whether the WebSocket has got all that its peer may have sent. */
function hasReadAll({ _closeFrameReceived, _errorEmitted, _socket }) {
  return _closeFrameReceived || _errorEmitted || _socket.readableEnded;
}

function ignore() {}

/**
 * Undoes what `process.send()` has done to the server of a socket before it took the handle: it has
 * counted the connection out, and registered the other process as one with connections of the server.
 */
function undoSending(server) {
  if (!server) return;
  server._connections++;
  const list = server._workers?.at(-1);
  list?.emit("exit", list);
  // If this is set and there is no such process, `close()` and `getConnections()` wait for ever.
  server._usingWorkers = server._workers?.length > 0;
}

function handleClosed() {
  this.connection.handleDetached();
}

/**
 * Closes the TCP handle of a socket and turns it into the handle of its connection on a worker.
 *
 * @param {object} handle
 * @param {import("./connection.js").Connection} connection
 * @returns {ConnectionHandle}
 */
function adoptHandle(handle, connection) {
  handle.close(handleClosed);
  return emulate(handle, connection);
}

/** Does the same with a TCP handle that has never been open, for a connection that a worker has accepted. */
function adoptUnopened(handle, connection) {
  handle.close();
  return emulate(handle, connection);
}

function emulate(handle, connection) {
  Object.setPrototypeOf(handle, ConnectionHandle.prototype);
  handle.connection = connection;
  return handle;
}

module.exports = { adoptHandle, adoptUnopened };
