"use strict";

/**
 * The metrics of this environment, whatever they are exported to: names, units, help texts, and where
 * their values come from. `docs/monitoring.md` lists them.
 */

const { binding } = require("../addon/index.js");
const { stats } = require("../stats.js");

/**
 * @typedef {object} Metric
 * @property {"counter" | "gauge" | "histogram"} kind
 * @property {string} name words between dots, without prefix and unit
 * @property {string} help
 * @property {string} [unit] of UCUM, as in OpenTelemetry
 * @property {string} [label] the values of `read()` are an object by the values of this label
 * @property {(snapshot: object) => number | Record<string, number> | import("../../index.js").Histogram} read
 *   times of a histogram in milliseconds
 */

/** The prefix of all names. */
const PREFIX = "socketio_turbo";

function metric(kind, name, help, read, more) {
  return { kind, name, help, read, ...more };
}

const counter = metric.bind(null, "counter");
const gauge = metric.bind(null, "gauge");
const histogram = metric.bind(null, "histogram");

const BYTES = { unit: "By" };
const SECONDS = { unit: "s" };
const BY_REASON = { label: "reason" };
const BY_STATE = { label: "state" };

/** @type {Metric[]} */
const ENGINE_METRICS = [
  gauge("native", "1 if the addon is loaded, else 0", (each) => each.native),
  gauge("connections", "Connections on I/O threads", (each) => each.connections.native),
  counter(
    "handshakes",
    "WebSocket handshakes that have begun",
    (each) => each.connections.handshakes,
  ),
  counter(
    "connections.opened",
    "Connections taken over by I/O threads",
    (each) => each.connections.opened,
  ),
  counter("connections.ended", "Connections ended", (each) => each.connections.ended, BY_REASON),
  counter(
    "connections.fallback",
    "Connections left to ws",
    (each) => each.connections.fallback,
    BY_REASON,
  ),
  counter(
    "server.accepted",
    "Connections that I/O threads have accepted",
    (each) => each.server.accepted,
  ),
  gauge(
    "server.http_connections",
    "Accepted connections whose next request is awaited",
    (each) => each.server.httpConnections,
  ),
  counter(
    "server.sessions",
    "Sessions that I/O threads have opened",
    (each) => each.server.sessions,
  ),
  counter(
    "server.refused",
    "Requests for a session that were refused on I/O threads",
    (each) => each.server.refused,
  ),
  counter(
    "server.passed",
    "Connections that I/O threads accepted and passed to Node.js",
    (each) => each.server.passed,
    BY_REASON,
  ),
  counter(
    "server.tls_failed",
    "Clients that did not agree with an I/O thread about TLS",
    (each) => each.server.tlsFailed,
  ),
  counter(
    "server.fallback",
    "Servers whose connections Node.js accepts",
    (each) => each.server.fallback,
    BY_REASON,
  ),
  gauge("queued", "Bytes that wait to be written", (each) => each.queuedBytes, BYTES),
  gauge(
    "slow_clients",
    "Connections for which more than highWaterMark waits",
    (each) => each.slowClients,
  ),
  histogram(
    "delivery",
    "Times from the end of the turn that sent a frame until the operating system had taken it",
    (each) => each.delivery,
    SECONDS,
  ),
  histogram(
    "loop_lag",
    "Times from the notification of JavaScript until it took the events",
    (each) => each.loopLag,
    SECONDS,
  ),
  counter("messages.received", "Messages received", (each) => each.messagesIn),
  counter("frames.sent", "Frames added to send queues", (each) => each.framesOut),
  counter("received", "Bytes read from connections", (each) => each.bytesIn, BYTES),
  counter("sent", "Bytes taken by the operating system", (each) => each.bytesOut, BYTES),
  counter("read_calls", "System calls that read", (each) => each.reads),
  counter("write_calls", "System calls that wrote", (each) => each.writes),
  counter("broadcasts", "Broadcasts, counted once for each I/O thread", (each) => each.broadcasts),
  counter("volatile_dropped", "Volatile packets dropped", (each) => each.volatileDropped),
  counter("replaced", "Packets of latest() that a newer one has replaced", (each) => each.replaced),
  counter("wakes", "Batches of commands from JavaScript", (each) => each.wakes),
  counter("notifications", "Batches of events for JavaScript", (each) => each.notifications),
  counter("stalls", "Pauses of reading while JavaScript was behind", (each) => each.stalls),
  counter(
    "rate_limit.pauses",
    "Pauses of reading because of rateLimit",
    (each) => each.rateLimitPauses,
  ),
  counter(
    "rate_limit.dropped",
    "Events dropped because of rateLimit",
    (each) => each.rateLimitDropped,
  ),
];

/** By the field of `RedisStats`: the name and the help text of a counter. */
const REDIS_COUNTERS = {
  received: ["messages.received", "Messages received from Redis"],
  filtered: ["messages.filtered", "Broadcasts without a recipient on this node"],
  own: ["messages.own", "Broadcasts of this node, received back"],
  delivered: ["messages.delivered", "Broadcasts that went to the I/O threads without JavaScript"],
  served: ["messages.served", "Messages that JavaScript served"],
  malformed: ["messages.malformed", "Messages dropped because they could not be decoded"],
  published: ["messages.published", "Messages taken by Redis"],
  publishDropped: ["publish_dropped", "Messages dropped because too much waited for Redis"],
  publishFailed: ["publish_failed", "Messages that Redis refused or may have missed"],
  reconnections: ["reconnections", "How often a connection to Redis was made again"],
};

/** @type {Metric[]} */
const REDIS_METRICS = [
  gauge("redis.connections", "Connections to Redis", ({ redis }) => countStates(redis), BY_STATE),
  gauge("redis.queued", "Bytes that wait for Redis", ({ redis }) => queuedBytes(redis), BYTES),
  ...Object.entries(REDIS_COUNTERS).map(([field, [name, help]]) =>
    counter(`redis.${name}`, help, ({ redisTotals }) => redisTotals[field]),
  ),
];

function countStates(links) {
  const states = { connecting: 0, ready: 0 };
  for (const { state } of links) if (state in states) states[state]++;
  return states;
}

function queuedBytes(links) {
  return links.reduce((sum, link) => sum + link.queuedBytes, 0);
}

/** The snapshot of this turn; see {@link snapshot}. */
let current = null;

/**
 * Returns the values from which metrics are read. All metrics of one scrape are read in one go, so they
 * share what the counters were when the first was read.
 *
 * @returns {object} for `read()` of a metric
 */
function snapshot() {
  if (current === null) {
    current = {
      ...stats.read(),
      native: Number(binding !== null),
      redisTotals: stats.readRedisTotals(Object.keys(REDIS_COUNTERS)),
    };
    queueMicrotask(() => {
      current = null;
    });
  }
  return current;
}

/**
 * Returns the cumulative counts of a histogram as both exporters want them.
 *
 * @param {import("../../index.js").Histogram} histogram
 * @returns {Array<[le: string, count: number]>} by the upper bound of each bucket in seconds
 */
function cumulativeBuckets({ bounds, counts }) {
  let total = 0;
  return counts.map((count, index) => {
    total += count;
    return [index < bounds.length ? String(bounds[index] / 1000) : "+Inf", total];
  });
}

module.exports = {
  METRICS: Object.freeze([...ENGINE_METRICS, ...REDIS_METRICS]),
  PREFIX,
  cumulativeBuckets,
  snapshot,
};
