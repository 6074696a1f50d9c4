"use strict";

const { AsyncResource } = require("node:async_hooks");
const { constants } = require("node:os");
// Taken now: test tools replace that of the global object with one that stands still.
const { setImmediate } = require("node:timers");
const { Z_DATA_ERROR } = require("node:zlib").constants;
const { ConnectionEndedError } = require("../errors.js");
const { handleRead } = require("./detached-socket.js");
const { EarlyEvents } = require("./early-events.js");
const { HeldEvents } = require("./held-events.js");
const { actionOf, reportRateLimit } = require("./rate-limit.js");
const { Sender } = require("./sender.js");
const websocketEvents = require("./websocket-events.js");

const { binaryMessage } = websocketEvents;

/** On a lean Engine.IO socket, which has no transport: its connection. `drain.js` knows it, too. */
const kConnection = Symbol.for("socket.io-turbo.connection");

/** `traffic()` of no connection: bytes read and written, milliseconds without any, no descriptor, no port. */
const NO_TRAFFIC = [0, 0, 0, -1, 0];

/**
 * A connection that a worker owns, in front of its WebSocket and its `net.Socket`.
 *
 * Its life, in the order of calls:
 *   1. `open()` gives a duplicate of the socket's descriptor to a worker. The worker owns the
 *      duplicate until the connection is over; Node.js closes its own.
 *   2. `handleDetached()`: Node.js has closed it. Events are delivered from now on; those that came
 *      before are `EarlyEvents`.
 *   3. `handle…()`, called by `EventBatch`, one for each kind of event. While the socket is paused,
 *      events that change something wait in `HeldEvents`.
 *   4. `handleRelease()`, then `handleEnd()`: the worker has closed its descriptor. The id may be
 *      another connection's after the first; the second begins with setting `endError`, after which no
 *      command uses the id.
 *
 * Commands (`send()` and the others of `Sender`, `end()`, `terminate()`, `pause()`, `command()`) are
 * passed to the worker at the end of the turn, in the order of the calls, and do nothing once the
 * connection is over.
 */
class Connection extends Sender {
  /**
   * @param {import("./websocket.js").WebSocket} websocket
   * @param {{ highWaterMark: number }} settings of the server
   */
  constructor(websocket, { highWaterMark }) {
    super(websocket, highWaterMark);
    /** Emits `message`: the WebSocket, or what passes the event on to it; see `patched-receiver.js`. */
    this.receiver = websocket;
    /** The asynchronous context of its events, once Node.js has closed its own descriptor. */
    this.context = null;
    /**
     * Receives messages instead of listeners of the WebSocket; `null` for none.
     *
     * @type {import("../adapter/packet-receiver.js").PacketReceiver | null}
     */
    this.packetReceiver = null;
  }

  /**
   * Gives the connection of a socket to a worker.
   *
   * @param {import("./workers.js").Workers} workers
   * @param {object} handle of a connected TCP socket
   * @param {Buffer} input what Node.js has read behind the request
   * @param {object} options as `NativeConnectionOptions` in binding.d.ts
   * @param {number} ioThreads
   * @throws {Error} when descriptors or threads have run out
   */
  open(workers, handle, input, options, ioThreads) {
    this.id = workers.open(this, handle, input, options, ioThreads);
    this.workers = workers;
  }

  /**
   * Begins the delivery of events. To be called in the context of the socket's former handle, which
   * becomes that of the events: Node.js would have called for them in the same.
   */
  handleDetached() {
    this.context = new AsyncResource("socket.io-turbo");
    this.early?.schedule();
  }

  /** Calls `handle` in the context of this connection's events. */
  runInContext(handle) {
    if (this.context === null) handle();
    else this.context.runInAsyncScope(handle);
  }

  /** Returns whether events can be delivered as they come. */
  get isReady() {
    return this.context !== null && this.early === null;
  }

  /**
   * Delivers an event once the connection is ready.
   *
   * @param {() => void} event delivers the event when it is called
   */
  postpone(event) {
    this.early ??= new EarlyEvents(this);
    this.early.push(event);
  }

  /** @private for `EarlyEvents`: all have been delivered */
  handleEarlyDelivered() {
    this.early = null;
  }

  /** Ends our side after what has been sent, without a close frame. */
  end() {
    this.command("end");
  }

  /** @param {boolean} [isReset] true for a reset, which drops what waits for the network */
  terminate(isReset = false) {
    if (this.endError !== null) return;
    this.isTerminated = true;
    this.command(isReset ? "reset" : "terminate");
  }

  /**
   * Calls a method of the addon with this connection's id.
   *
   * @param {string} name
   * @param {...unknown} values arguments behind the id
   * @returns {number} 0; `ENOTCONN` as a negative number, if the connection is over
   */
  command(name, ...values) {
    if (this.endError !== null) return -constants.errno.ENOTCONN;
    this.workers.native[name](this.id, ...values);
    this.workers.scheduleFlush();
    return 0;
  }

  /** Stops the worker's reading, or resumes it. Events of what it has read by then are held back. */
  pause(isPaused) {
    if (!isPaused) {
      this.held?.resume();
    } else if (this.held !== null) {
      this.held.pause();
    } else if (this.endError === null) {
      this.held = new HeldEvents(this);
      this.command("pause", true);
    }
  }

