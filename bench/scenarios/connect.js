"use strict";

/**
 * Clients connect all at once, over WebSocket, as after a restart: what a client costs until it is
 * connected to its namespace.
 */

const { LoadClient } = require("../processes/load-client.js");
const { ServerProcess } = require("../processes/server-process.js");
const { latencyMetrics, loadMetrics, usageMetrics } = require("../suite/metrics.js");

/**
 * @returns {Promise<object>} usage.js's `Usage` from before the clients connect until all are
 *   connected, the report of the load client as `load`, and the number of `clients`
 */
async function round(name, { clients }) {
  const server = await ServerProcess.start(name);
  try {
    // So that V8 has optimised the path of a client.
    const first = await LoadClient.connect("connect", server.port, { clients });
    await first.report();
    await server.ask("start");
    const client = await LoadClient.connect("connect", server.port, { clients });
    const usage = await server.ask("stop");
    const load = await client.report();
    await Promise.all([first.stop(), client.stop()]);
    return { ...usage, load, clients };
  } finally {
    await server.stop();
  }
}

/** @type {import("../suite/index.js").Scenario} */
module.exports = {
  title: "Clients connect all at once: the cost of a client until it is connected to its namespace",
  loads: [
    {
      name: "500 clients beside 500",
      // As many as Node.js lets wait to be accepted: 511.
      clients: 500,
      contenders: ["ws", "uws", "eiows", "bun", "turbo", "socketioxide"],
    },
  ],
  round,
  metrics() {
    const clients = (sample) => sample.clients;
    const unit = { turn: "client", turns: clients, message: "client", messages: clients };
    return [
      ...usageMetrics(unit),
      ...latencyMetrics("time until a client is connected", ({ load }) => load.latency),
      ...loadMetrics(
        ({ load }) => load.cpu,
        () => Number.NaN,
      ),
    ];
  },
};
