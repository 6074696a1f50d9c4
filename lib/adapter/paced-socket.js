"use strict";

const { nextTick } = require("node:process");
const { isServerObserved } = require("./packet-listeners.js");

const NO_PACKETS = Object.freeze([]);

/** The packets in a `writeBuffer` that the worker has. Applications may remove some of them. */
const shown = new WeakSet();

/**
 * An Engine.IO socket by which applications can pace themselves although a worker sends its packets.
 * They go by `conn.writeBuffer`, `conn.transport.writable` and the `drain` event, which therefore
 * change as if engine.io had sent each packet:
 *   - the first packet makes the transport unwritable until it is written (it is *in flight*);
 *   - a packet sent meanwhile stands in `writeBuffer` until then, although the worker has it (it is
 *     *shown*), and is in flight itself afterwards.
 *
 * For each packet that `PacketRoute` sends to the worker, it calls `show()` or `startFlight()`. A flight
 * ends at the end of the turn; or, if much waits for the network, when the worker has reported that it
 * is written (`handleSent()`, `handleBacklog()`). `#handleWritten()` then does what engine.io's
 * transport does after a write: among others it calls `conn.flush()`, by which the packets that are
 * shown leave the buffer and are in flight.
 *
 * At most one of `#isInFlight` and `#isAwaiting` is set.
 */
class PacedSocket {
  /** Set while packets are in flight until the end of the turn. */
  #isInFlight = false;
  /** Set while a tick is scheduled in which the flight ends. */
  #hasTick = false;
  /** Set while the worker's reports decide when the transport is writable. */
  #isAwaiting = false;
  /** The number of written frames that have to be reported before. */
  #due = 0;
  /** Set while a `drain` event is due when the packets in flight are written. */
  #isDrainDue = false;

  /** @param {import("engine.io").Socket} conn */
  constructor(conn) {
    this.conn = conn;
    /**
     * The connection, if it is on a worker.
     *
     * @type {import("../engine/connection.js").Connection | null}
     */
    this.connection = null;
    /**
     * Stands for the transport of a lean socket, `LeanTransport` in server/engine-socket.js; `null` for all
     * other sockets.
     */
    this.lean = null;
  }

  /** The transport; for a lean socket, what stands for it. */
  get transport() {
    return this.lean ?? this.conn.transport;
  }

  /**
   * The object whose property `writable` is false while packets are in flight: the transport; of a session that
   * polls a worker, its connection.
   */
  get flight() {
    const { transport } = this;
    return transport.flight ?? transport;
  }

  /** The packets that wait. To be read only. */
  get writeBuffer() {
    return this.lean === null ? this.conn.writeBuffer : (this.leanBuffer ?? NO_PACKETS);
  }

  /** Gives a lean socket all that engine.io's have: only engine.io's own code can go on. */
  expand() {
    this.lean?.expand();
  }

  /** Begins anew on another transport: the packets that are shown went to the one before. */
  reset() {
    this.takeShown();
    this.#isAwaiting = false;
    this.#isInFlight = false;
  }

  /** Puts a packet into `writeBuffer` that the worker has. */
  show(type, data, options) {
    options.compress = options.compress !== false;
    const packet = data === undefined ? { type, options } : { type, options, data };
    shown.add(packet);
    if (this.lean === null) this.conn.writeBuffer.push(packet);
    else if (this.leanBuffer === null) this.leanBuffer = [packet];
    else this.leanBuffer.push(packet);
  }

  /** Removes the packets that are shown from the beginning of `writeBuffer`, and returns them. */
  takeShown() {
    const { writeBuffer } = this;
    if (writeBuffer.length === 0) return [];
    const parked = writeBuffer.findIndex((packet) => !shown.has(packet));
    return writeBuffer.splice(0, parked === -1 ? writeBuffer.length : parked);
  }

  /** True if the first packet in `writeBuffer` is one that the worker has. */
  get hasShown() {
    return shown.has(this.writeBuffer[0]);
  }

  /** True if `writeBuffer` holds packets that the worker does not have. */
  get hasParked() {
    const { writeBuffer } = this;
    return writeBuffer.length > 0 && !shown.has(writeBuffer[writeBuffer.length - 1]);
  }

