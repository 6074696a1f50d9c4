"use strict";

const { nextTick } = require("node:process");
// Taken now: test tools replace that of the global object with one that stands still.
const { setImmediate } = require("node:timers");
const { WebSocket } = require("../ws-package.js").ws;
const { kEngineMethods } = require("../adapter/packet-route.js");
const { HeartbeatStep } = require("../addon/codes.js");
const { Connection } = require("../engine/connection.js");
const { patchedReceiver } = require("../engine/patched-receiver.js");
const { newContext } = require("../engine/contexts.js");
const detached = require("../engine/detached-socket.js");
const { closePayload } = require("../engine/payload.js");
const websocketEvents = require("../engine/websocket-events.js");
const { acceptedWebSocket, connect } = require("../engine/websocket.js");
const { environmentWorkers } = require("../engine/workers.js");
const { expand, receive } = require("./engine-socket.js");
const { ConnectionEndedError } = require("../errors.js");
const { endingMethods, receiverMethods } = require("../untouched.js");

const { CLOSED, CLOSING } = WebSocket;

/** RFC 6455 §7.4.1: the peer's close frame had no code. */
const NO_STATUS = 1005;

/** The status and the headers of each response of ws, in front of all others. */
const LINES_OF_WS = 4;

const EMPTY = Buffer.alloc(0);

const NO_DESCRIPTOR = -1;

/**
 * A connection whose handshake a worker offers, and which the worker keeps if it is accepted.
 *
 * While it is *pending*, the program may decide on it, and may write to its socket; `accept()` or
 * `refuse()` ends that.
 *
 * While its Engine.IO socket is *lean*, it has no WebSocket and no transport, and stands for the transport:
 * `writable`, `listenerCount()` and `expand()` are for its `PacketRoute`. Whatever needs the WebSocket reads
 * `websocket`, which makes it, and everything else that a connection has whose upgrade Node.js has handled.
 */
class LeanConnection extends Connection {
  /** True until it is accepted or refused. */
  isPending = true;
  /** As the transport's: false while packets are in flight. */
  writable = true;
  /** The Engine.IO socket while it is lean. @type {object | null} */
  conn = null;
  /** Of the request. @type {import("node:net").Socket | null} */
  socket = null;

  /**
   * @param {import("./listener.js").NativeListener} listener
   * @param {object} offer
   * @param {object} options of the WebSocket server
   */
  constructor(listener, offer, options) {
    super(null, options.turbo);
    this.listener = listener;
    /** @private The listener's offer, while it is pending; then the extensions. */
    this.offer = offer;
    this.options = options;
    this.context = newContext();
  }

  // --- The handshake

  /**
   * @param {object} negotiated `Negotiated`
   * @param {string} lines of headers
   */
  accept({ connection, extensions, header }, lines) {
    const { listener, offer } = this;
    this.id = listener.accept(offer, this, connection, header + lines);
    this.isPending = false;
    this.offer = extensions;
    this.workers = environmentWorkers();
    this.workers.scheduleFlush();
  }

  /**
   * Accepts it for a WebSocket that ws has made, and whose response ws has written to the socket.
   *
   * @param {import("../engine/websocket.js").WebSocket} websocket
   * @param {{ extensions: object, connection: object }} negotiated
   */
  acceptFor(websocket, { extensions, connection }) {
    const lines = this.#takeWritten().split("\r\n").slice(LINES_OF_WS, -2);
    const header = lines.map((line) => `${line}\r\n`).join("");
    this.accept({ connection, extensions, header }, "");
    connect(websocket, this, this.socket, extensions);
    this.#use(websocket);
  }

  /** @param {string} response latin1 text; nothing for none */
  refuse(response) {
    this.#answer(response);
    if (this.handle !== null) this.socket.destroy();
  }

