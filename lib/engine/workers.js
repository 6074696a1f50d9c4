"use strict";

// Taken now: test tools replace those of the global object with ones that stand still.
const { nextTick } = require("node:process");
const { setImmediate } = require("node:timers");
const { getSystemErrorName } = require("node:util");
const codes = require("../addon/codes.js");
const { binding } = require("../addon/index.js");
const { stats } = require("../stats.js");

/** The most events taken from the workers at once; the rest waits for the next turn of the loop. */
const EVENTS_PER_BATCH = 512;

const { COUNT, HAS_MORE, FIRST_EVENT, NUMBERS_PER_EVENT } = codes.EventBatch;
const { KIND, NUMBER } = codes.EventNumbers;
const { END_REASON_BITS, END_REASONS, VALUE_COUNTS } = codes;
const {
  Text: TEXT,
  Binary: BINARY,
  Sent: SENT,
  Ping: PING,
  Pong: PONG,
  Close: CLOSE,
  Failed: FAILED,
  PeerEnded: PEER_ENDED,
  Ended: ENDED,
  Backlog: BACKLOG,
  Raw: RAW,
} = codes.EventKind;
const END_REASON_MASK = (1 << END_REASON_BITS) - 1;

/**
 * More packets or bytes than a program broadcasts in one turn, unless it sends for as long as
 * a transport is writable.
 */
const MOST_BROADCASTS = 1_000;
const MOST_BROADCAST_BYTES = 1024 * 1024;

/** No turn: nothing has been sent since the last flush. */
const NO_TURN = -1;

const NONE = [];
const collect = (...values) => values;
const EMPTY = Buffer.alloc(0);

/**
 * The I/O workers of this environment: passes commands on once per turn, and events to the
 * connections that they concern.
 *
 * A turn is a callback of Node.js up to the tick in which its commands are flushed; with ws, that
 * is where `send()` calls back, too. Events cross from the addon in batches, but the events of each
 * connection are handled in a turn and in an asynchronous context of their own, as with sockets of
 * Node.js. The commands of these turns are passed on together, after the last.
 */
class Workers {
  constructor() {
    this.native = new binding.Workers();
    /** Whether the workers may call; else there are none. */
    this.isStarted = false;
    /** Connections by their id. */
    this.connections = [];
    this.size = 0;
    /** Servers that have had connections and are not closed. */
    this.servers = 0;
    /** The number of the turn. */
    this.turn = 0;
    /** The turn in which something was sent last, since the last flush. */
    this.sentIn = NO_TURN;
    /** Connections that keep the process alive. */
    this.referenced = 0;
    this.isFlushScheduled = false;
    /** Whether commands of earlier turns wait until the rest of a batch is delivered. */
    this.isFlushHeld = false;
    /** The broadcasts of this turn, and how many bytes they have. */
    this.broadcasts = [];
    this.broadcastBytes = 0;
    /** Parts to be told of the end of this turn. */
    this.ending = [];
    /** What is to be flushed before, and after. */
    this.before = new Set();
    this.after = new Set();
    this.flush = this.flush.bind(this);
    this.deliver = this.deliver.bind(this);
    this.deliverNext = this.deliverNext.bind(this);
    /** The batch: connection, kind and number of each event, with a header. */
    this.numbers = new Uint32Array(FIRST_EVENT + EVENTS_PER_BATCH * NUMBERS_PER_EVENT);
    /** The values of those that have one. */
    this.values = NONE;
    /** How many events and values of the batch have been delivered. */
    this.delivered = 0;
    this.deliveredValues = 0;
    /** Whether the workers have called while a batch was being delivered. */
    this.isCalled = false;
    /** The list that `native.prepare()` was called with since the last flush. */
    this.prepared = null;
    this.shutDown = this.shutDown.bind(this);
  }

  /** Lets workers begin. */
  start() {
    this.isStarted = true;
    this.native.start(() => this.deliver());
    process.once("exit", this.shutDown);
  }

  /**
   * Ends the workers when there is nobody for them, so that nothing of this workers is left: test
   * runners load the package again for each file.
   */
  rest() {
    if (!this.isStarted || this.size > 0 || this.servers > 0) return;
    this.isStarted = false;
    this.native.rest();
    process.removeListener("exit", this.shutDown);
  }

  /** A server has its first connection. Until it is closed the workers stay. */
  addServer() {
    this.servers++;
  }

  /** A server that has been added is closed. */
  removeServer() {
    this.servers--;
    this.scheduleFlush();
  }

