"use strict";

const { constants } = require("node:os");
const { nextTick } = require("node:process");
const ws = require("ws");
const { Connection } = require("./connection.js");
const { detach, handleEnd, handlePeerEnd, handleRead, readInput } = require("./detached-socket.js");
const { environmentWorkers } = require("./workers.js");
const { inboundOf } = require("./inbound.js");
const { receiverView } = require("./receiver-view.js");
const { fallbackReason, reportFallback } = require("./fallback.js");
const { receiverMethods, sendMethod, stateMethods } = require("../untouched.js");

const { CLOSED, CLOSING, OPEN } = ws.WebSocket;

/** RFC 6455 §7.4.1: the peer's close frame had no code. */
const NO_STATUS = 1005;

const EMPTY = Buffer.alloc(0);

/** On a WebSocket: the receiver of ws, or what stands for it. */
const kReceiver = Symbol("receiver");

/**
 * A server's WebSocket: that of ws, whose connection lives on an I/O worker where that is
 * possible, and else in Node.js. `ws.WebSocket` documents its members; they do the same
 * in both cases.
 *
 * `_socket` is the `net.Socket` on which the upgrade came; see `detached-socket.js`.
 */
class WebSocket extends ws.WebSocket {
  /**
   * As ws calls it.
   *
   * @param {null} address
   * @param {undefined} protocols
   * @param {object} options those of the server
   */
  constructor(address, protocols, options) {
    super(address, protocols, options);
    this._settings = options.turbo;
    this._connection = null;
    /** Hands messages on instead, where somebody has changed how ws's receiver does so. */
    this._inbound = null;
  }

  /** As in ws; for a connection on a worker, what can be done with it there. */
  get _receiver() {
    if (this._connection && this[kReceiver] === null) {
      this[kReceiver] = receiverView(this._connection, this._settings.connection.maxPayload);
    }
    return this[kReceiver];
  }

  set _receiver(receiver) {
    this[kReceiver] = receiver;
  }

  get isOpen() {
    return this._readyState === OPEN;
  }

  /** As in ws: bytes that have been given to `send()` and not to the network. */
  get bufferedAmount() {
    if (this._connection === null) return super.bufferedAmount;
    return Math.max(this._connection._bufferedBytes, this._connection.backlog);
  }

  /**
   * Called by ws when the response to the upgrade is written.
   *
   * @returns {unknown} what ws returns: nothing, but where the runtime has a ws of its own
   */
  setSocket(socket, head, options) {
    const reason = fallbackReason(this, socket, options);
    if (reason !== null) return this.fallBack(reason, socket, head, options);
    const input = readInput(socket, head);
    try {
      this.takeOver(socket, input);
    } catch {
      return this.fallBack("resources", socket, input, options);
    }
    this._readyState = OPEN;
    this.emit("open");
  }

  /** Leaves the connection to ws. */
  fallBack(reason, socket, head, options) {
    reportFallback(reason);
    if (this._settings.connection.isTextAsString) this.emit = emitTextAsString;
    return super.setSocket(socket, head, options);
  }

  /**
   * Gives the connection of `socket` to a worker.
   *
   * @throws {Error} when descriptors or threads have run out; then it is as it was
   */
  takeOver(socket, input) {
    socket.setTimeout(0);
    socket.setNoDelay();
    const connection = new Connection(this);
    connection.open(environmentWorkers(), socket._handle, input, this._settings);
    this._socket = socket;
    this._sender = connection;
    this._connection = connection;
    detach(socket, connection);
    if (!receiverMethods.areUntouched) this._inbound = inboundOf(this);
  }

  send(data, options, callback) {
    // ws answers for connections of its own, and for those that are not open; where somebody has
    // put a method in front of this, it hands ours what it is to send.
    if (this._connection === null || this._readyState !== OPEN || !sendMethod.areUntouched) {
      super.send(data, options, callback);
    } else if (typeof options === "function") {
      this._connection.send(typeof data === "number" ? String(data) : data, undefined, options);
    } else {
      this._connection.send(typeof data === "number" ? String(data) : data, options, callback);
    }
  }

  close(code, reason) {
    if (this._connection === null) {
      super.close(code, reason);
      return;
    }
    const payload = this._readyState === OPEN ? closePayload(code, reason) : null;
    this.announce(() => super.close(code, reason));
    if (payload !== null) {
      this._readyState = CLOSING;
      this._connection.close(payload);
      // The peer's answer is not held back.
      this._connection.pause(false);
      nextTick(handleCloseSent, this);
    }
  }

  terminate() {
    if (this._connection === null) {
      super.terminate();
      return;
    }
    this.announce(() => super.terminate());
    if (this._readyState === CLOSED) return;
    this._readyState = CLOSING;
    this._socket.destroy();
  }

  pause() {
    this.setPaused(true);
  }

  resume() {
    this.setPaused(false);
  }

  setPaused(isPaused) {
    const change = isPaused ? () => super.pause() : () => super.resume();
    if (this._connection === null) {
      change();
      return;
    }
    this.announce(change);
    if (this._readyState !== CLOSED) {
      this._paused = isPaused;
      if (isPaused) this._socket.pause();
      else this._socket.resume();
    }
  }

