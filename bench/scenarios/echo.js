"use strict";

/**
 * Clients send events that the server acknowledges with the same text: latency from the
 * time at which a message was due, and what an exchange costs.
 */

const { atMost } = require("../suite/comparison.js");
const { latencyMetrics } = require("../suite/metrics.js");
const { pacedMetrics, pacedRound } = require("../suite/paced-round.js");

const CLIENTS = {
  clients: 100,
  contenders: ["ws", "uws", "eiows", "bun", "turbo", "socketioxide"],
};

async function round(name, load, timing) {
  const sample = await pacedRound(name, "echo", load, timing);
  const { sent, received } = sample.load;
  if (received !== sent) throw new Error(`server "${name}" answered ${received} of ${sent}`);
  return sample;
}

/** @type {import("../suite/index.js").Scenario} */
module.exports = {
  title: "100 clients send events that are acknowledged with the same text",
  // Rates at which ws uses about half of its event loop.
  loads: [
    { ...CLIENTS, name: "4,000/s", rate: 4_000, payloads: [64] },
    { ...CLIENTS, name: "1,000/s", rate: 1_000, payloads: [16_384] },
  ],
  round,
  metrics: () => [
    ...latencyMetrics("latency", ({ load }) => load.latency, {
      asked: atMost(1),
      isHeadline: true,
    }),
    ...pacedMetrics("echo"),
  ],
};
