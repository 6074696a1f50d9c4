"use strict";

/**
 * 100 clients send events that the server acknowledges with the same text: latency from
 * the time at which a message was due, and what an exchange costs.
 */

const { alternate, atMost, compare, print } = require("./comparison.js");
const { loadMetrics, pacedRound, usageMetrics } = require("./paced-round.js");

/** Rates at which ws uses about half of its event loop. */
const LOADS = {
  "64 B": { clients: 100, rate: 4_000, payload: 64 },
  "16 KiB": { clients: 100, rate: 1_000, payload: 16_384 },
};

const latency = (quantile, title, asked) => ({
  title: `latency, ${title}, ms`,
  of: ({ load }) => load.latency[quantile] / 1e3,
  digits: 3,
  asked: atMost(asked),
});

const METRICS = [
  latency("p50", "p50"),
  latency("p99", "p99", 1),
  latency("max", "max"),
  ...usageMetrics(),
  ...loadMetrics,
];

async function round(name, load) {
  const sample = await pacedRound(name, "echo", load);
  const { sent, received } = sample.load;
  if (received !== sent) throw new Error(`server "${name}" answered ${received} of ${sent}`);
  return sample;
}

/**
 * @param {string[]} names of the contenders
 * @returns {Promise<object>} the figures, for `--json`
 */
async function run(names) {
  const samples = {};
  const rows = [];
  for (const [variant, load] of Object.entries(LOADS)) {
    samples[variant] = await alternate(names, (name) => round(name, load));
    rows.push(...compare(variant, METRICS, samples[variant]));
  }
  print(rows);
  return { loads: LOADS, rows, samples };
}

module.exports = { run };
