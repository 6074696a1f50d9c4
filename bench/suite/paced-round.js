"use strict";

const { setTimeout: sleep } = require("node:timers/promises");
const { serverOptions } = require("./broadcast-round.js");
const { LoadClient } = require("../processes/load-client.js");
const { LOST, loadMetrics, usageMetrics } = require("./metrics.js");
const { ServerProcess } = require("../processes/server-process.js");

/** The load outlasts the measurement, which thus holds nothing but load, unless this process is late. */
const OVERRUN_SECONDS = 0.25;

/** Deadline for the server to receive what the load client has sent. */
const DRAIN_MILLISECONDS = 5000;

/**
 * Measures one contender under clients that send at a fixed rate, whatever the server does, or
 * `requests` as fast as it answers. A measurement that outlasts its load, on a machine that is too busy
 * for it, is repeated.
 *
 * @param {string} name of the contender
 * @param {"inbound" | "echo" | "requests"} scenario
 * @param {import("./broadcast-round.js").Connecting & object} load of the load client; see
 *   {@link LoadClient.connect}
 * @param {number} load.clients
 * @param {number} [load.rate] messages per second
 * @param {number} [load.payload] bytes of each
 * @param {boolean} [load.records] whether they hold records
 * @param {boolean} [load.fresh] whether each request has a connection of its own
 * @param {import("./index.js").Timing} timing
 * @returns {Promise<object>} usage.js's `Usage` and the events `received` meanwhile; the report
 *   of the load client as `load`; how much CPU time that took meanwhile as `loadCpu`; how
 *   many messages were `lost`, 0
 * @throws {Error} if a message is lost
 */
async function pacedRound(name, scenario, load, timing) {
  for (;;) {
    const sample = await attempt(name, scenario, load, timing);
    if (sample !== undefined) return sample;
  }
}

/** @returns {Promise<object | undefined>} as {@link pacedRound}; `undefined` if it has to be repeated */
async function attempt(name, scenario, load, { warmUp, seconds }) {
  const { clients, rate, payload, records, deflate, tls, fresh } = load;
  const server = await ServerProcess.start(name, serverOptions(load));
  try {
    const duration = seconds + OVERRUN_SECONDS;
    const client = await LoadClient.connect(scenario, server.port, {
      clients,
      rate,
      payload,
      records,
      deflate,
      tls,
      fresh,
      warmUp,
      seconds: duration,
    });
    const [[usage, measured], [report, reported]] = await Promise.all([
      withEnd(measure(server, warmUp, seconds)),
      withEnd(client.report()),
    ]);
    const lost = await countLost(server, report.sent);
    if (lost > 0) throw new Error(`server "${name}" received ${lost} messages too few`);
    await client.stop();
    if (reported < measured) return undefined;
    const loadCpu = report.cpu * (usage.seconds / (warmUp + duration));
    return { ...usage, load: report, loadCpu, lost };
  } finally {
    await server.stop();
  }
}

/** @returns {Promise<[value: object, end: number]>} of a promise, and when it was there, in milliseconds */
async function withEnd(promise) {
  return [await promise, performance.now()];
}

async function measure(server, warmUp, seconds) {
  await sleep(warmUp * 1e3);
  await server.ask("start");
  await sleep(seconds * 1e3);
  return server.ask("stop");
}

/**
 * Waits until the server has received all messages, or for {@link DRAIN_MILLISECONDS}.
 *
 * @param {ServerProcess} server
 * @param {number} sent how many
 * @returns {Promise<number>} how many it has not received
 */
async function countLost(server, sent) {
  const end = performance.now() + DRAIN_MILLISECONDS;
  for (;;) {
    const { received } = await server.ask("received");
    if (received === sent || performance.now() > end) return sent - received;
    await sleep(50);
  }
}

/**
 * @param {string} unit what a received event is called
 * @param {{ loop?: Bound[], cpu?: Bound[] }} [asked]
 * @returns {import("./comparison.js").Metric[]} of what {@link pacedRound} returns
 *
 * @typedef {import("./comparison.js").Bound} Bound
 */
function pacedMetrics(unit, asked) {
  const received = (sample) => sample.received;
  return [
    ...usageMetrics({ turn: unit, turns: received, message: unit, messages: received }, asked),
    LOST,
    ...loadMetrics(({ loadCpu }) => loadCpu, received),
  ];
}

module.exports = { countLost, pacedMetrics, pacedRound };
