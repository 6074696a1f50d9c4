"use strict";

/**
 * Clients connect and do nothing: what a connection costs in memory, as the slope of the
 * resident set over their number. What the kernel holds is not in it.
 */

const { atMost, serverAtMost } = require("../suite/comparison.js");
const { LoadClient } = require("../processes/load-client.js");
const { ServerProcess } = require("../processes/server-process.js");
const { slope } = require("../suite/statistics.js");

/** Of the clients; the slope has as many points. */
const STEPS = [1 / 8, 1 / 4, 1 / 2, 1];

/** @returns {Promise<{ points: { clients: number, rss: number }[] }>} `rss` in bytes */
async function round(name, { clients: all }) {
  const server = await ServerProcess.start(name, { isWeighed: true });
  try {
    const points = [];
    const holders = [];
    for (const [index, share] of STEPS.entries()) {
      const clients = all * (share - (STEPS[index - 1] ?? 0));
      holders.push(await LoadClient.connect("idle", server.port, { clients }));
      points.push({ clients: all * share, rss: (await server.ask("memory")).rss });
    }
    await Promise.all(holders.map((holder) => holder.stop()));
    return { points };
  } finally {
    await server.stop();
  }
}

/** @type {import("../suite/index.js").Scenario} */
module.exports = {
  title: "Clients connect and do nothing: memory of a connection",
  loads: [
    {
      name: "up to 8,000 clients",
      clients: 8_000,
      contenders: ["ws", "bun", "turbo", "server", "socketioxide"],
    },
  ],
  round,
  metrics: () => [
    {
      title: "idle RSS per connection, KiB",
      of: ({ points }) => slope(points.map(({ clients, rss }) => [clients, rss / 1024])),
      digits: 2,
      asked: [...atMost(0.75), ...serverAtMost(0.45)],
      isHeadline: true,
      better: "lower",
    },
    {
      title: "RSS with all connected, MiB",
      of: ({ points }) => points.at(-1).rss / 2 ** 20,
      digits: 1,
    },
  ],
};
