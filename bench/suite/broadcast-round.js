"use strict";

const { contender } = require("../processes/contenders.js");
const { FloorProcess } = require("../processes/floor-process.js");
const { LoadClient } = require("../processes/load-client.js");
const { LOST, latencyMetrics, loadMetrics, usageMetrics } = require("./metrics.js");
const { ServerProcess } = require("../processes/server-process.js");

/**
 * The bounds of our figures, for the metrics that have some.
 *
 * @typedef {object} Asked
 * @property {Bound[]} [loop] event-loop time per broadcast
 * @property {Bound[]} [cpu] CPU time per delivered message
 * @property {Bound[]} [throughput] delivered messages per second
 * @property {Bound[]} [latency] 99th percentile of the time until a client has it
 * @property {Bound[]} [untilLast] 99th percentile of the time until the last client has it
 *
 * @typedef {import("./comparison.js").Bound} Bound
 * @typedef {import("../processes/broadcasting.js").Plan} Plan
 * @typedef {import("./index.js").Load & Partial<Plan> & Connecting & { asked?: Asked }} BroadcastLoad
 *
 * @typedef {object} Connecting of the load client
 * @property {boolean} [deflate] whether the connections have permessage-deflate
 * @property {boolean} [tls] whether they have TLS
 * @property {"websocket" | "polling" | "upgrade"} [transport] how clients connect; `"websocket"` unless
 *   it is given
 */

/**
 * Creates a scenario in which all contenders, and the floors, follow one plan for each load.
 *
 * @param {string} title
 * @param {BroadcastLoad[]} loads
 * @returns {import("./index.js").Scenario}
 */
function broadcastScenario(title, loads) {
  return {
    title,
    takesPart: () => true,
    loads,
    round: (name, load, timing) => broadcastRound(name, planOf(load, timing), load),
    metrics: ({ asked = {}, event }) => broadcastMetrics(asked, { event }),
  };
}

/**
 * @param {BroadcastLoad} load
 * @param {import("./index.js").Timing} timing
 * @returns {Plan} for at least as many seconds
 */
function planOf(load, { warmUp, seconds }) {
  const { clients, payload, event, rooms, roomsPerClient, rate, roomsPerTurn, burst, window } =
    load;
  const whom = { clients, payload, event, rooms, roomsPerClient };
  const measured = window === undefined ? wholeCycles(load, warmUp, seconds) : seconds;
  return { ...whom, rate, roomsPerTurn, burst, window, warmUp, seconds: measured };
}

/** Returns at least as many seconds, so that all rooms have equally many turns in all. */
function wholeCycles({ rooms, rate, roomsPerTurn }, warmUp, seconds) {
  const cycle = rooms / (rate * roomsPerTurn);
  // A sum such as 0.8 + 2 may be a little above what it stands for.
  const cycles = Math.ceil((warmUp + seconds) / cycle - 1e-6);
  return cycles * cycle - warmUp;
}

/**
 * Measures one contender, or a floor, while it broadcasts.
 *
 * @param {string} name
 * @param {Plan} plan
 * @param {Connecting & { isTimed?: boolean, isWeighed?: boolean }} [more] for a server: with `isTimed` of
 *   the plan, and whether the memory of the connections is measured
 * @returns {Promise<object>} what the server used, as usage.js's `Usage`, of which a floor has
 *   less; the number of `broadcasts` and of messages `delivered` meanwhile; the report of the
 *   load client as `load`; if the calls of `emit()` are timed, how long they took as `emitting`,
 *   in microseconds; if memory is measured, how much more the process has after the broadcasts than
 *   before the clients connected as `growth`, in bytes, or else NaN; how many messages were `lost` in all, 0
 * @throws {Error} if a message is lost, doubled, overtaken or astray
 */
async function broadcastRound(name, plan, more = {}) {
  const { isTimed, isWeighed, deflate, tls, transport } = more;
  const server = await start(name, plan, more);
  try {
    const before = isWeighed ? await server.ask("memory") : undefined;
    const options = { ...plan, deflate, tls, transport };
    const client = await LoadClient.connect("broadcast", server.port, options);
    const [usage, load] = await Promise.all([
      server.broadcast({ ...plan, isTimed }),
      client.report(),
    ]);
    const growth = isWeighed ? (await server.ask("memory")).rss - before.rss : Number.NaN;
    await client.stop();
    const recipients = (plan.clients * plan.roomsPerClient) / plan.rooms;
    const lost = usage.sent * recipients - load.received;
    if (lost !== 0) throw new Error(`of the messages of "${name}" ${lost} are missing`);
    return { ...usage, delivered: usage.broadcasts * recipients, load, growth, lost };
  } finally {
    await server.stop();
  }
}

function start(name, plan, connecting) {
  const { floor } = contender(name);
  return floor === undefined
    ? ServerProcess.start(name, serverOptions(connecting))
    : FloorProcess.start(floor, plan);
}

/**
 * @param {Connecting} connecting
 * @returns {import("../processes/server-process.js").ServerOptions} of the server for such clients
 */
function serverOptions({ deflate, tls, transport }) {
  return { perMessageDeflate: deflate, isSecure: tls, isPolled: transport === "polling" };
}

/**
 * @param {Asked} asked
 * @param {object} [options]
 * @param {Plan["event"]} [options.event] if it is a `tick`, event-loop time is counted by calls of
 *   `emit()`, of which each client has one
 * @param {import("./metrics.js").Companions} [options.companions]
 * @returns {import("./comparison.js").Metric[]} of what {@link broadcastRound} returns
 */
function broadcastMetrics(asked, { event, companions } = {}) {
  const delivered = (sample) => sample.delivered;
  const unit =
    event === "tick"
      ? { turn: "emit", turns: delivered }
      : { turn: "broadcast", turns: ({ broadcasts }) => broadcasts };
  return [
    ...usageMetrics({ ...unit, message: "delivered message", messages: delivered }, asked),
    LOST,
    {
      title: "delivered messages per second",
      of: (sample) => delivered(sample) / sample.seconds,
      digits: 0,
      // At a fixed rate it is the same for all.
      ...(asked.throughput && { asked: asked.throughput, isHeadline: true, better: "higher" }),
    },
    ...latencyMetrics("latency", ({ load }) => load.latency, {
      ...(asked.latency && { asked: asked.latency, isHeadline: true }),
    }),
    ...latencyMetrics("time until the last client has it", ({ load }) => load.untilLast, {
      asked: asked.untilLast,
      isHeadline: true,
    }),
    ...loadMetrics(loadCpu, delivered, companions),
  ];
}

/** Returns the CPU time of the load client during the measurement, in microseconds. */
function loadCpu({ delivered, load }) {
  return (load.cpu / load.received) * delivered;
}

module.exports = { broadcastMetrics, broadcastRound, broadcastScenario, planOf, serverOptions };
