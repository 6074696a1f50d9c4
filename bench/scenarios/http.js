"use strict";

/**
 * Ordinary requests to the HTTP server to which Socket.IO is attached: each of some clients sends the
 * next request as soon as one is answered, on a connection that is kept or on another. They concern Socket.IO only as far as its server
 * stands in front of them.
 */

const { SERVER } = require("../processes/contenders.js");
const { LOST, latencyMetrics, loadMetrics, usageMetrics } = require("../suite/metrics.js");
const { pacedRound } = require("../suite/paced-round.js");

const LOAD = { clients: 64, contenders: ["ws", "turbo", "server"] };

/** @type {import("../suite/index.js").Scenario} */
module.exports = {
  title: "Ordinary requests of HTTP beside Socket.IO",
  loads: [
    {
      ...LOAD,
      name: "64 connections that are kept",
      asked: [{ of: SERVER, to: "ws", atLeast: 0.95 }],
    },
    { ...LOAD, name: "a connection for each request, 64 at a time", fresh: true },
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
