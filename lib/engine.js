"use strict";

const { AsyncResource, executionAsyncId } = require("node:async_hooks");
// Taken now: test tools replace those of the global object with ones that stand still.
const { nextTick } = require("node:process");
const { setImmediate } = require("node:timers");
const { getSystemErrorName } = require("node:util");
const { binding } = require("./native.js");
const { stats } = require("./stats.js");

/** Events that one turn of the event loop takes; the rest waits for the next. */
const EVENTS_PER_TURN = 512;

/** Where things stand in the numbers that the addon gives, as in src/binding/events.rs. */
const COUNT = 0;
const HAS_MORE = 1;
const FIRST_EVENT = 2;
const NUMBERS_PER_EVENT = 3;

/** What events run in: no request's context, as with a socket of Node.js. */
const context = new AsyncResource("socket.io-turbo");

/** No callback's id: nothing has been sent since the last flush. */
const NO_TURN = -1;

/** Nor this: what was sent belongs to another event. */
const OTHER_TURN = -2;

/** What Node.js says in the callbacks of promises. */
const PROMISE_TURN = 0;

const NONE = [];
const collect = (...values) => values;
const EMPTY = Buffer.alloc(0);

/** Kinds of events, as there. */
const TEXT = 0;
const BINARY = 1;
const SENT = 2;
const PING = 3;
const PONG = 4;
const CLOSE = 5;
const FAILED = 6;
const PEER_ENDED = 7;
const ENDED = 8;
const BACKLOG = 9;
const RAW = 10;

/**
 * The I/O workers of this environment: passes commands on once per turn, and events to
 * the connections that they concern.
 */
