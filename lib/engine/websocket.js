"use strict";

const { nextTick } = require("node:process");
const { ws } = require("../ws-package.js");
const { Connection } = require("./connection.js");
const { detach, pendingConnectionOf, readInput } = require("./detached-socket.js");
const { fallbackReason, reportFallback } = require("./fallback.js");
const { limitWebSocket } = require("./limited-clients.js");
const { patchedReceiver } = require("./patched-receiver.js");
const { closePayload } = require("./payload.js");
const { receiverView } = require("./receiver-view.js");
const { environmentWorkers } = require("./workers.js");
const { receiverMethods, sendMethod, stateMethods } = require("../untouched.js");

const { CLOSED, CLOSING, OPEN } = ws.WebSocket;

/** On a WebSocket: the receiver of ws, or its stand-in. */
const kReceiver = Symbol("receiver");

/** The `_extensions` of all WebSockets on workers without any. */
const NO_EXTENSIONS = Object.freeze({});

/**
 * A server's WebSocket: ws's class, whose connection lives on an I/O worker if possible, else in
 * Node.js. `ws.WebSocket` documents its members, which do the same in both cases.
 *
 * ws constructs it, does the handshake and calls `setSocket()`, which decides. On a worker,
 *   - `_connection` is the connection there, also as `_sender`; commands go to it;
 *   - `_socket` is still the `net.Socket` of the upgrade, detached from its descriptor (see
 *     `detached-socket.js`); the WebSocket's `close` event follows the socket's;
 *   - `websocket-events.js` handles the connection's events.
 *
 * It has the public members of ws and no others, and no `#private` ones: those throw where an
 * application calls methods on a `Proxy` of the WebSocket.
 */
class WebSocket extends ws.WebSocket {
  /**
   * Called by ws.
   *
   * @param {null} address
   * @param {undefined} protocols
   * @param {object} options of the server
   */
  constructor(address, protocols, options) {
    super(address, protocols, options);
    /** @private see `connectionSettings()` */
    this._settings = options.turbo;
    /** @private The connection on a worker; null in Node.js. */
    this._connection = null;
  }

  /** As in ws; for a connection on a worker, the part of it that is possible there. */
  get _receiver() {
    if (this._connection && this[kReceiver] === null) {
      this[kReceiver] = receiverView(this._connection, this._settings.connection.maxPayload);
    }
    return this[kReceiver];
  }

  set _receiver(receiver) {
    this[kReceiver] = receiver;
  }

  /** As in ws: bytes that have been given to `send()` and not to the network. */
  get bufferedAmount() {
    if (this._connection === null) return super.bufferedAmount;
    return this._connection.bufferedAmount;
  }

  /**
   * Called by ws when the response to the upgrade is written.
   *
   * @returns {unknown} what ws returns: nothing, except in a runtime with its own ws
   */
  setSocket(socket, head, options) {
    const pending = pendingConnectionOf(socket);
    if (pending !== undefined) {
      pending.acceptFor(this, negotiatedBy(this));
      this._readyState = OPEN;
      this.emit("open");
      return;
    }
    const reason = fallbackReason(this, socket, options);
    if (reason !== null) {
      return fallBack(this, reason, () => super.setSocket(socket, head, options));
    }
    const input = readInput(socket, head);
    try {
      moveToWorker(this, socket, input);
    } catch {
      return fallBack(this, "resources", () => super.setSocket(socket, input, options));
    }
    this._readyState = OPEN;
    this.emit("open");
  }

  send(data, options, callback) {
    // ws answers for connections in Node.js and for those that are not open. Where an application has
    // patched ws's method, that one gets the message and sends it by `_sender`, which is ours.
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
    announce(this, () => super.close(code, reason));
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
    announce(this, () => super.terminate());
    if (this._readyState === CLOSED) return;
    this._readyState = CLOSING;
    this._socket.destroy();
  }

  pause() {
    setPaused(this, true, () => super.pause());
  }

  resume() {
    setPaused(this, false, () => super.resume());
  }

  /** Called by ws, and by the socket's handle when the socket has closed. */
  emitClose() {
    if (this._connection === null) {
      super.emitClose();
    } else {
      this._readyState = CLOSED;
      this.emit("close", this._closeCode, this._closeMessage);
    }
  }
}

