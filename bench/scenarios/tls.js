"use strict";

/**
 * The server has TLS: what a broadcast, a message that clients send, a client that connects, and an
 * ordinary request cost then. `ws` and `turbo` are on https.createServer(), `server` on
 * turbo.createSecureServer().
 */

const { missingOpenssl } = require("../processes/certificate.js");
const { SERVER, contender, isFloor } = require("../processes/contenders.js");
const { broadcastMetrics, broadcastRound, planOf } = require("../suite/broadcast-round.js");
const { serverAtMost } = require("../suite/comparison.js");
const { pacedMetrics, pacedRound } = require("../suite/paced-round.js");
const connect = require("./connect.js");
const http = require("./http.js");

const COMMON = { tls: true, contenders: ["ws", "turbo", "server"] };

/** One round each by the kind of a load. */
const ROUNDS = {
  broadcast: (name, load, timing) => broadcastRound(name, planOf(load, timing), load),
  inbound: (name, load, timing) => pacedRound(name, "inbound", load, timing),
  connect: connect.round,
  http: http.round,
};

const METRICS = {
  broadcast: ({ asked }) => broadcastMetrics(asked),
  inbound: ({ asked }) => pacedMetrics("received message", asked),
  connect: connect.metrics,
  http: http.metrics,
};

/** @type {import("../suite/index.js").Scenario} */
module.exports = {
  title: "The server has TLS: broadcasts, received events, clients that connect, ordinary requests",
  missing: missingOpenssl,
  isSlow: true,
  // Those on a server of https.
  takesPart: (name) => !isFloor(name) && contender(name).options !== undefined,
  loads: [
    {
      ...COMMON,
      kind: "broadcast",
      name: "broadcasts to 1,000 clients, 20/s",
      clients: 1_000,
      payloads: [128],
      rooms: 1,
      roomsPerClient: 1,
      rate: 20,
      roomsPerTurn: 1,
      burst: 1,
      asked: { loop: serverAtMost(0.05), cpu: serverAtMost(0.6) },
    },
    {
      ...COMMON,
      kind: "inbound",
      name: "received messages, 14,000/s",
      clients: 500,
      payloads: [60],
      rate: 14_000,
      asked: { cpu: serverAtMost(0.6) },
    },
    {
      ...COMMON,
      kind: "connect",
      name: "1,000 clients connect at once",
      clients: 1_000,
      asked: { cpu: serverAtMost(0.6) },
    },
    {
      ...COMMON,
      kind: "http",
      name: "ordinary requests on 64 connections",
      clients: 64,
      asked: [{ of: SERVER, to: "ws", atLeast: 1 }],
    },
  ],
  round: (name, load, timing) => ROUNDS[load.kind](name, load, timing),
  metrics: (load) => METRICS[load.kind](load),
};
