"use strict";

/** Clients send small events, evenly, and the server counts them. */

const { atMost } = require("../suite/comparison.js");
const { pacedMetrics, pacedRound } = require("../suite/paced-round.js");

/** ws then uses about half of its event loop. */
const LOAD = { name: "500 clients, 28,000/s", clients: 500, rate: 28_000 };

/** @type {import("../suite/index.js").Scenario} */
module.exports = {
  title: "500 clients send small events: what receiving a message costs",
  loads: [
    {
      ...LOAD,
      contenders: ["ws", "uws", "eiows", "bun", "parser", "engine", "turbo", "socketioxide"],
      payloads: [60],
    },
    { ...LOAD, contenders: ["ws", "turbo"], payloads: [1024] },
  ],
  round: (name, load, timing) => pacedRound(name, "inbound", load, timing),
  metrics: () => [
    ...pacedMetrics("received message", { loop: atMost(0.4), cpu: atMost(0.8) }),
    {
      title: "load client: late by, p99, µs",
      of: ({ load }) => load.lateness.p99,
      digits: 0,
    },
  ],
};
