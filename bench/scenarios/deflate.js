"use strict";

/**
 * Connections with permessage-deflate: what it costs to compress broadcasts and to inflate what clients
 * send, and how much it saves. ws keeps a context for each connection, so its messages are shorter
 * where they are similar; one that is compressed once for all recipients refers to none before it.
 */

const { contender, isFloor } = require("../processes/contenders.js");
const { broadcastMetrics, broadcastRound, planOf } = require("../suite/broadcast-round.js");
const { atMost } = require("../suite/comparison.js");
const { pacedMetrics, pacedRound } = require("../suite/paced-round.js");

const COMMON = { clients: 500, payloads: [2048], contenders: ["ws", "turbo"] };

/** The loads add 90 seconds to a run, so all are short, and memory is measured in two of them. */
const BROADCASTS = {
  ...COMMON,
  rooms: 1,
  roomsPerClient: 1,
  // ws then uses a third of its event loop, and half a core or more.
  rate: 10,
  roomsPerTurn: 1,
  burst: 1,
  stretch: 0.75,
};

const ASKED = { loop: atMost(0.02), cpu: atMost(0.12) };

const LOADS = [
  {
    ...BROADCASTS,
    name: "similar messages, 10/s",
    event: "quotes",
    deflate: true,
    isWeighed: true,
    asked: ASKED,
  },
  {
    ...BROADCASTS,
    name: "different messages, 10/s",
    event: "rows",
    deflate: true,
    asked: ASKED,
    isSlow: true,
  },
  {
    ...BROADCASTS,
    name: "10/s without compression",
    event: "quotes",
    stretch: 0.5,
    isWeighed: true,
    isSlow: true,
  },
  {
    ...COMMON,
    name: "received messages, 4,000/s",
    isInbound: true,
    // ws then uses about half of its event loop.
    rate: 4_000,
    stretch: 0.75,
    records: true,
    deflate: true,
    asked: { loop: atMost(0.35) },
  },
];

function round(name, load, timing) {
  if (load.isInbound) return pacedRound(name, "inbound", load, timing);
  const { deflate, isWeighed } = load;
  return broadcastRound(name, planOf(load, timing), { deflate, isWeighed });
}

function metrics({ isInbound, deflate, asked = {} }) {
  if (isInbound) return [...pacedMetrics("received message", asked), ...INBOUND_METRICS];
  const all = [...broadcastMetrics(asked), ...BROADCAST_METRICS];
  // The load without compression is no headline.
  return deflate ? all : all.map((metric) => ({ ...metric, isHeadline: false }));
}

const INBOUND_METRICS = [
  {
    title: "bytes on the wire per received message",
    of: ({ load: { traffic, sent } }) => traffic.written / sent,
    digits: 1,
  },
];

const BROADCAST_METRICS = [
  {
    title: "bytes on the wire per delivered message",
    of: ({ load: { traffic, received } }) => traffic.read / received,
    digits: 1,
    better: "lower",
  },
  {
    title: "RSS per connection, after the broadcasts, KiB",
    of: ({ growth }) => growth / COMMON.clients / 1024,
    digits: 1,
    isHeadline: true,
    better: "lower",
  },
];

/** @type {import("../suite/index.js").Scenario} */
module.exports = {
  title: "500 clients with permessage-deflate: compressed broadcasts and events",
  // Those to which the option can be given.
  takesPart: (name) => !isFloor(name) && contender(name).options !== undefined,
  loads: LOADS,
  round,
  metrics,
};
