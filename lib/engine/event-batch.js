"use strict";

// Taken now: test tools replace that of the global object with one that stands still.
const { setImmediate } = require("node:timers");
const codes = require("../addon/codes.js");
const { PacketBatch, isPacketKind } = require("./packet-batch.js");
const { PendingEvents } = require("./pending-events.js");

/** The most events taken from the workers at once; the rest waits for the next turn of the loop. */
const EVENTS_PER_BATCH = 512;

const { COUNT, HAS_MORE, PACKETS, FIRST_EVENT, NUMBERS_PER_EVENT } = codes.EventBatch;
const { KIND, NUMBER, LENGTH } = codes.EventNumbers;
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
  Heartbeat: HEARTBEAT,
  RateLimited: RATE_LIMITED,
  Upgrade: UPGRADE,
  Polled: POLLED,
  PayloadEnded: PAYLOAD_ENDED,
  Reached: REACHED,
  Passed: PASSED,
  Handshake: HANDSHAKE,
  Stream: STREAM,
  StreamFailed: STREAM_FAILED,
  TlsFailed: TLS_FAILED,
} = codes.EventKind;
const END_REASON_MASK = (1 << END_REASON_BITS) - 1;

const NO_CONNECTION = -1;
const NO_VALUES = [];
const collect = (...values) => values;

/**
 * A batch of the workers' events: takes one from the addon, and delivers the events of each
 * connection in a turn of their own and in the connection's asynchronous context.
 *
 * `take()` delivers the first run of events of the same connection, and schedules one delivery for
 * each further run: it is called in a turn of its own itself. Each delivery takes the run at the
 * position that the batch has reached by then. The next batch is taken after the last event is
 * delivered, and in no turn before the immediates that listeners have scheduled.
 *
 * Apart from `take()` and `isDelivering`, all is private, but not `#private`: with Node 20 that costs
 * 2 ns for each event, of 25, and private methods cost 3 ns more.
 */
class EventBatch extends PendingEvents {
  workers;
  /** Connection, kind and number of each event, behind a header. */
  numbers = new Uint32Array(FIRST_EVENT + EVENTS_PER_BATCH * NUMBERS_PER_EVENT);
  /** The values of the events that have one. */
  values = NO_VALUES;
  /** The packets among the events. */
  packets = new PacketBatch();
  /** The numbers of the batch's events and values that have been delivered. */
  delivered = 0;
  deliveredValues = 0;
  /** The connection whose events are being delivered. */
  current = NO_CONNECTION;
  /** Set if the workers have called while a batch was being delivered, or during the rest after it. */
  isCalled = false;
  /** Set from the end of a batch until the immediates that its listeners schedule are run. */
  isResting = false;

  /** @param {import("./workers.js").Workers} workers */
  constructor(workers) {
    super();
    this.workers = workers;
    this.take = this.take.bind(this);
    this.rest = this.rest.bind(this);
  }

  /** True while events of the batch have not been delivered. */
  get isDelivering() {
    return this.delivered < this.numbers[COUNT];
  }

  /** Takes the next batch, unless one is being delivered. The workers call it when there are events. */
  take() {
    // After a listener has thrown, the rest may wait for longer than the workers do.
    this.isCalled = this.isDelivering || this.isResting;
    if (this.isCalled) return;
    const { numbers } = this;
    this.values = this.workers.native.take(numbers, collect);
    if (numbers[PACKETS] > 0) this.packets.load(this.values.pop());
    this.delivered = 0;
    this.deliveredValues = 0;
    for (let event = 1; event < numbers[COUNT]; event++) {
      if (numbers[positionOf(event)] !== numbers[positionOf(event - 1)]) this.schedule();
    }
    if (this.isDelivering) this.deliver();
    else this.handleDelivered();
  }

  /** True if the next event belongs to the run that is being delivered. */
  get hasEvents() {
    const { delivered, numbers } = this;
    return delivered < numbers[COUNT] && numbers[positionOf(delivered)] === this.current;
  }