  /**
   * Calls a method of ws whose work is done here, for who has put another in front of it. Itself it
   * does nothing: not where the connection is over.
   */
  announce(call) {
    if (stateMethods.areUntouched) return;
    const { _readyState } = this;
    this._readyState = CLOSED;
    try {
      call();
    } finally {
      this._readyState = _readyState;
    }
  }

  /** A message has come: text as a string or Buffer, as the server is set; binary as a Buffer. */
  handleMessage(message, isBinary) {
    const source = this._inbound ?? this;
    source.emit("message", isBinary ? this.binaryMessage(message) : message, isBinary);
  }

  binaryMessage(message) {
    switch (this._binaryType) {
      case "arraybuffer":
        return arrayBufferOf(message);
      case "fragments":
        return [message];
      case "blob":
        return new Blob([message]);
      default:
        return message;
    }
  }

  /** The peer's close frame; ours answers it unless it has been sent. */
  handleClose(code, reason) {
    this._closeFrameReceived = true;
    this._closeCode = code;
    if (reason.length > 0) this._closeMessage = reason;
    if (code === NO_STATUS) this.close();
    else this.close(code, reason);
  }

  /**
   * The connection cannot go on.
   *
   * @param {Error} error
   * @param {number} closeCode 0 where the worker has ended it already
   */
  handleFailure(error, closeCode) {
    if (closeCode === 0) this._readyState = CLOSING;
    else this.close(closeCode);
    if (this._errorEmitted) return;
    this._errorEmitted = true;
    this.emit("error", error);
  }

  handleRaw(bytes) {
    handleRead(this._socket, bytes);
  }

  /** The peer sends nothing more. */
  handlePeerEnd() {
    this._readyState = CLOSING;
    handlePeerEnd(this._socket);
  }

  /** Nothing more can be sent. */
  handleClosing() {
    this._readyState = CLOSING;
  }

  /**
   * The connection is over. The `close` event follows that of the socket.
   *
   * @param {string} reason one of `END_REASONS` in addon/codes.js
   * @param {string} systemError such as "ECONNRESET"; empty if there was none
   */
  handleEnd(reason, systemError) {
    if (this._connection.handle.handleEnd()) return;
    const isOurs = reason === "closed";
    if (isOurs || reason === "peerEnded") handleEnd(this._socket, isOurs);
    else this._socket.destroy(systemError ? readError(systemError) : undefined);
  }

  /** Returns whether the peer cannot have anything more to say. */
  get hasReadAll() {
    return this._closeFrameReceived || this._errorEmitted || this._socket.readableEnded;
  }

  /** Called by the handle of the socket, beside the socket's own `close` event. */
  emitClose() {
    if (this._connection === null) {
      super.emitClose();
    } else {
      this._readyState = CLOSED;
      this.emit("close", this._closeCode, this._closeMessage);
    }
  }
}

/** The close frame has gone to the worker, after what was sent before. */
function handleCloseSent(websocket) {
  websocket._closeFrameSent = true;
}

/** As Node.js reports it. */
function readError(code) {
  const errno = -constants.errno[code];
  return Object.assign(new Error(`read ${code}`), { errno, code, syscall: "read" });
}

/** In the place of `emit()` where text is to be strings: ws emits Buffers. */
function emitTextAsString(event, ...args) {
  if (event === "message" && !args[1] && Buffer.isBuffer(args[0])) args[0] = String(args[0]);
  return ws.WebSocket.prototype.emit.call(this, event, ...args);
}

function arrayBufferOf({ buffer, byteOffset, byteLength }) {
  if (byteLength === buffer.byteLength) return buffer;
  return buffer.slice(byteOffset, byteOffset + byteLength);
}

/**
 * RFC 6455 §5.5.1: the payload of a close frame.
 *
 * @throws {TypeError | RangeError} with the texts of ws
 */
function closePayload(code, reason) {
  if (code === undefined) return EMPTY;
  if (typeof code !== "number" || !isCloseCode(code)) {
    throw new TypeError("First argument must be a valid error code number");
  }
  const text = reason?.length ? reasonBytes(reason) : EMPTY;
  // RFC 6455 §5.5: control frames carry at most 125 bytes.
  if (text.length > 123) throw new RangeError("The message must not be greater than 123 bytes");
  const payload = Buffer.alloc(2 + text.length);
  payload.writeUInt16BE(code);
  payload.set(text, 2);
  return payload;
}

function reasonBytes(reason) {
  if (typeof reason === "string") return Buffer.from(reason);
  if (reason instanceof Uint8Array) return reason;
  throw new TypeError("Second argument must be a string or a Uint8Array");
}

/** RFC 6455 §7.4: as `CloseCode` in src/proto/websocket. */
function isCloseCode(code) {
  const isRegistered = code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code);
  return isRegistered || (code >= 3000 && code <= 4999);
}

module.exports = { WebSocket };
