"use strict";

// Taken now: test tools replace that of the global object with one that stands still.
const { setImmediate } = require("node:timers");
const { PendingEvents } = require("./pending-events.js");

/** The most events taken from the workers at once; the rest waits for the next turn of the loop. */
const EVENTS_PER_BATCH = 512;

/** The layout of the numbers that the addon fills in, as in src/binding/events.rs. */
const COUNT = 0;
const HAS_MORE = 1;
const FIRST_EVENT = 2;
const NUMBERS_PER_EVENT = 3;

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

/** By kind: true if an event has a value beside its numbers. */
const HAS_VALUE = [true, true, false, true, true, true, true, false, false, false, true];

const NO_CONNECTION = -1;
const NO_VALUES = [];
const collect = (...values) => values;

/**
 * A batch of the workers' events: takes one from the addon, and delivers the events of each
 * connection in a turn of their own and in the connection's asynchronous context.
 *
 * `take()` schedules one delivery for each run of events of the same connection. Each delivery takes
 * the run at the position that the batch has reached by then. The next batch is taken when the last
 * event is delivered.
 */
class EventBatch extends PendingEvents {
  #workers;
  /** Connection, kind and number of each event, behind a header. */
  #numbers = new Uint32Array(FIRST_EVENT + EVENTS_PER_BATCH * NUMBERS_PER_EVENT);
  /** The values of the events that have one. */
  #values = NO_VALUES;
  /** How many of the batch's events and values have been delivered. */
  #delivered = 0;
  #deliveredValues = 0;
  /** The connection whose events are being delivered. */
  #current = NO_CONNECTION;
  /** Set if the workers have called while a batch was being delivered. */
  #isCalled = false;

  /** @param {import("./workers.js").Workers} workers */
  constructor(workers) {
    super();
    this.#workers = workers;
    this.take = this.take.bind(this);
  }

  /** True while events of the batch have not been delivered. */
  get isDelivering() {
    return this.#delivered < this.#numbers[COUNT];
  }

  /** Takes the next batch, unless one is being delivered. The workers call it when there are events. */
  take() {
    // After a listener has thrown, the rest may wait for longer than the workers do.
    this.#isCalled = this.isDelivering;
    if (this.#isCalled) return;
    const numbers = this.#numbers;
    this.#values = this.#workers.native.take(numbers, collect);
    this.#delivered = 0;
    this.#deliveredValues = 0;
    let last = NO_CONNECTION;
    for (let event = 0; event < numbers[COUNT]; event++) {
      const id = numbers[positionOf(event)];
      if (id !== last) this.schedule();
      last = id;
    }
    if (last === NO_CONNECTION) this.handleDelivered();
  }

  /** True if the next event belongs to the run that is being delivered. */
  get hasEvents() {
    return this.isDelivering && this.#numbers[positionOf(this.#delivered)] === this.#current;
  }

  deliverEvents() {
    const id = this.#numbers[positionOf(this.#delivered)];
    const connection = this.#workers.connections[id];
    this.#current = id;
    if (connection.isReady) connection.context.runInAsyncScope(this.deliverRun, this, id, dispatch);
    else this.deliverRun(id, postpone);
  }

  /** @private Not `#deliverRun()`: with Node 20 a call of that costs 8 ns more, of 65 for a run. */
  deliverRun(id, handle) {
    while (this.hasEvents) {
      const position = positionOf(this.#delivered);
      const kind = this.#numbers[position + 1];
      const value = HAS_VALUE[kind] ? this.#values[this.#deliveredValues++] : undefined;
      this.#delivered++;
      handle(this.#workers, id, kind, this.#numbers[position + 2], value);
    }
  }

  handleDelivered() {
    if (this.isDelivering) return;
    this.#values = NO_VALUES;
    this.#workers.handleDelivered();
    if (this.#isCalled || this.#numbers[HAS_MORE] === 1) setImmediate(this.take);
  }
}

/** Returns the index of an event's numbers. */
function positionOf(event) {
  return FIRST_EVENT + event * NUMBERS_PER_EVENT;
}

/** Leaves an event to its connection until that is ready for it. */
function postpone(workers, id, ...event) {
  workers.connections[id].postpone(() => dispatch(workers, id, ...event));
}

/** Calls the method of a connection that handles events of a kind. */
function dispatch(workers, id, kind, number, value) {
  const connection = workers.connections[id];
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
      return connection.handleFailure(...value.split("\n"), number);
    case PEER_ENDED:
      return connection.handlePeerEnd();
    case BACKLOG:
      return connection.handleBacklog(number);
    case RAW:
      return connection.handleRaw(value);
    case ENDED:
      return workers.handleEnd(id, number & 0xff, number >> 8);
  }
}

module.exports = { EventBatch };