  /** @private for `HeldEvents`: all have been delivered */
  handleResumed() {
    this.held = null;
    this.command("pause", false);
  }

  /** The socket of the upgrade. */
  get socket() {
    return this.websocket._socket;
  }

  /** The option of this name, in milliseconds; `undefined` for the default. */
  get maxLoopLag() {
    return this.websocket._settings.maxLoopLag;
  }

  /** Sets whether the process stays alive for this connection. */
  setReferenced(isReferenced) {
    this.workers.setReferenced(isReferenced);
  }

  /** @returns {number[]} as `traffic()` in binding.d.ts; of no traffic at exit, without workers */
  traffic() {
    return this.workers.native.traffic(this.id) ?? NO_TRAFFIC;
  }

  /** @returns {{ address: string, family: string, port: number } | null} `null` if there is none any more */
  localAddress() {
    if (this.endError !== null) return null;
    return this.workers?.native.localAddress(this.id) ?? null;
  }

  handleMessage(message, isBinary) {
    if (this.held?.hold("handleMessage", message, isBinary)) return;
    if (this.isTerminated) return;
    if (this.packetReceiver?.handleMessage(message, isBinary)) return;
    const data = isBinary ? binaryMessage(message, this.websocket._binaryType) : message;
    this.receiver.emit("message", data, isBinary);
  }

  /** @param {import("./packet-batch.js").PacketBatch} packet a message that the worker has split */
  handlePacket(packet) {
    const canReceive = this.held === null && !this.isTerminated && this.packetReceiver !== null;
    if (canReceive && this.packetReceiver.handlePacket(packet)) return;
    this.handleMessage(packet.text, false);
  }

  handlePing(payload) {
    if (this.held?.hold("handlePing", payload)) return;
    if (!this.isTerminated) this.websocket.emit("ping", payload);
  }

  handlePong(payload) {
    if (this.held?.hold("handlePong", payload)) return;
    if (!this.isTerminated) this.websocket.emit("pong", payload);
  }

  /** @param {number} step of `HeartbeatStep` in addon/codes.js */
  handleHeartbeat(step) {
    const isHeld = this.route?.isInput(step) && this.held?.hold("handleHeartbeat", step);
    if (!isHeld && !this.isTerminated) this.route?.handleHeartbeat(step);
  }

  /** @param {number} step of `RateLimitStep` in addon/codes.js */
  handleRateLimited(step) {
    if (!this.isTerminated) reportRateLimit(this.websocket, actionOf(step));
  }

  handleClose(code, reason) {
    if (this.held?.hold("handleClose", code, reason)) return;
    if (!this.isTerminated) websocketEvents.handleClose(this.websocket, code, reason);
  }

  handleFailure(message, code, closeCode) {
    if (this.isTerminated || this.held?.hold("handleFailure", message, code, closeCode)) return;
    const isRange = code !== "WS_ERR_INVALID_UTF8" && code !== "Z_DATA_ERROR";
    const error = isRange ? new RangeError(message) : new Error(message);
    if (code === "Z_DATA_ERROR") error.errno = Z_DATA_ERROR;
    error.code = code;
    websocketEvents.handleFailure(this.websocket, error, closeCode);
  }

  /** The peer has ended its side. What was sent up to now still goes out. */
  handlePeerEnd() {
    if (this.held?.hold("handlePeerEnd")) return;
    // In a turn of its own, as in Node.js: what answers the last message goes before.
    setImmediate(() => {
      if (this.endError === null) websocketEvents.handlePeerEnd(this.websocket);
    });
  }

  /** Passes the peer's bytes, frame headers included, to listeners of the socket; see `tap()`. */
  handleRaw(bytes) {
    if (!this.held?.hold("handleRaw", bytes)) handleRead(this.websocket._socket, bytes);
  }

  /** The worker has closed its descriptor. To be called before the id may be another connection's. */
  handleRelease() {
    this.handle.release();
  }

  /**
   * The connection is over. As with ws, callbacks that wait for frames to be sent get the error
   * before the `close` event.
   *
   * @param {string} reason one of `END_REASONS` in addon/codes.js
   * @param {string} systemError such as "ECONNRESET"; empty if there was none
   */
  handleEnd(reason, systemError) {
    // First, as what listeners send must not go to the next connection of this id.
    this.endError = new ConnectionEndedError(reason, systemError);
    websocketEvents.handleClosing(this.websocket);
    const awaited = this.takeAwaited();
    try {
      if (!this.isTerminated) this.held?.flush();
    } finally {
      this.held = null;
      this.isTerminated = true;
      try {
        if (awaited !== null) this.settle(awaited, this.endError);
      } finally {
        websocketEvents.handleEnd(this.websocket, reason, systemError);
      }
    }
  }
}

/** On the prototype until they are set, as in `Sender`. */
Object.assign(Connection.prototype, {
  /** True once the application has terminated the connection, or it has ended. @private */
  isTerminated: false,
  /** Events from before the context, until they are delivered. @private */
  early: null,
  /** The events of a paused connection; null while it is not paused. @private */
  held: null,
  /** The handle of its socket; see `connection-handle.js`. */
  handle: null,
});

module.exports = { Connection, kConnection };