  /** Puts the latest packets in flight: until the end of the turn, or longer if much waits. */
  startFlight() {
    const { connection } = this;
    const { awaitedFrames, backlog, isBehind } = connection;
    this.flight.writable = false;
    // Volatile packets and broadcasts are not reported.
    this.#isAwaiting = isBehind && awaitedFrames + backlog > 0;
    this.#isInFlight = !this.#isAwaiting;
    if (this.#isAwaiting) this.#due = awaitedFrames;
    else if (this.#hasListeners) this.#scheduleTick();
    else connection.workers.scheduleTurnEnd(this);
  }

  /** Schedules the end of the flight in the asynchronous context of the sender, as for its write. */
  #scheduleTick() {
    if (this.#hasTick) return;
    this.#hasTick = true;
    nextTick(PacedSocket.#handleTick, this);
  }

  static #handleTick(socket) {
    socket.#hasTick = false;
    socket.#endFlight();
  }

  /** Called by the workers at the end of the turn. */
  handleTurnEnd() {
    if (this.#hasListeners) this.#scheduleTick();
    else if (!this.#hasTick) this.#endFlight();
  }

  /** True if listeners are called when the packets in flight are written. */
  get #hasListeners() {
    const { transport } = this;
    return (
      this.isObserved ||
      isServerObserved(this.conn.server) ||
      transport.listenerCount("drain") > 1 ||
      transport.listenerCount("ready") > 1
    );
  }

  #endFlight() {
    if (!this.#isInFlight) return;
    this.#isInFlight = false;
    this.#isAwaiting = true;
    this.#due = 0;
    this.#handleReports();
  }

  /** Called when the worker has written `count` of the frames whose report is awaited. */
  handleSent(count) {
    this.#due -= count;
    this.#handleReports();
  }

  /**
   * Called when the worker reports that much waits for the network, or nothing any more. Broadcasts
   * count as well.
   *
   * @param {number} bytes
   */
  handleBacklog(bytes) {
    const { flight } = this;
    if (bytes === 0) {
      // With engine.io, the packets of broadcasts would have been in its buffer.
      this.#isDrainDue = true;
      this.#handleReports();
    } else if (flight.writable) {
      flight.writable = false;
      this.#isAwaiting = true;
      this.#due = 0;
    }
  }

  #handleReports() {
    if (!this.#isAwaiting || this.#due > 0 || this.connection.backlog > 0) return;
    this.#isAwaiting = false;
    this.#handleWritten();
  }

  /** Does what engine.io's transport does when the packets in flight are written. */
  #handleWritten() {
    const { conn, flight, transport } = this;
    if (conn.readyState === "closed") return;
    if (transport.listenerCount("drain") > 1) transport.emit("drain");
    flight.writable = true;
    if (transport.listenerCount("ready") > 1) transport.emit("ready");
    else if (this.writeBuffer.length > 0) conn.flush();
    if (this.#isDrainDue && conn.readyState === "open") this.#emitDrain();
  }

  /** Does what engine.io's `flush()` does, for packets that the worker has. */
  flushShown() {
    const { conn } = this;
    if (conn.readyState === "closed" || !this.flight.writable) return;
    const packets = this.takeShown();
    conn.emit("flush", packets);
    conn.server.emit("flush", conn, packets);
    this.startFlight();
    this.#emitDrain();
  }

  #emitDrain() {
    const { conn } = this;
    this.#isDrainDue = false;
    conn.emit("drain");
    conn.server.emit("drain", conn);
  }

  /**
   * Makes a broadcast look as if engine.io had sent it.
   *
   * @param {Array<string | Uint8Array>} payloads of its packets
   */
  showBroadcast(payloads) {
    for (const data of payloads) {
      if (this.flight.writable) this.startFlight();
      else this.show("message", data, {});
    }
  }

  /**
   * Called when the first listener comes that must get every packet. With engine.io, the packets of
   * this turn would still be in flight or parked then, so the listener gets their events.
   *
   * @param {number} broadcasts the number of packets that were broadcast to the socket in this turn
   */
  handleFirstListener(broadcasts) {
    const { writable } = this.flight;
    if (broadcasts > 0) {
      this.#isDrainDue = !writable || broadcasts > 1;
      if (writable) this.startFlight();
    }
    if (this.#isInFlight) this.#scheduleTick();
  }
}

/** Returns whether a packet in a `writeBuffer` is one that the worker has. */
function isShown(packet) {
  return shown.has(packet);
}

/** On the prototype until they are set: few sockets need own properties. */
Object.assign(PacedSocket.prototype, {
  /** Set while the socket has listeners that must get every packet. */
  isObserved: false,
  /** Takes the place of a lean socket's `writeBuffer`; `null` while that is empty. @private */
  leanBuffer: null,
});

module.exports = { PacedSocket, isShown };
