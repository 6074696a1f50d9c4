"use strict";

const { setTimeout: sleep } = require("node:timers/promises");
const { atMost } = require("./comparison.js");
const { LoadClient } = require("./load-client.js");
const { ServerProcess } = require("./server-process.js");

/** Long enough for V8 to optimise the path of a message. */
const WARM_UP_SECONDS = 1;
const MEASURED_SECONDS = 2.5;
/** The load goes on a little after the measurement, which then holds nothing else. */
const OVERRUN_SECONDS = 0.25;

/** How long the server may take to receive what the load client has sent. */
const DRAIN_MILLISECONDS = 5000;

/**
 * Measures one contender under clients that send at a fixed rate, whatever the server does.
 *
 * @param {string} name of the contender
 * @param {"inbound" | "echo"} scenario
 * @param {{ clients: number, rate: number, payload?: number }} load as
 *   {@link LoadClient.connect} takes it
 * @returns {Promise<object>} server.js's `Usage`; the report of the load client as `load`
 * @throws {Error} if a message is lost
 */
async function pacedRound(name, scenario, load) {
  const server = await ServerProcess.start(name);
  try {
    const client = await LoadClient.connect(scenario, server.port, {
      ...load,
      warmUp: WARM_UP_SECONDS,
      seconds: MEASURED_SECONDS + OVERRUN_SECONDS,
    });
    const usage = await measure(server);
    const report = await client.report();
    await checkReceived(server, name, report.sent);
    await client.stop();
    return { ...usage, load: report };
  } finally {
    await server.stop();
  }
}

async function measure(server) {
  await sleep(WARM_UP_SECONDS * 1e3);
  await server.ask("start");
  await sleep(MEASURED_SECONDS * 1e3);
  return server.ask("stop");
}

/** Waits until the server has received all that was sent. */
async function checkReceived(server, name, sent) {
  const end = performance.now() + DRAIN_MILLISECONDS;
  let received;
  do {
    ({ received } = await server.ask("received"));
    if (received === sent) return;
    await sleep(50);
  } while (performance.now() < end);
  throw new Error(`server "${name}" received ${received} of ${sent} messages`);
}

/**
 * What server.js's `Usage` comes to per message.
 *
 * @param {{ loop?: number, cpu?: number }} [asked] ratios to the baseline, at most
 * @returns {import("./comparison.js").Metric[]}
 */
const usageMetrics = (asked = {}) => [
  {
    title: "loop per message, µs",
    of: ({ loop, received }) => loop / received,
    digits: 2,
    asked: atMost(asked.loop),
  },
  {
    title: "CPU per message, µs",
    of: ({ cpu, received }) => cpu / received,
    digits: 2,
    asked: atMost(asked.cpu),
  },
  {
    title: "context switches per message",
    of: ({ contextSwitches, received }) => contextSwitches / received,
    digits: 2,
  },
  { title: "loop in use, %", of: ({ loop, seconds }) => loop / seconds / 1e4, digits: 1 },
  { title: "RSS, MiB", of: ({ rss }) => rss / 2 ** 20, digits: 1 },
];

/** CPU time of others than the server and the load client, in % of one core. */
function othersPercent({ machineCpu, cpu, seconds, load }) {
  const loadShare = seconds / (WARM_UP_SECONDS + MEASURED_SECONDS + OVERRUN_SECONDS);
  return (machineCpu - cpu - load.cpu * loadShare) / seconds / 1e4;
}

/**
 * What the load client took, how well it kept to its schedule, and who else was
 * there; none of it the server's. On a quiet machine the last two are small.
 */
const loadMetrics = [
  {
    title: "load client: CPU per message, µs",
    of: ({ load }) => load.cpu / load.sent,
    digits: 2,
  },
  { title: "load client: late by, p99, µs", of: ({ load }) => load.lateness.p99, digits: 0 },
  { title: "others: CPU, % of one core", of: othersPercent, digits: 0 },
];

module.exports = { loadMetrics, pacedRound, usageMetrics };