  #answer(response) {
    this.isPending = false;
    this.endError = new ConnectionEndedError("closed", "");
    // The socket will count itself out.
    if (this.handle !== null) this.listener.server._connections++;
    this.listener.refuse(this.offer, response);
  }

  #takeWritten() {
    const { written } = this;
    this.written = [];
    return Buffer.concat(written).latin1Slice();
  }

  // --- Use of the socket by a program, while it is pending

  sendFrame(list, callback) {
    if (!this.isPending) {
      super.sendFrame(list, callback);
      return;
    }
    this.written = [...this.written, ...list];
    if (callback) nextTick(callback, null);
  }

  end() {
    if (!this.isPending) {
      super.end();
      return;
    }
    this.#answer(this.#takeWritten());
    setImmediate(() => detached.handleEnd(this.socket, true));
  }

  terminate(isReset) {
    if (!this.isPending) {
      super.terminate(isReset);
      return;
    }
    this.#answer(this.#takeWritten());
    // Two ticks: an error of the socket is emitted in the next one, and first.
    nextTick(nextTick, handleTerminated, this);
  }

  command(name, ...values) {
    return this.isPending ? 0 : super.command(name, ...values);
  }

  setReferenced(isReferenced) {
    if (this.workers !== null) super.setReferenced(isReferenced);
  }

  // --- Members of a transport, for the route

  /** The connection that the route sends to. */
  get connection() {
    return this;
  }

  get transportPrototype() {
    return this.conn.transportPrototype;
  }

  get socketPrototype() {
    return this.conn[kEngineMethods];
  }

  /** Returns 0: no program has seen the transport. */
  listenerCount() {
    return 0;
  }

  /** Makes the Engine.IO socket one of engine.io. */
  expand() {
    if (this.conn !== null) expand(this.conn);
  }

  // --- The WebSocket

  /** True until the WebSocket is made. */
  get isLean() {
    return this.conn !== null;
  }

  /** @returns {import("../engine/websocket.js").WebSocket} */
  get websocket() {
    if (this.madeWebSocket === null) this.expand();
    return this.madeWebSocket;
  }

  /** Called by the constructor of `Sender`. */
  set websocket(_none) {
    /** @private */
    this.madeWebSocket = null;
  }

  /** Makes the transport. @private for `EngineSocket` */
  makeTransport({ server, request }) {
    this.makeWebSocket();
    const transport = server.createTransport("websocket", request);
    transport.perMessageDeflate = server.opts.perMessageDeflate;
    return transport;
  }

  /** Returns whether the session ends when the client polls. */
  closeWhenPolled() {
    return false;
  }

  /** Makes the WebSocket. @private */
  makeWebSocket() {
    const websocket = acceptedWebSocket(this, this.options, this.socket, this.offer);
    this.#copyState(websocket);
    this.#use(websocket);
    this.conn = null;
  }

  #use(websocket) {
    this.madeWebSocket = websocket;
    if (this.endCallback !== undefined) websocket.once("close", this.endCallback);
    this.receiver = receiverMethods.areUntouched ? websocket : patchedReceiver(websocket);
  }

  #copyState(websocket) {
    const { peerClose } = this;
    if (this.isEndReported) websocket._readyState = CLOSED;
    else if (this.isClosing) websocket._readyState = CLOSING;
    if (this.hasSentClose) websocket._closeFrameSent = true;
    if (peerClose === undefined) return;
    websocket._closeFrameReceived = true;
    websocket._closeCode = peerClose.code;
    if (peerClose.reason.length > 0) websocket._closeMessage = peerClose.reason;
  }

  // --- For the base classes

  get isOpen() {
    return this.isLean ? !this.isClosing : super.isOpen;
  }

  handleDrained() {
    if (!this.isLean) super.handleDrained();
  }

  /** A pong that the worker received before it gave the heartbeat back is engine.io's. */
  handleHeartbeat(step) {
    if (this.route === null && step === HeartbeatStep.Received) this.handleMessage("3", false);
    else super.handleHeartbeat(step);
  }

  handleMessage(message, isBinary) {
    if (this.isLean && !this.isTerminated) {
      if (this.packetReceiver?.handleMessage(message, isBinary)) return;
      if (this.isLean && receive(this.conn, message, isBinary)) return;
      this.expand();
    }
    super.handleMessage(message, isBinary);
  }

  handlePing(payload) {
    if (!this.isLean) super.handlePing(payload);
  }

  handlePong(payload) {
    if (!this.isLean) super.handlePong(payload);
  }

  handleClose(code, reason) {
    if (!this.isLean || !endingMethods.areUntouched) {
      super.handleClose(code, reason);
      return;
    }
    this.peerClose = { code, reason };
    this.closeLean(code === NO_STATUS ? EMPTY : closePayload(code, reason));
  }

  handlePeerEnd() {
    if (!this.isLean) {
      super.handlePeerEnd();
      return;
    }
    // In a turn of its own, as in Node.js: what answers the last message goes before.
    setImmediate(() => {
      if (this.endError !== null) return;
      if (!this.isLean || !endingMethods.areUntouched)
        websocketEvents.handlePeerEnd(this.websocket);
      else {
        this.isClosing = true;
        this.end();
      }
    });
  }

  /** The Engine.IO socket closes. */
  handleConnClose() {
    this.closeLean(EMPTY);
  }

  /** Sends a close frame, unless that is done. @param {Buffer} payload */
  closeLean(payload) {
    if (this.isClosing) return;
    this.isClosing = true;
    this.hasSentClose = true;
    this.close(payload);
  }

  /** Calls back when the peer has closed the connection, too. @param {() => void} callback */
  whenEnded(callback) {
    if (this.isEndReported) callback();
    else this.endCallback = callback;
  }

  traffic() {
    if (this.workers !== null) return this.lastTraffic ?? super.traffic();
    const { head, remotePort } = this.offer;
    return [head.length, 0, 0, NO_DESCRIPTOR, remotePort];
  }

  /** @returns {import("./tls-socket.js").TlsDetails | null} `null` without TLS */
  tlsDetails() {
    return this.lastTlsDetails ?? this.listener.tlsDetailsOf(this);
  }

  handleRelease() {
    if (!this.isLean || this.handle !== null || !endingMethods.areUntouched) {
      this.expand();
      // Makes the handle, if nobody has touched the socket.
      void this.socket._handle;
      super.handleRelease();
      return;
    }
    const details = this.tlsDetails();
    if (details !== null) this.lastTlsDetails = details;
    this.lastTraffic = this.traffic();
    this.setReferenced(false);
  }

  handleEnd(reason, systemError) {
    if (this.lastTraffic === undefined) {
      // The socket counts itself out.
      super.handleEnd(reason, systemError);
      return;
    }
    this.listener.handleConnectionEnd();
    this.endError = new ConnectionEndedError(reason, systemError);
    this.takeAwaited();
    this.isClosing = true;
    this.isTerminated = true;
    this.hasEnded = true;
    // Behind what the messages of the same turn have scheduled, and as late as after a socket's end.
    nextTick(nextTick, handleLeanEnd, this);
  }
}

