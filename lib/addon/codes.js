"use strict";

const { binding } = require("./index.js");

/**
 * The numbers that both halves share, and the layouts of the arrays of numbers that cross between
 * them.
 *
 * Enumerations are read from the addon. Without it they have no members, and the code that uses
 * them does not run. Layouts are copies of those in `src/`, which `__test__/addon/codes.test.js`
 * verifies by sending numbers through the addon. Read members into constants of a module: the
 * lookup then stays out of the code that runs for each event.
 */

const enumeration = (name) => Object.freeze({ ...binding?.[name] });

/** The kind of an event of a connection; see src/binding/events.rs for its number and values. */
const EventKind = enumeration("EventKind");

/** The number of a heartbeat event. */
const HeartbeatStep = enumeration("HeartbeatStep");

/** The number of what is done when a client exceeds its limit. */
const RateLimitStep = enumeration("RateLimitStep");

/** The number of an event of a polling session that changes to a WebSocket. */
const UpgradeStep = enumeration("UpgradeStep");

/** The number of a state of a polling session. */
const PollingState = enumeration("PollingState");

/** The number of values of an event besides its numbers; 0 for the other kinds. */
const VALUES = {
  Text: 1,
  Binary: 1,
  Ping: 1,
  Pong: 1,
  Close: 1,
  Failed: 2,
  Raw: 1,
  Polled: 1,
  NamespaceEvent: 1,
  NamespaceAck: 1,
  Handshake: 4,
  Stream: 2,
  TlsFailed: 2,
};

function valueCounts() {
  const counts = [];
  for (const [name, kind] of Object.entries(EventKind)) counts[kind] = VALUES[name] ?? 0;
  return counts;
}

module.exports = {
  /** The kinds of delivery to one connection. */
  Delivery: enumeration("Delivery"),
  EventKind,
  HeartbeatStep,
  PollingState,
  RateLimitStep,
  UpgradeStep,
  /** By event kind. */
  VALUE_COUNTS: Object.freeze(valueCounts()),
  /** A batch of events: positions in its header, where events begin, and the length of each. */
  EventBatch: Object.freeze({
    COUNT: 0,
    HAS_MORE: 1,
    PACKETS: 2,
    FIRST_EVENT: 3,
    NUMBERS_PER_EVENT: 4,
  }),
  /** Positions within the numbers of an event. `LENGTH` is a packet's. */
  EventNumbers: Object.freeze({ ID: 0, KIND: 1, NUMBER: 2, LENGTH: 3 }),
  /** Names of the reasons for which connections end; indexed by the number of an `Ended` event. */
  END_REASONS: Object.freeze(binding?.endReasons?.() ?? []),
  /** Inclusive upper bounds of the buckets of histograms but the last, in milliseconds. */
  HISTOGRAM_BOUNDS: Object.freeze(binding?.histogramBounds?.() ?? []),
  /** The number of an `Ended` event: the reason in these bits, the system's error number above. */
  END_REASON_BITS: 8,
  /** Positions in the result of `traffic()`. */
  Traffic: Object.freeze({
    BYTES_READ: 0,
    BYTES_WRITTEN: 1,
    IDLE: 2,
    DESCRIPTOR: 3,
    REMOTE_PORT: 4,
  }),
  /**
   * Positions of the lengths of the lists of recipients, which is also the order of the lists;
   * `COUNT` lengths stand in front of the first list.
   */
  RecipientLists: Object.freeze({
    ROOMS: 0,
    MEMBERS: 1,
    EXCEPT_ROOMS: 2,
    EXCEPT_MEMBERS: 3,
    COUNT: 4,
  }),
  /** The kinds of address of direct members. */
  AddressKind: enumeration("AddressKind"),
  /** The kinds of subscription to a Redis channel. */
  SubscriptionKind: enumeration("SubscriptionKind"),
  /** The kinds of messages on a Redis channel. */
  MessageKind: enumeration("MessageKind"),
  /** The kind of an event of a link to Redis. */
  RedisEventKind: enumeration("RedisEventKind"),
  /** The deployments of Redis. */
  Topology: enumeration("Topology"),
};
