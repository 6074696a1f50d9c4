"use strict";

// Taken now: test tools replace that of the global object with one that stands still.
const { nextTick } = require("node:process");
const { getSystemErrorName } = require("node:util");
const { Delivery } = require("../addon/codes.js");
const { binding } = require("../addon/index.js");
const { stats } = require("../stats.js");
const { EventBatch } = require("./event-batch.js");

/**
 * More packets or bytes than a program broadcasts in one turn, unless it sends for as long as
 * a transport is writable.
 */
const MOST_BROADCASTS = 1_000;
const MOST_BROADCAST_BYTES = 1024 * 1024;

/** Not the number of a turn: nothing has been sent since the last flush. */
const NO_TURN = -1;

const EMPTY = Buffer.alloc(0);

/**
 * The I/O workers of this environment (main thread or worker thread): passes commands on once per
 * turn, and events to the connections that they concern.
 *
 * A *turn* is a callback of Node.js, up to the tick in which its commands are flushed; with ws, that
 * is where `send()` calls back, too. Order within a turn:
 *   1. Callers call `native` for each command, which queues it, and then `scheduleFlush()`. Before
 *      they send something they call `beginTurn()`.
 *   2. `flush()`, in the next tick, runs the parts of `scheduleBefore()`, gives the commands to the
 *      workers, runs the parts of `scheduleAfter()`, then those of `scheduleTurnEnd()`.
 *
 * Events come in batches (`EventBatch`), but the events of each connection are delivered in a turn of
 * their own, as with sockets of Node.js. The commands of these turns are passed on together, after
 * the last.
 *
 * Workers start with the first connection. They end when there is no connection and no open server
 * that has had one, so that nothing is left behind where a test runner loads the package again.
 */
class Workers {
  #batch = new EventBatch(this);
  #isStarted = false;
  #size = 0;
  /** Servers that have had connections and are not closed. */
  #servers = 0;
  /** Connections that keep the process alive. */
  #referenced = 0;
  /** The number of the turn. */
  #turn = 0;
  /** The turn in which something was sent last, since the last flush. */
  #sentIn = NO_TURN;
  #isFlushScheduled = false;
  /** Set while commands of earlier turns wait until the rest of a batch is delivered. */
  #isFlushHeld = false;
  #broadcastBytes = 0;
  /** Parts that run when the turn ends; before the commands of the turn are passed on, and after. */
  #ending = [];
  #before = new Set();
  #after = new Set();
  /** The ids of options, which are not changed. */
  #configured = new WeakMap();
  /** The options that were asked for last, and their id. */
  #lastOptions = null;
  #lastConfigured = 0;
  /** The list of a frame, or the text of a packet, that Rust keeps since the last flush. */
  #prepared = null;
  /** The text of the last packet that was sent to one connection since the last flush. */
  #lastText = null;

  constructor() {
    this.native = new binding.Workers();
    // In front of the methods of these names, which take 0.2 µs more for each call.
    Object.assign(this.native, this.native.direct());
    /** Connections and listeners by their ids. */
    this.connections = [];
    /** The broadcasts of this turn. */
    this.broadcasts = [];
    this.flush = this.flush.bind(this);
    this.shutDown = this.shutDown.bind(this);
  }

