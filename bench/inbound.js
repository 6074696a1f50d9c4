"use strict";

/**
 * 500 clients send 28,000 small events a second, evenly, and the server counts them:
 * what receiving a message costs.
 */

const { alternate, compare, print } = require("./comparison.js");
const { loadMetrics, pacedRound, usageMetrics } = require("./paced-round.js");

/** ws then uses about half of its event loop. */
const LOAD = { clients: 500, rate: 28_000 };

const METRICS = [...usageMetrics({ loop: 0.4, cpu: 0.8 }), ...loadMetrics];

/**
 * @param {string[]} names of the contenders
 * @returns {Promise<object>} the figures, for `--json`
 */
async function run(names) {
  const samples = await alternate(names, (name) => pacedRound(name, "inbound", LOAD));
  const rows = compare("inbound", METRICS, samples);
  print(rows);
  return { load: LOAD, rows, samples };
}

module.exports = { run };