  deliverEvents() {
    const id = this.numbers[positionOf(this.delivered)];
    const connection = this.workers.connections[id];
    this.current = id;
    if (connection.isReady) connection.context.runInAsyncScope(this.deliverRun, this, id, dispatch);
    else this.deliverRun(id, postpone);
  }

  /** @private */
  deliverRun(id, handle) {
    const { numbers } = this;
    while (this.hasEvents) {
      const position = positionOf(this.delivered);
      const kind = numbers[position + KIND];
      const number = numbers[position + NUMBER];
      const length = numbers[position + LENGTH];
      const first = this.deliveredValues;
      const count = VALUE_COUNTS[kind];
      this.delivered++;
      this.deliveredValues = first + count;
      const value = count === 1 ? this.values[first] : severalOrNone(this.values, first, count);
      if (isPacketKind(kind)) {
        this.packets.next(kind, number, length, value);
        this.deliverPacket(id, handle);
      } else {
        handle(this.workers, id, kind, number, value, length);
      }
      // In the place of a timer, or of another connection: what comes next has a turn of its own.
      if (kind === HEARTBEAT || kind >= PASSED) return;
    }
  }

  /** @private */
  deliverPacket(id, handle) {
    if (handle === dispatch) this.workers.connections[id].handlePacket(this.packets);
    else handle(this.workers, id, TEXT, 0, this.packets.text, 0);
  }

  handleDelivered() {
    if (this.isDelivering) return;
    this.values = NO_VALUES;
    this.packets.clear();
    this.workers.handleDelivered();
    this.isResting = true;
    setImmediate(this.rest);
  }

  /**
   * Ends the rest. Node.js can call for several notifications in one turn, while it reads a socket once
   * before it runs immediates. Those of listeners that are called in ticks are behind this one.
   *
   * @private
   */
  rest() {
    this.isResting = false;
    if (this.isCalled || this.numbers[HAS_MORE] === 1) setImmediate(this.take);
  }
}

/** Returns the index of an event's numbers. */
function positionOf(event) {
  return FIRST_EVENT + event * NUMBERS_PER_EVENT;
}

/** Returns the values of an event that does not have exactly one: an array, `undefined` for none. */
function severalOrNone(values, first, count) {
  return count === 0 ? undefined : values.slice(first, first + count);
}

/** Leaves an event to its connection until that is ready for it. */
function postpone(workers, id, ...event) {
  workers.connections[id].postpone(() => dispatch(workers, id, ...event));
}

/** Calls the method of a connection that handles events of a kind. */
function dispatch(workers, id, kind, number, value, length) {
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
      return connection.handleFailure(...value, number);
    case PEER_ENDED:
      return connection.handlePeerEnd();
    case BACKLOG:
      return connection.handleBacklog(number);
    case HEARTBEAT:
      return connection.handleHeartbeat(number);
    case RATE_LIMITED:
      return connection.handleRateLimited(number);
    case UPGRADE:
      return connection.handleUpgradeStep(number);
    case POLLED:
      return connection.handlePolled(value);
    case PAYLOAD_ENDED:
      return connection.handlePayloadEnded();
    case REACHED:
      return connection.handleReached(number);
    case RAW:
      return connection.handleRaw(value);
    case PASSED:
      return connection.handlePassed(number, length === 1);
    case HANDSHAKE:
      return connection.handleHandshake(number, length, value);
    case STREAM:
      return connection.handleStream(number, length, ...value);
    case STREAM_FAILED:
      return connection.handleStreamFailed(number);
    case TLS_FAILED:
      return connection.handleTlsFailure(...value);
    case ENDED:
      return workers.handleEnd(
        id,
        END_REASONS[number & END_REASON_MASK],
        number >> END_REASON_BITS,
      );
  }
}

module.exports = { EventBatch };