  /**
   * Gives a connection to a worker. Its events begin in a later turn.
   *
   * @param {import("./connection.js").Connection} connection gets the events
   * @param {{ fd: number, bytesRead: number, bytesWritten: number }} handle of a connected TCP
   *   socket; the worker gets a duplicate of the descriptor
   * @param {Buffer} input what Node.js has read behind the request
   * @param {object} options as `NativeConnectionOptions` in binding.d.ts
   * @param {number} ioThreads
   * @returns {number} the connection's id
   * @throws {Error} when descriptors or threads have run out
   */
  open(connection, handle, input, options, ioThreads) {
    if (!this.#isStarted) this.#start();
    this.scheduleFlush();
    const { fd, bytesRead, bytesWritten } = handle;
    const configured = this.#configure(options);
    const id = this.native.open(fd, input, configured, ioThreads, bytesRead, bytesWritten);
    this.connections[id] = connection;
    this.#size++;
    this.setReferenced(true);
    return id;
  }

  /**
   * Has the connections of a bound TCP socket accepted by workers. Its events begin in a later turn.
   *
   * @param {object} listener gets the events: `handlePassed(descriptor, isOverdue)`, `handleHandshake(key,
   *   location, values)` as binding.d.ts describes them, and, once it is closed, `handleRelease()` and
   *   `handleEnd()`; `isReady` is true, and `context` an `AsyncResource`. It keeps
   *   the process alive until it calls `setReferenced(false)`
   * @param {number} fd the workers get a duplicate
   * @param {object} options as `NativeListenerOptions` in binding.d.ts
   * @param {number} ioThreads
   * @returns {number} the listener's id, for `configureListener()` and the like of `native`, after which
   *   `scheduleFlush()` is due; the system's error number, negative, if there is none
   */
  listen(listener, fd, options, ioThreads) {
    if (!this.#isStarted) this.#start();
    // Ends the workers if nothing needs them after all.
    this.scheduleFlush();
    const id = this.native.listen(fd, options, ioThreads);
    if (id < 0) return id;
    this.connections[id] = listener;
    this.#size++;
    this.setReferenced(true);
    return id;
  }

  /**
   * Accepts the handshake of a WebSocket. The response is sent before all that is sent to the connection.
   *
   * @param {object} connection gets the events
   * @param {number} worker with `key` the handshake, as the event has said
   * @param {number} key
   * @param {object} options as `NativeConnectionOptions` in binding.d.ts
   * @param {string} headers more header lines of the response, each with CRLF
   * @returns {number} the connection's id
   * @throws {Error} when the handshake has been answered
   */
  accept(connection, worker, key, options, headers) {
    this.scheduleFlush();
    const configured = this.#configure(options);
    const id = this.native.accept(worker, key, configured, headers);
    this.connections[id] = connection;
    this.#size++;
    this.setReferenced(true);
    return id;
  }

  /**
   * Accepts the handshake of a session with long-polling. What is sent to the connection in this turn is the
   * first response.
   *
   * @param {object} connection, worker, key, options as of `accept()`
   * @param {string} sid the id of the session
   * @param {object} polling as `NativePollingOptions` in binding.d.ts
   * @returns {number} the connection's id
   * @throws {Error} when the handshake has been answered
   */
  acceptPolling(connection, worker, key, options, sid, polling) {
    this.scheduleFlush();
    const configured = this.#configure(options);
    const id = this.native.acceptPolling(worker, key, configured, sid, polling);
    this.connections[id] = connection;
    this.#size++;
    this.setReferenced(true);
    return id;
  }

  /**
   * Accepts the handshake of a WebSocket for the session of a connection, which reports how that goes by
   * `handleUpgradeStep()`.
   *
   * @param {number} worker, key, options, headers as of `accept()`
   * @param {number} id of the connection
   */
  acceptUpgrade(worker, key, id, options, headers) {
    this.scheduleFlush();
    this.native.acceptUpgrade(worker, key, id, this.#configure(options), headers);
  }

  /**
   * Goes on with a TLS connection of a listener. It does not keep the process alive: its socket does.
   *
   * @param {object} connection gets the events: `handleStreamFailed(errno)`, then `handleRelease()` and
   *   `handleEnd()`
   * @param {number} worker
   * @param {number} key of the connection
   * @returns {number} the connection's id
   */
  carry(connection, worker, key) {
    this.scheduleFlush();
    const id = this.native.carry(worker, key);
    this.connections[id] = connection;
    this.#size++;
    return id;
  }

  /** Returns the id of options, which cross to Rust once for each object: that takes 1.6 µs (Node 20). */
  #configure(options) {
    if (options === this.#lastOptions) return this.#lastConfigured;
    let id = this.#configured.get(options);
    if (id === undefined) {
      id = this.native.configure(options);
      this.#configured.set(options, id);
    }
    this.#lastOptions = options;
    this.#lastConfigured = id;
    return id;
  }

  /** Counts a connection that keeps the process alive, or no longer does. */
  setReferenced(isReferenced) {
    this.#referenced += isReferenced ? 1 : -1;
    if (this.#referenced === Number(isReferenced)) this.native.keepAlive(isReferenced);
  }

  /** Counts a server that has its first connection: the workers stay until it is closed. */
  addServer() {
    this.#servers++;
  }

  /** Counts a server out that is closed. */
  removeServer() {
    this.#servers--;
    this.scheduleFlush();
  }

  /** Schedules `flush()` for the end of the turn. To be called after each command. */
  scheduleFlush() {
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    nextTick(this.flush);
  }

  /**
   * Schedules `part.flush()` for just before the workers get this turn's commands.
   *
   * @param {{ flush: () => void }} part
   */
  scheduleBefore(part) {
    this.#before.add(part);
    this.scheduleFlush();
  }

  /**
   * Schedules `part.flush()` for when the workers have this turn's commands.
   *
   * @param {{ flush: () => void }} part
   */
  scheduleAfter(part) {
    this.#after.add(part);
    this.scheduleFlush();
  }

  /**
   * Schedules `part.handleTurnEnd()` for the end of the turn.
   *
   * @param {{ handleTurnEnd: () => void }} part
   */
  scheduleTurnEnd(part) {
    this.#ending.push(part);
    this.scheduleFlush();
  }

  /** Ends the turn, and passes the commands on unless turns of the same batch follow. */
  flush() {
    this.#isFlushScheduled = false;
    this.#isFlushHeld = this.#batch.isDelivering;
    this.#turn++;
    if (this.broadcasts.length > 0) this.broadcasts = [];
    this.#broadcastBytes = 0;
    if (!this.#isFlushHeld) this.post();
    if (this.#ending.length > 0) this.#endTurn();
  }

  /** If a listener throws, the other parts end the turn after the next flush. */
  #endTurn() {
    const ending = this.#ending;
    this.#ending = [];
    let ended = 0;
    try {
      while (ended < ending.length) ending[ended++].handleTurnEnd();
    } finally {
      for (const part of ending.slice(ended)) this.scheduleTurnEnd(part);
    }
  }

  /** Passes the commands on now. */
  post() {
    for (const part of this.#before) part.flush();
    this.#before.clear();
    this.#sentIn = NO_TURN;
    this.#prepared = null;
    this.#lastText = null;
    this.native.flush();
    for (const part of this.#after) part.flush();
    this.#after.clear();
    this.#rest();
  }

  /**
   * Tells sends of different turns apart. To be called before something is sent: a volatile packet is
   * dropped if something was sent to its recipient in the same turn, for with ws the transport is not
   * writable then.
   */
  beginTurn() {
    if (this.#sentIn === this.#turn) return;
    // A flush begins a turn by itself.
    if (this.#sentIn !== NO_TURN) this.native.beginTurn();
    this.#sentIn = this.#turn;
  }

  /**
   * Sends a Socket.IO packet to many connections.
   *
   * @param {Array<string | Uint8Array>} packet as the parser's encoder returns it
   * @param {Uint32Array} recipients as `Recipients::decode` in src/fanout takes them
   * @param {{ isVolatile: boolean, isCompressible: boolean, latest?: [string, string] }} flags true to
   *   drop it for recipients for which something waits, and to compress it where that is negotiated;
   *   namespace and key, to replace an older packet of the same key that waits
   * @param {{ fanOut: object, reaches: (id: string) => boolean }} broadcast kept for this turn
   */
  broadcast(packet, recipients, { isVolatile, isCompressible, latest }, broadcast) {
    this.beginTurn();
    this.broadcasts.push(broadcast);
    for (const data of packet) this.#broadcastBytes += data.length;
    const attachments = packet.length > 1 ? packet.slice(1) : undefined;
    const [data] = packet;
    this.native.broadcast(data, attachments, recipients, isVolatile, isCompressible, latest);
    this.scheduleFlush();
  }

  /** Returns whether so much has been broadcast in this turn that connections must show it. */
  get hasBroadcastMuch() {
    return this.broadcasts.length > MOST_BROADCASTS || this.#broadcastBytes > MOST_BROADCAST_BYTES;
  }

  /**
   * Sends a frame that several connections share. It crosses to Rust once per turn.
   *
   * @param {number} id of the connection
   * @param {Buffer[]} list header and payload, or both in one
   * @param {boolean} isReported true to have `handleSent()` called
   * @returns {number} the length of the frame in bytes
   */
  sendShared(id, list, isReported) {
    this.beginTurn();
    if (this.#prepared !== list) {
      this.native.prepare(list[0], list.length > 1 ? list[1] : EMPTY);
      this.#prepared = list;
    }
    return this.native.sendPrepared(id, isReported);
  }

  /**
   * Sends a message packet of Engine.IO. Connections to which a loop sends equal texts share the frame: a
   * second one crosses to Rust, the others do not. Of the loop's time, for texts of 150 and 1,700
   * characters, that saves 13 %, and 12 % of the CPU for the longer ones.
   *
   * @param {number} id of the connection
   * @param {string | Uint8Array} payload
   * @param {boolean} isVersion3 true if the peer speaks Engine.IO v3
   * @param {number} delivery one of `Delivery` in addon/codes.js: sure or reported
   * @param {boolean} isCompressible true to compress it, where that is negotiated
   * @returns {number} the length of the frame in bytes
   */
  sendPacket(id, payload, isVersion3, delivery, isCompressible) {
    this.beginTurn();
    if (this.#lastText !== payload || !isCompressible) {
      // The same bytes may have been changed meanwhile.
      if (typeof payload === "string") this.#lastText = payload;
      return this.native.sendPacket(id, payload, isVersion3, delivery, isCompressible);
    }
    if (this.#prepared !== payload) {
      this.native.prepareTextPacket(payload);
      this.#prepared = payload;
    }
    return this.native.sendPrepared(id, delivery === Delivery.Reported);
  }

  /** @private for `EventBatch`: all events of the batch are delivered */
  handleDelivered() {
    if (this.#isFlushHeld) this.scheduleFlush();
  }

  /**
   * The last event of a connection: its worker has closed the descriptor.
   *
   * @private for `EventBatch`
   * @param {number} id
   * @param {string} reason one of `END_REASONS` in addon/codes.js
   * @param {number} errno of the operating system; 0 if there was no error
   */
  handleEnd(id, reason, errno) {
    const connection = this.connections[id];
    this.connections[id] = undefined;
    connection.handleRelease();
    // From now on the id may be another connection's.
    this.native.release(id);
    this.#size--;
    if (this.#size === 0) this.scheduleFlush();
    const systemError = errno === 0 ? "" : getSystemErrorName(-errno);
    connection.handleEnd(reason, systemError);
  }

  #start() {
    this.#isStarted = true;
    this.native.start(() => this.#batch.take());
    process.once("exit", this.shutDown);
  }

  /** Ends the workers if no connection and no server needs them. */
  #rest() {
    if (!this.#isStarted || this.#size > 0 || this.#servers > 0) return;
    this.#isStarted = false;
    this.native.rest();
    process.removeListener("exit", this.shutDown);
  }

  /** The environment ends: what has been sent goes out, and all connections close. */
  shutDown() {
    // Listeners of `exit` may ask sockets for their counters.
    for (const connection of this.connections) connection?.handleRelease();
    this.native.shutDown();
  }
}

let workers = null;

/** @returns {Workers} the workers of this environment; made by the first call */
function environmentWorkers() {
  if (workers === null) {
    workers = new Workers();
    stats.setWorkers(workers);
  }
  return workers;
}

module.exports = { Workers, environmentWorkers };