  /**
   * Takes a connection over. Its events begin in a later turn.
   *
   * @param {object} connection what `handle…()` is called on
   * @param {{ fd: number, bytesRead: number, bytesWritten: number }} handle of a connected TCP
   *   socket; the descriptor is duplicated
   * @param {Buffer} input what has been read of it
   * @param {object} options as `EngineConnectionOptions` in binding.d.ts
   * @param {number} ioThreads
   * @returns {number} the connection's id
   * @throws {Error} when descriptors or threads have run out
   */
  open(connection, handle, input, options, ioThreads) {
    if (!this.isStarted) this.start();
    this.scheduleFlush();
    const { fd, bytesRead, bytesWritten } = handle;
    const configured = this.native.configure(options);
    const id = this.native.open(fd, input, configured, ioThreads, bytesRead, bytesWritten);
    this.connections[id] = connection;
    this.size++;
    this.setReferenced(true);
    return id;
  }

  /** One more connection keeps the process alive, or one less. */
  setReferenced(isReferenced) {
    this.referenced += isReferenced ? 1 : -1;
    if (this.referenced === Number(isReferenced)) this.native.keepAlive(isReferenced);
  }

  /** To be called after each command: the workers get them at the end of the turn. */
  scheduleFlush() {
    if (this.isFlushScheduled) return;
    this.isFlushScheduled = true;
    nextTick(this.flush);
  }

  /**
   * To be called when something has to be passed on together with the commands.
   *
   * @param {{ flush: () => void }} part
   */
  scheduleBefore(part) {
    this.before.add(part);
    this.scheduleFlush();
  }

  /**
   * To be called when something has to be passed on once the workers have the commands of this
   * turn: what others answer to it finds all of them done.
   *
   * @param {{ flush: () => void }} part
   */
  scheduleAfter(part) {
    this.after.add(part);
    this.scheduleFlush();
  }

  /**
   * To be called when something depends on the turn.
   *
   * @param {{ handleTurnEnd: () => void }} part
   */
  scheduleTurnEnd(part) {
    this.ending.push(part);
    this.scheduleFlush();
  }

  /** Ends the turn, and passes the commands on unless turns of the same batch follow. */
  flush() {
    this.isFlushScheduled = false;
    this.isFlushHeld = this.isDelivering;
    this.turn++;
    if (this.broadcasts.length > 0) this.broadcasts = [];
    this.broadcastBytes = 0;
    if (!this.isFlushHeld) this.post();
    if (this.ending.length > 0) this.endTurn();
  }

  /** A listener that throws does not keep the end of the turn from other parts. */
  endTurn() {
    const { ending } = this;
    this.ending = [];
    let ended = 0;
    try {
      while (ended < ending.length) ending[ended++].handleTurnEnd();
    } finally {
      for (const part of ending.slice(ended)) this.scheduleTurnEnd(part);
    }
  }

  post() {
    for (const part of this.before) part.flush();
    this.before.clear();
    this.sentIn = NO_TURN;
    this.prepared = null;
    this.native.flush();
    for (const part of this.after) part.flush();
    this.after.clear();
    this.rest();
  }

  /**
   * To be called before something is sent. A volatile packet is dropped if something was sent to
   * its recipient in the same turn, for with ws the transport is not writable then.
   */
  beginTurn() {
    if (this.sentIn === this.turn) return;
    // A flush begins a turn by itself.
    if (this.sentIn !== NO_TURN) this.native.beginTurn();
    this.sentIn = this.turn;
  }

  /**
   * Sends a Socket.IO packet to many.
   *
   * @param {Array<string | Uint8Array>} packet what the parser's encoder makes of it
   * @param {Uint32Array} recipients as `Recipients::decode` in src/fanout takes them
   * @param {boolean} isVolatile whether those are left out for whom something waits
   * @param {{ fanOut: object, reaches: (id: string) => boolean }} broadcast kept for this turn
   */
  broadcast(packet, recipients, isVolatile, broadcast) {
    this.beginTurn();
    this.broadcasts.push(broadcast);
    for (const data of packet) this.broadcastBytes += data.length;
    const attachments = packet.length > 1 ? packet.slice(1) : undefined;
    this.native.broadcast(packet[0], attachments, recipients, isVolatile);
    this.scheduleFlush();
  }

  /** Returns whether so much has been broadcast in this turn that connections must show it. */
  get hasBroadcastMuch() {
    return this.broadcasts.length > MOST_BROADCASTS || this.broadcastBytes > MOST_BROADCAST_BYTES;
  }

  /**
   * Sends a frame that several connections share. It is handed over once per turn.
   *
   * @param {number} id
   * @param {Buffer[]} list header and payload, or both in one
   * @param {boolean} isReported whether `handleSent()` is to be called
   * @returns {number} its length in bytes
   */
  sendShared(id, list, isReported) {
    this.beginTurn();
    if (this.prepared !== list) {
      this.native.prepare(list[0], list.length > 1 ? list[1] : EMPTY);
      this.prepared = list;
    }
    return this.native.sendPrepared(id, isReported);
  }

