"use strict";

/**
 * The figures that scenarios with servers have in common.
 *
 * @typedef {import("./comparison.js").Metric} Metric
 * @typedef {import("./comparison.js").Bound} Bound
 */

/**
 * The server's use of resources per turn and per message.
 *
 * @param {object} unit
 * @param {string} unit.turn what the event loop's time is counted by, such as "broadcast"
 * @param {(sample: object) => number} unit.turns how many of them a sample has
 * @param {string} unit.message what CPU time is counted by, such as "delivered message"
 * @param {(sample: object) => number} unit.messages how many of them a sample has
 * @param {{ loop?: Bound[], cpu?: Bound[] }} [asked]
 * @returns {Metric[]} of usage.js's `Usage`
 */
function usageMetrics({ turn, turns, message, messages }, asked = {}) {
  const perMessage = (used) => (sample) => used(sample) / messages(sample);
  return [
    {
      title: `event-loop time per ${turn}, µs`,
      of: (sample) => sample.loop / turns(sample),
      digits: 2,
      asked: asked.loop,
      isHeadline: true,
      better: "lower",
    },
    {
      title: `CPU time of the loop's thread per ${turn}, µs`,
      of: (sample) => sample.loopCpu / turns(sample),
      digits: 2,
      better: "lower",
    },
    {
      title: `CPU per ${message}, µs`,
      of: perMessage(cpu),
      digits: 2,
      asked: asked.cpu,
      isHeadline: true,
      better: "lower",
    },
    { title: `user CPU per ${message}, µs`, of: perMessage(({ user }) => user), digits: 2 },
    { title: `system CPU per ${message}, µs`, of: perMessage(({ system }) => system), digits: 2 },
    {
      title: `context switches per ${turn}`,
      of: (sample) => sample.contextSwitches / turns(sample),
      digits: 2,
      better: "lower",
    },
    { title: "event loop in use, %", of: ({ loop, seconds }) => loop / seconds / 1e4, digits: 1 },
    { title: "CPU, % of one core", of: (sample) => percent(sample, cpu(sample)), digits: 1 },
    { title: "RSS, MiB", of: ({ rss }) => rss / 2 ** 20, digits: 1, better: "lower" },
  ];
}

/** The messages that a round has lost: none, or it would have failed. @type {Metric} */
const LOST = { title: "messages lost", of: ({ lost }) => lost, digits: 0 };

/** Returns the server's user and system time, in microseconds. */
function cpu({ user, system }) {
  return user + system;
}

/** Converts CPU time to % of one core. */
function percent({ seconds }, microseconds) {
  return microseconds / seconds / 1e4;
}

/**
 * @param {string} title
 * @param {(sample: object) => { p50: number, p99: number, max: number }} of in microseconds
 * @param {{ asked?: Bound[], isHeadline?: boolean }} [p99]
 * @returns {Metric[]} in milliseconds
 */
function latencyMetrics(title, of, p99 = {}) {
  return ["p50", "p99", "max"].map((quantile) => ({
    title: `${title}, ${quantile}, ms`,
    of: (sample) => of(sample)[quantile] / 1e3,
    digits: 3,
    better: "lower",
    ...(quantile === "p99" && p99),
  }));
}

/**
 * CPU use of the load client, and of all other processes, during the measurement; none of it the
 * server's. On a quiet machine the others use little.
 *
 * @param {(sample: object) => number} loadCpu of the load client, in microseconds
 * @param {(sample: object) => number} messages how many it handled meanwhile; NaN if none
 * @param {Companions} [companions]
 * @returns {Metric[]}
 *
 * @typedef {Record<string, (sample: object) => number | undefined>} Companions CPU time of the
 *   processes, by their names, that belong to a round besides, in microseconds; nothing where it
 *   has none
 */
function loadMetrics(loadCpu, messages, companions = {}) {
  const companionCpu = (sample) =>
    Object.values(companions).reduce((sum, of) => sum + (of(sample) ?? 0), 0);
  const others = (sample) =>
    sample.machineCpu - cpu(sample) - loadCpu(sample) - companionCpu(sample);
  return [
    ...Object.entries(companions).map(([name, of]) => ({
      title: `${name}: CPU, % of one core`,
      of: (sample) => percent(sample, of(sample)),
      digits: 1,
    })),
    {
      title: "load client: CPU per message, µs",
      of: (sample) => loadCpu(sample) / messages(sample),
      digits: 2,
    },
    {
      title: "load client: CPU, % of one core",
      of: (sample) => percent(sample, loadCpu(sample)),
      digits: 0,
    },
    {
      title: "others: CPU, % of one core",
      of: (sample) => percent(sample, others(sample)),
      digits: 0,
    },
  ];
}

module.exports = { LOST, latencyMetrics, loadMetrics, usageMetrics };
