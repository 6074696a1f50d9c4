"use strict";

/**
 * The cost of a broadcast for the two nodes of a cluster. One node emits, the other receives through
 * Redis; either is measured. All processes share the machine with the load client.
 */

const { broadcastMetrics, broadcastRound, planOf } = require("../suite/broadcast-round.js");
const { clusterRound } = require("../suite/cluster-round.js");
const { atMost } = require("../suite/comparison.js");
const { ALONE, isNode } = require("../processes/contenders.js");
const { LOST, loadMetrics, usageMetrics } = require("../suite/metrics.js");
const { missingRedis } = require("../processes/redis-process.js");

/** The load of the scenario `broadcast`. */
const BROADCAST = {
  command: "broadcast",
  clients: 1_000,
  rooms: 1,
  roomsPerClient: 1,
  rate: 40,
  roomsPerTurn: 1,
  burst: 1,
  payloads: [128],
  startSeconds: 0.5,
};

const RECEIVING = {
  ...BROADCAST,
  name: "receiving node, 1,000 clients, 40/s",
  measured: "receiving",
  audience: { receiving: 1_000 },
  contenders: ["ws", "turbo"],
  asked: { loop: atMost(0.01), cpu: atMost(0.5), latency: atMost(0.8) },
};

/** Messages to rooms without members: with members, the deliveries would dominate the cost. */
const ELSEWHERE = {
  ...BROADCAST,
  name: "receiving node, 2,000/s for others",
  command: "publish",
  measured: "receiving",
  audience: { receiving: 1_000 },
  rooms: 100,
  // As often as Node's timers go.
  rate: 1_000,
  roomsPerTurn: 2,
  contenders: ["ws", "turbo"],
  asked: { cpu: atMost(0.2) },
};

const NO_DEARER = [{ to: ALONE, atMost: 1.3 }];

/** The few clients of the other node see that everything gets there. */
const EMITTING = {
  ...BROADCAST,
  name: "emitting node, 1,000 clients, 40/s",
  measured: "emitting",
  audience: { emitting: 1_000, receiving: 10 },
  contenders: ["ws", "turbo", ALONE],
  asked: { loop: NO_DEARER, emit: NO_DEARER },
};

/** CPU time of the round's other processes, in microseconds. */
const COMPANIONS = {
  "the other node": ({ otherNodeCpu }) => otherNodeCpu,
  Redis: ({ redisCpu }) => redisCpu,
};

/** The one without a cluster is measured as in `broadcast`. */
function round(name, load, timing) {
  if (name !== ALONE) return clusterRound(name, load, timing);
  return broadcastRound(name, planOf(load, timing), { isTimed: true });
}

function metrics({ command, measured, asked }) {
  if (command === "publish") return elsewhereMetrics(asked);
  const shared = broadcastMetrics(asked, { companions: COMPANIONS });
  return measured === "emitting" ? [emitMetric(asked), ...shared] : shared;
}

function elsewhereMetrics(asked) {
  const messages = ({ broadcasts }) => broadcasts;
  const unit = { turn: "message", turns: messages, message: "message", messages };
  const none = () => Number.NaN;
  return [...usageMetrics(unit, asked), LOST, ...loadMetrics(loadCpu, none, COMPANIONS)];
}

/** Returns the CPU time of the load client, which is idle during the measurement. */
const loadCpu = ({ load }) => load.cpu;

function emitMetric({ emit }) {
  return {
    title: "time in emit() per broadcast, µs",
    of: ({ emitting, broadcasts }) => emitting / broadcasts,
    digits: 2,
    asked: emit,
    isHeadline: true,
    better: "lower",
  };
}

/** @type {import("../suite/index.js").Scenario} */
module.exports = {
  title:
    "Two nodes over Redis, one of which broadcasts: @socket.io/redis-adapter with node-redis (ws) and ours",
  loads: [RECEIVING, ELSEWHERE, EMITTING],
  takesPart: (name, { contenders }) =>
    isNode(name) || (name === ALONE && contenders.includes(ALONE)),
  round,
  metrics,
  isSlow: true,
  missing: missingRedis,
};