  /** Returns whether events of the batch have not been delivered. */
  get isDelivering() {
    return this.delivered < this.numbers[COUNT];
  }

  /** Takes a batch of events, and has those of each connection delivered in a turn of their own. */
  deliver() {
    // After a listener has thrown, the rest may wait for longer than the workers do.
    this.isCalled = this.isDelivering;
    if (this.isCalled) return;
    const { numbers } = this;
    this.values = this.native.take(numbers, collect);
    this.delivered = 0;
    this.deliveredValues = 0;
    // Of no connection.
    let last = -1;
    for (let event = 0; event < numbers[COUNT]; event++) {
      const id = numbers[FIRST_EVENT + event * NUMBERS_PER_EVENT];
      if (id !== last) setImmediate(this.deliverNext);
      last = id;
    }
    if (last === -1) this.handleDelivered();
  }

  /** Delivers the next connection's events. One that throws does not keep others from theirs. */
  deliverNext() {
    const id = this.numbers[this.position];
    const connection = this.connections[id];
    try {
      if (connection.isReady) connection.context.runInAsyncScope(this.deliverTo, this, id);
      else this.keepEvents(id, connection);
    } finally {
      // Some are left if one has thrown.
      if (this.isNext(id)) setImmediate(this.deliverNext);
      if (!this.isDelivering) this.handleDelivered();
    }
  }

  /** The place of the next event's numbers. */
  get position() {
    return FIRST_EVENT + this.delivered * NUMBERS_PER_EVENT;
  }

  /** Returns whether there is another event, and of this connection. */
  isNext(id) {
    return this.isDelivering && this.numbers[this.position] === id;
  }

  deliverTo(id) {
    while (this.isNext(id)) {
      const { position } = this;
      const kind = this.numbers[position + KIND];
      this.delivered++;
      this.dispatch(id, kind, this.numbers[position + NUMBER], this.valueOf(kind));
    }
  }

  /** Has a connection keep its events until it is ready for them. */
  keepEvents(id, connection) {
    while (this.isNext(id)) {
      const { position } = this;
      const kind = this.numbers[position + KIND];
      const number = this.numbers[position + NUMBER];
      const value = this.valueOf(kind);
      this.delivered++;
      connection.keep(() => this.dispatch(id, kind, number, value));
    }
  }

  /** Takes the value of the next event, if its kind has one; an array if it has several. */
  valueOf(kind) {
    const count = VALUE_COUNTS[kind];
    if (count === 1) return this.values[this.deliveredValues++];
    if (count === 0) return undefined;
    const first = this.deliveredValues;
    this.deliveredValues += count;
    return this.values.slice(first, this.deliveredValues);
  }

  handleDelivered() {
    this.values = NONE;
    if (this.isFlushHeld) this.scheduleFlush();
    if (this.isCalled || this.numbers[HAS_MORE] === 1) setImmediate(this.deliver);
  }

  dispatch(id, kind, number, value) {
    const connection = this.connections[id];
    switch (kind) {
      case TEXT:
        return connection.handleMessage(value, false);
      case BINARY:
        return connection.handleMessage(value, true);
      case SENT:
        return connection.handleSent(number);
      case PING:
        return connection.handlePing(value);
      case PONG:
        return connection.handlePong(value);
      case CLOSE:
        return connection.handleClose(number, value);
      case FAILED:
        return connection.handleFailure(...value, number);
      case PEER_ENDED:
        return connection.handlePeerEnd();
      case BACKLOG:
        return connection.handleBacklog(number);
      case RAW:
        return connection.handleRaw(value);
      case ENDED:
        return this.end(id, END_REASONS[number & END_REASON_MASK], number >> END_REASON_BITS);
    }
  }

  end(id, reason, errno) {
    const connection = this.connections[id];
    this.connections[id] = undefined;
    connection.handleRelease();
    // Only now may the number be another connection's.
    this.native.release(id);
    this.size--;
    if (this.size === 0) this.scheduleFlush();
    connection.handleEnd(reason, errno === 0 ? "" : getSystemErrorName(-errno));
  }

  /** The environment ends: what has been sent goes out, and all connections close. */
  shutDown() {
    // Their sockets are asked for their counters in `exit` listeners, too.
    for (const connection of this.connections) connection?.handleRelease();
    this.native.shutDown();
  }
}

let workers = null;

/** @returns {Workers} the one of this environment; made when first asked for */
function environmentWorkers() {
  if (workers === null) {
    workers = new Workers();
    stats.setWorkers(workers);
  }
  return workers;
}

module.exports = { Workers, environmentWorkers };