/** Replaces values that are the same for all WebSockets on workers by shared ones. */
function shareFields(websocket) {
  // Called by ws's own Receiver only: workers answer pings.
  if (websocket._autoPongComplete !== undefined) websocket._autoPongComplete = ignore;
}

/**
 * Returns what a WebSocket has negotiated. WebSockets with the same share it.
 *
 * @returns {{ extensions: object, connection: object }} `connection` as `NativeConnectionOptions` in
 *   binding.d.ts
 */
function negotiatedBy({ _extensions: extensions, _settings: { compression, connection } }) {
  if (Object.keys(extensions).length > 0) return compression.share(extensions);
  return { extensions: NO_EXTENSIONS, connection };
}

function ignore() {}

/** Leaves a connection to ws, whose `setSocket()` is `call`. */
function fallBack(websocket, reason, call) {
  reportFallback(reason);
  if (websocket._settings.connection.isTextAsString) websocket.emit = emitTextAsString;
  if (websocket._settings.rateLimit !== undefined) limitWebSocket(websocket);
  return call();
}

/**
 * Gives the connection of a socket to a worker.
 *
 * @param {WebSocket} websocket
 * @param {import("node:net").Socket} socket
 * @param {Buffer} input what Node.js has read behind the request
 * @throws {Error} when descriptors or threads have run out; nothing has changed then
 */
function moveToWorker(websocket, socket, input) {
  socket.setTimeout(0);
  socket.setNoDelay();
  const connection = new Connection(websocket, websocket._settings);
  const { ioThreads } = websocket._settings;
  const negotiated = negotiatedBy(websocket);
  connection.open(environmentWorkers(), socket._handle, input, negotiated.connection, ioThreads);
  connect(websocket, connection, socket, negotiated.extensions);
  detach(socket, connection);
  if (!receiverMethods.areUntouched) connection.receiver = patchedReceiver(websocket);
}

/**
 * Returns the WebSocket of a connection that a worker has accepted itself.
 *
 * @param {import("./connection.js").Connection} connection that is open
 * @param {object} options of the server
 * @param {import("node:net").Socket} socket a detached one
 * @param {object} extensions as negotiated
 * @returns {WebSocket}
 */
function acceptedWebSocket(connection, options, socket, extensions) {
  const websocket = new WebSocket(null, undefined, options);
  connect(websocket, connection, socket, extensions);
  websocket._readyState = OPEN;
  return websocket;
}

/** Sets what a WebSocket knows of its connection. */
function connect(websocket, connection, socket, extensions) {
  websocket._extensions = extensions;
  websocket._socket = socket;
  websocket._sender = connection;
  websocket._connection = connection;
  shareFields(websocket);
}

/** Pauses or resumes a WebSocket; `call` is ws's method. */
function setPaused(websocket, isPaused, call) {
  if (websocket._connection === null) {
    call();
    return;
  }
  announce(websocket, call);
  if (websocket._readyState === CLOSED) return;
  websocket._paused = isPaused;
  if (isPaused) websocket._socket.pause();
  else websocket._socket.resume();
}

/**
 * Calls a method of ws that an application has patched, so that it sees the call. The method itself
 * does nothing, as the WebSocket looks closed meanwhile: its work is done here.
 */
function announce(websocket, call) {
  if (stateMethods.areUntouched) return;
  const { _readyState } = websocket;
  websocket._readyState = CLOSED;
  try {
    call();
  } finally {
    websocket._readyState = _readyState;
  }
}

/** The worker has the close frame, behind all that was sent before. */
function handleCloseSent(websocket) {
  websocket._closeFrameSent = true;
}

/** Replaces `emit()` where text messages are to be strings: ws emits Buffers. */
function emitTextAsString(event, ...args) {
  if (event === "message" && !args[1] && Buffer.isBuffer(args[0])) args[0] = String(args[0]);
  return ws.WebSocket.prototype.emit.call(this, event, ...args);
}

module.exports = { NO_EXTENSIONS, WebSocket, acceptedWebSocket, connect };
