"use strict";

const { constants } = require("node:os");
const { nextTick } = require("node:process");
const { BYTES_READ, BYTES_WRITTEN, DESCRIPTOR, IDLE } = require("../addon/codes.js").Traffic;
const { NotPossibleError } = require("../errors.js");

/** Returned by `shutdown()` if it is done, so that no completion follows. */
const DONE_AT_ONCE = 1;

const HANDED_OVER =
  "an I/O thread serves this connection: its socket cannot be sent to another process. " +
  "Send it from a listener of the server's upgrade event, before Socket.IO has taken it";

const WRAPPED =
  "an I/O thread serves this connection: its socket cannot become the transport of another " +
  "protocol in native code. Give the other protocol a stream.Duplex that passes its data on";

/**
 * Emulates the handle of a `net.Socket` whose connection a worker owns: the methods and
 * properties that Node.js 20 to 26 uses of a handle, so that `net.Socket` itself does what it
 * does with sockets of its own.
 *
 * No instance is constructed. `adoptHandle()` makes one out of the TCP handle that the socket
 * had, once that is closed. Native code of Node.js that gets such an object finds a handle that
 * is closed, and reports an error; a plain object in its place ends the process.
 *
 * Methods return 0, or the negative number of an error of the system, as those of Node's handles.
 */
class ConnectionHandle {
  get socket() {
    return this.connection.websocket._socket;
  }

  /** `net.Socket` replaces it when it closes its handle, `process.send()` when it sends it. */
  get onread() {
    return ignore;
  }
  set onread(_listener) {
    if (this.onclose !== undefined) return;
    undoSending(this.socket.server);
    throw new NotPossibleError(HANDED_OVER);
  }

  /**
   * Read before native code gets the handle: by HTTP, which goes on with the socket's events if
   * it is false, and by others, which do not.
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
    return this.connection.websocket.bufferedAmount;
  }

  /** Returns whether more bytes wait than `highWaterMark`. */
  get isBlocked() {
    return this.connection.backlog > 0;
  }

  /** Milliseconds since bytes last came or went. */
  get idleTime() {
    return this.traffic[IDLE];
  }

  /** The worker's counters; the last ones, when the connection is over. */
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

  /** Ends the connection; what was sent before goes as far as the kernel takes it. */
  close(callback) {
    end(this, callback, false);
  }

  /** Ends the connection by a reset. */
  reset(callback) {
    end(this, callback, true);
    return 0;
  }

  /**
   * To be called when the connection is over.
   *
   * @returns {boolean} whether its socket was waiting for that
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

  setReferenced(isReferenced) {
    if (this.isReferenced === isReferenced || this.lastTraffic !== undefined) return;
    this.isReferenced = isReferenced;
    this.connection.setReferenced(isReferenced);
  }

  /** To be called before the connection's id may be another's. */
  release() {
    this.setReferenced(false);
    this.lastTraffic = this.connection.traffic();
  }

  /** `net.Socket` has kept the addresses, where the kernel gave them. */
  getsockname() {
    return -constants.errno.ENOTCONN;
  }

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

  /** Reports to the socket what the peer sends, too. */
  tap() {
    this.connection.command("tap", true);
  }

  /** Lets the worker read `bytes` as if the peer had sent them. */
  input(bytes) {
    this.connection.command("input", bytes);
  }
}

/** Of each handle, until it is changed: few connections need a field of their own. */
Object.assign(ConnectionHandle.prototype, {
  /** The callback of `close()` or `reset()`. */
  onclose: undefined,
  isReferenced: true,
  lastTraffic: undefined,
});

function end(handle, callback = ignore, isReset) {
  if (handle.onclose !== undefined) return;
  handle.onclose = callback;
  const { connection } = handle;
  if (connection.endError === null) connection.terminate(isReset);
  // Two ticks: an error of the socket is emitted in the next one, and first.
  else nextTick(nextTick, finish, handle);
}

/**
 * Reports the end to the listeners of the socket and of the WebSocket. As with ws, whose listener
 * is the socket's first: the WebSocket's come first unless something may still have to be read.
 */
function finish(handle) {
  const { websocket } = handle.connection;
  const isFirst = websocket.hasReadAll;
  try {
    if (isFirst) websocket.emitClose();
    handle.onclose();
  } finally {
    if (!isFirst) websocket.emitClose();
  }
}

function ignore() {}

/**
 * Undoes what `process.send()` has done to the server of a socket before it took its handle:
 * counted it out, and made the other process known as one that has connections of the server.
 */
function undoSending(server) {
  if (!server) return;
  server._connections++;
  const list = server._workers?.at(-1);
  list?.emit("exit", list);
  // With this set and no such process, `close()` and `getConnections()` would wait for ever.
  server._usingWorkers = server._workers?.length > 0;
}

function handleClosed() {
  this.connection.handleDetached();
}

/**
 * Closes the TCP handle of a socket, and makes of it the handle of its connection on a worker.
 *
 * @param {object} handle
 * @param {import("./connection.js").Connection} connection
 * @returns {ConnectionHandle}
 */
function adoptHandle(handle, connection) {
  handle.close(handleClosed);
  Object.setPrototypeOf(handle, ConnectionHandle.prototype);
  handle.connection = connection;
  return handle;
}

module.exports = { adoptHandle };
