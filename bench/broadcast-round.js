"use strict";

const { alternate, compare, print } = require("./comparison.js");
const { isFloor } = require("./contenders.js");
const { FloorProcess } = require("./floor-process.js");
const { LoadClient } = require("./load-client.js");
const { ServerProcess } = require("./server-process.js");

/**
 * What is asked of ours, for those metrics for which something is.
 *
 * @typedef {object} Asked
 * @property {Bound[]} [loop] time of the event loop per broadcast
 * @property {Bound[]} [cpu] CPU time per delivered message
 * @property {Bound[]} [throughput] delivered messages per second
 * @property {Bound[]} [untilLast] 99th percentile of the time until the last client has it
 *
 * @typedef {import("./comparison.js").Bound} Bound
 * @typedef {import("./broadcasting.js").Plan} Plan
 */

/**
 * A scenario in which all contenders, and the floors, follow one plan.
 *
 * @param {string} variant its name in the table
 * @param {Plan} plan
 * @param {Asked} asked
 * @returns {{ hasFloor: true, run: (names: string[]) => Promise<object> }} its module
 */
function broadcastScenario(variant, plan, asked) {
  const run = async (names) => {
    const samples = await alternate(names, (name) => broadcastRound(name, plan));
    const rows = compare(variant, broadcastMetrics(asked), samples);
    print(rows);
    return { plan, rows, samples };
  };
  return { hasFloor: true, run };
}

/**
 * Measures one contender, or floor, while it broadcasts.
 *
 * @param {string} name
 * @param {Plan} plan
 * @returns {Promise<object>} what the server used, as server.js's `Usage`, of which a
 *   floor has less; the number of `broadcasts` and of messages `delivered` meanwhile; the
 *   report of the load client as `load`
 * @throws {Error} if a message is lost, doubled, overtaken or astray
 */
async function broadcastRound(name, plan) {
  const server = await start(name, plan);
  try {
    const client = await LoadClient.connect("broadcast", server.port, plan);
    const [usage, load] = await Promise.all([server.broadcast(plan), client.report()]);
    await client.stop();
    const recipients = (plan.clients * plan.roomsPerClient) / plan.rooms;
    return { ...usage, delivered: usage.broadcasts * recipients, load };
  } finally {
    await server.stop();
  }
}

function start(name, plan) {
  return isFloor(name) ? FloorProcess.start(name, plan) : ServerProcess.start(name);
}

/**
 * @param {Asked} asked
 * @returns {import("./comparison.js").Metric[]}
 */
function broadcastMetrics(asked) {
  return [...usageMetrics(asked), ...latencyMetrics(asked), ...loadMetrics];
}

/** @returns {number} microseconds */
const loopPerBroadcast = ({ loop, broadcasts }) => loop / broadcasts;

/** What the server used. */
const usageMetrics = (asked) => [
  { title: "loop per broadcast, µs", of: loopPerBroadcast, digits: 1, asked: asked.loop },
  {
    title: "loop thread: CPU per broadcast, µs",
    of: ({ loopCpu, broadcasts }) => loopCpu / broadcasts,
    digits: 1,
  },
  {
    title: "CPU per delivered message, µs",
    of: ({ cpu, delivered }) => cpu / delivered,
    digits: 2,
    asked: asked.cpu,
  },
  {
    title: "delivered messages per second",
    of: ({ delivered, seconds }) => delivered / seconds,
    digits: 0,
    asked: asked.throughput,
  },
  {
    title: "context switches per broadcast",
    of: ({ contextSwitches, broadcasts }) => contextSwitches / broadcasts,
    digits: 2,
  },
  { title: "loop in use, %", of: ({ loop, seconds }) => loop / seconds / 1e4, digits: 1 },
  { title: "CPU, % of one core", of: ({ cpu, seconds }) => cpu / seconds / 1e4, digits: 1 },
  { title: "RSS, MiB", of: ({ rss }) => rss / 2 ** 20, digits: 1 },
];

/** How long the clients waited, from when a broadcast was due. */
const latencyMetrics = (asked) => [
  latency("latency, p50", ({ load }) => load.latency.p50),
  latency("latency, p99", ({ load }) => load.latency.p99),
  latency("until the last client has it, p50", ({ load }) => load.untilLast.p50),
  latency("until the last client has it, p99", ({ load }) => load.untilLast.p99, asked.untilLast),
  latency("until the last client has it, max", ({ load }) => load.untilLast.max),
];

const latency = (title, of, asked) => ({
  title: `${title}, ms`,
  of: (sample) => of(sample) / 1e3,
  digits: 2,
  asked,
});

/** What the load client took, and who else was there; none of it the server's. */
const loadMetrics = [
  {
    title: "load client: CPU per message, µs",
    of: ({ load }) => load.cpu / load.received,
    digits: 2,
  },
  {
    title: "load client: CPU, % of one core",
    of: (sample) => loadCpu(sample) / sample.seconds / 1e4,
    digits: 0,
  },
  {
    title: "others: CPU, % of one core",
    of: (sample) => (sample.machineCpu - sample.cpu - loadCpu(sample)) / sample.seconds / 1e4,
    digits: 0,
  },
];

/** CPU time of the load client during the measurement, in microseconds. */
function loadCpu({ delivered, load }) {
  return (load.cpu / load.received) * delivered;
}

module.exports = { broadcastMetrics, broadcastRound, broadcastScenario, loopPerBroadcast };