function handleTerminated({ handle }) {
  handle.handleEnd();
}

/** Reports the end of a connection that was lean when it came. */
function handleLeanEnd(connection) {
  const { conn } = connection;
  connection.isEndReported = true;
  if (conn === null) {
    connection.websocket.emitClose();
    return;
  }
  try {
    conn.onClose("transport close");
  } finally {
    connection.endCallback?.();
  }
}

/** On the prototype until they are set: few connections need own properties. */
Object.assign(LeanConnection.prototype, {
  /** @private Set while it is lean: nothing can be sent any more. */
  isClosing: false,
  /** @private Data that a program has written while it was pending. */
  written: Object.freeze([]),
  /** Set while it is lean: its transport is discarded. @private for `EngineSocket` */
  isDiscarded: false,
  /** @private See `whenEnded()`. */
  endCallback: undefined,
  /** @private Code and reason of the peer's close frame. */
  peerClose: undefined,
  /** @private */
  hasSentClose: false,
  /** @private Set when it has ended while it was lean. */
  hasEnded: false,
  /** @private Set when its sockets know that. */
  isEndReported: false,
  /** @private The counters when the connection ended. */
  lastTraffic: undefined,
  /** @private Parameters that TLS had negotiated, kept when the connection has ended. */
  lastTlsDetails: undefined,
});

module.exports = { LeanConnection };