class Engine {
  constructor() {
    // Else events would run in the context of the first upgrade.
    this.native = new binding.Engine(() => context.runInAsyncScope(this.deliver));
    this.endReasons = binding.endReasons();
    /** Connections by their id. */
    this.connections = [];
    this.size = 0;
    /** Connections that keep the process alive. */
    this.referenced = 0;
    this.isFlushScheduled = false;
    /** What is to be flushed before, and after. */
    this.before = new Set();
    this.after = new Set();
    this.flushes = 0;
    /** The flush before which something was broadcast last. */
    this.broadcastBefore = -1;
    /** The callback of Node.js in which something was sent last, since the last flush. */
    this.turn = NO_TURN;
    /** Whether the promises that run now may be those of several events. */
    this.isCrowded = false;
    this.flush = this.flush.bind(this);
    this.deliver = this.deliver.bind(this);
    /** Events that have been taken: connection, kind and number of each, with a header. */
    this.numbers = new Uint32Array(FIRST_EVENT + EVENTS_PER_TURN * NUMBERS_PER_EVENT);
    /** The values of those that have one. */
    this.values = [];
    /** The events that have been delivered; short of all if a listener has thrown. */
    this.delivered = 0;
    this.deliveredValues = 0;
    /** What `native.prepare()` has been called with in this turn. */
    this.prepared = null;
    process.once("exit", () => this.shutDown());
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
    const { fd, bytesRead, bytesWritten } = handle;
    const configured = this.native.configure(options);
    const id = this.native.open(fd, input, configured, ioThreads, bytesRead, bytesWritten);
    this.connections[id] = connection;
    this.size++;
    this.setReferenced(true);
    this.scheduleFlush();
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

  flush() {
    this.isFlushScheduled = false;
    for (const part of this.before) part.flush();
    this.before.clear();
    this.flushes++;
    this.turn = NO_TURN;
    this.prepared = null;
    this.native.flush();
    for (const part of this.after) part.flush();
    this.after.clear();
  }

  /**
   * To be called before something is sent. A volatile packet is dropped if something was sent
   * in the same turn, for with ws the transport is not writable then; and a turn is there a
   * callback of Node.js: what handles one event. Here several events are delivered at once, and
   * their handlers run one after the other before the workers get their commands.
   */
  beginTurn() {
    const turn = executionAsyncId();
    const isSame = turn === this.turn && !(turn === PROMISE_TURN && this.isCrowded);
    if (isSame) return;
    // A flush begins a turn by itself.
    if (this.turn !== NO_TURN) this.native.beginTurn();
    this.turn = turn;
  }

  /**
   * Sends a Socket.IO packet to many.
   *
   * @param {Array<string | Uint8Array>} packet what the parser's encoder makes of it
   * @param {Uint32Array} recipients as `Recipients::decode` in src/adapter takes them
   * @param {boolean} isVolatile whether those are left out for whom something waits
   */
  broadcast(packet, recipients, isVolatile) {
    this.beginTurn();
    this.broadcastBefore = this.flushes;
    const attachments = packet.length > 1 ? packet.slice(1) : undefined;
    this.native.broadcast(packet[0], attachments, recipients, isVolatile);
    this.scheduleFlush();
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

  /**
   * Delivers what has come. A listener that throws does not keep the events of others
   * from them: they follow in the next turn.
   */
  deliver() {
    const isLate = this.delivered < this.numbers[COUNT];
    if (!isLate) {
      this.values = this.native.take(this.numbers, collect);
      this.delivered = 0;
      this.deliveredValues = 0;
      if (this.numbers[COUNT] > 1) this.handleCrowd();
    }
    try {
      this.deliverTaken();
    } finally {
      // Where nothing was taken, the workers have not been heard.
      const isThrown = this.delivered < this.numbers[COUNT];
      if (isLate || isThrown || this.numbers[HAS_MORE] === 1) setImmediate(this.deliver);
    }
  }

  /** Several events are delivered at once. */
  handleCrowd() {
    if (this.isCrowded) return;
    this.isCrowded = true;
    // Promises run after all ticks, and then this tick.
    queueMicrotask(() =>
      nextTick(() => {
        this.isCrowded = false;
      }),
    );
  }

  deliverTaken() {
    const { numbers } = this;
    while (this.delivered < numbers[COUNT]) {
      const index = FIRST_EVENT + this.delivered * NUMBERS_PER_EVENT;
      this.delivered++;
      if (this.turn !== NO_TURN) this.turn = OTHER_TURN;
      this.dispatch(numbers[index], numbers[index + 1], numbers[index + 2]);
    }
    this.values = NONE;
  }

  dispatch(id, kind, number) {
    const connection = this.connections[id];
    switch (kind) {
      case TEXT:
        return connection.handleMessage(this.nextValue(), false);
      case BINARY:
        return connection.handleMessage(this.nextValue(), true);
      case SENT:
        return connection.handleSent(number);
      case PING:
        return connection.handlePing(this.nextValue());
      case PONG:
        return connection.handlePong(this.nextValue());
      case CLOSE:
        return connection.handleClose(number, this.nextValue());
      case FAILED:
        return connection.handleFailure(...this.nextValue().split("\n"), number);
      case PEER_ENDED:
        return connection.handlePeerEnd();
      case BACKLOG:
        return connection.handleBacklog(number);
      case RAW:
        return connection.handleRaw(this.nextValue());
      case ENDED:
        return this.end(id, this.endReasons[number & 0xff], number >> 8);
    }
  }

  nextValue() {
    return this.values[this.deliveredValues++];
  }

  end(id, reason, errno) {
    const connection = this.connections[id];
    this.connections[id] = undefined;
    connection.handleRelease();
    // Only now may the number be another connection's.
    this.native.release(id);
    this.size--;
    connection.handleEnd(reason, errno === 0 ? "" : getSystemErrorName(-errno));
  }

  /** The environment ends: what has been sent goes out, and all connections close. */
  shutDown() {
    // Their sockets are asked for their counters in `exit` listeners, too.
    for (const connection of this.connections) connection?.handleRelease();
    this.native.shutDown();
  }
}

let engine = null;

/** @returns {Engine} the one of this environment; made when first asked for */
function environmentEngine() {
  if (engine === null) {
    engine = new Engine();
    stats.setEngine(engine);
  }
  return engine;
}

module.exports = { Engine, environmentEngine };
