"use strict";

/**
 * Up to 8,000 clients connect and do nothing: what a connection costs in memory, as the
 * slope of the resident set over their number. What the kernel holds is not in it.
 */

const { alternate, atMost, compare, print } = require("./comparison.js");
const { LoadClient } = require("./load-client.js");
const { slope } = require("./report.js");
const { ServerProcess } = require("./server-process.js");

const STEPS = [1_000, 2_000, 4_000, 8_000];

const METRICS = [
  {
    title: "RSS per connection, KiB",
    of: ({ points }) => slope(points.map(({ clients, rss }) => [clients, rss / 1024])),
    digits: 2,
    asked: atMost(0.75),
  },
  { title: "RSS at 8,000, MiB", of: ({ points }) => points.at(-1).rss / 2 ** 20, digits: 1 },
];

/** @returns {Promise<{ points: { clients: number, rss: number }[] }>} `rss` in bytes */
async function round(name) {
  const server = await ServerProcess.start(name);
  try {
    const points = [];
    const holders = [];
    for (const [index, clients] of STEPS.entries()) {
      const more = clients - (STEPS[index - 1] ?? 0);
      holders.push(await LoadClient.connect("idle", server.port, { clients: more }));
      points.push({ clients, rss: (await server.ask("memory")).rss });
    }
    await Promise.all(holders.map((holder) => holder.stop()));
    return { points };
  } finally {
    await server.stop();
  }
}

/**
 * @param {string[]} names of the contenders
 * @returns {Promise<object>} the figures, for `--json`
 */
async function run(names) {
  const samples = await alternate(names, round);
  const rows = compare("idle", METRICS, samples);
  print(rows);
  return { steps: STEPS, rows, samples };
}

module.exports = { run };
