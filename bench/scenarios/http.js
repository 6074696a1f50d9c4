"use strict";

/**
 * Ordinary requests to the HTTP server to which Socket.IO is attached: connections are kept, and each
 * sends the next request as soon as one is answered. They concern Socket.IO only as far as its server
 * stands in front of them.
 */

const { SERVER } = require("../processes/contenders.js");
const { LOST, latencyMetrics, loadMetrics, usageMetrics } = require("../suite/metrics.js");
const { pacedRound } = require("../suite/paced-round.js");

/** @type {import("../suite/index.js").Scenario} */
module.exports = {
  title: "Ordinary requests of HTTP beside Socket.IO",
  loads: [
    {
      name: "64 connections",
      clients: 64,
      contenders: ["ws", "turbo", "server"],
      asked: [{ of: SERVER, to: "ws", atLeast: 0.95 }],
    },
  ],
  round: (name, load, timing) => pacedRound(name, "requests", load, timing),
  metrics({ asked }) {
    const requests = ({ received }) => received;
    const unit = { turn: "request", turns: requests, message: "request", messages: requests };
    return [
      {
        title: "requests per second",
        of: ({ received, seconds }) => received / seconds,
        digits: 0,
        asked,
        isHeadline: true,
        better: "higher",
      },
      ...usageMetrics(unit),
      LOST,
      ...latencyMetrics("time until the answer", ({ load }) => load.latency),
      ...loadMetrics(({ loadCpu }) => loadCpu, requests),
    ];
  },
};
