"use strict";

/**
 * Clients connect all at once, as after a restart: what a client costs until it is connected to its
 * namespace, and has upgraded to WebSocket if it begins with long-polling.
 */

const { serverAtMost } = require("../suite/comparison.js");
const { LoadClient } = require("../processes/load-client.js");
const { ServerProcess } = require("../processes/server-process.js");
const { serverOptions } = require("../suite/broadcast-round.js");
const { latencyMetrics, loadMetrics, usageMetrics } = require("../suite/metrics.js");

/** How many connect before the others, at most: with 500, V8 still optimises the path of a client. */
const FIRST_CLIENTS = 2_000;

/**
 * @returns {Promise<object>} usage.js's `Usage` from before the clients connect until all are
 *   connected, the report of the load client as `load`, and the number of `clients`
 */
async function round(name, { clients, tls, transport }) {
  const server = await ServerProcess.start(name, serverOptions({ tls, transport }));
  try {
    const options = { tls, transport };
    const first = await LoadClient.connect("connect", server.port, {
      ...options,
      clients: Math.min(clients, FIRST_CLIENTS),
    });
    await first.report();
    await server.ask("start");
    const client = await LoadClient.connect("connect", server.port, { ...options, clients });
    const usage = await server.ask("stop");
    const load = await client.report();
    await Promise.all([first.stop(), client.stop()]);
    return { ...usage, load, clients };
  } finally {
    await server.stop();
  }
}

const STORM = {
  clients: 4_000,
  contenders: ["ws", "turbo", "server"],
  asked: { loop: serverAtMost(0.15), cpu: serverAtMost(0.4) },
  isSlow: true,
};

/** @returns {import("../suite/comparison.js").Metric[]} of what {@link round} returns */
function metrics({ asked }) {
  const clients = (sample) => sample.clients;
  const unit = { turn: "client", turns: clients, message: "client", messages: clients };
  return [
    ...usageMetrics(unit, asked),
    ...latencyMetrics("time until a client is connected", ({ load }) => load.latency),
    ...loadMetrics(
      ({ load }) => load.cpu,
      () => Number.NaN,
    ),
  ];
}

/** @type {import("../suite/index.js").Scenario} */
module.exports = {
  title: "Clients connect all at once: the cost of a client until it is connected to its namespace",
  loads: [
    {
      name: "500 clients beside 500",
      clients: 500,
      contenders: ["ws", "uws", "eiows", "bun", "turbo", "server", "socketioxide"],
    },
    { ...STORM, name: "4,000 clients" },
    { ...STORM, name: "4,000 clients that poll and upgrade", transport: "upgrade" },
  ],
  round,
  metrics,
};
