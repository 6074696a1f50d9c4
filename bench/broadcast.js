"use strict";

/**
 * A server broadcasts to 1,000 clients, and to 10,000: what a broadcast costs, how that
 * grows with the number of clients, and how long the last of them waits. The floor is
 * there with 1,000, for that is where sending is compared with it.
 */

const { broadcastMetrics, broadcastRound, loopPerBroadcast } = require("./broadcast-round.js");
const { alternate, atMost, compare, print } = require("./comparison.js");
const { FLOOR, isFloor } = require("./contenders.js");

const ALL_CLIENTS = { rooms: 1, roomsPerClient: 1, roomsPerTurn: 1, burst: 1 };

const FEW = { ...ALL_CLIENTS, clients: 1_000, rate: 40, warmUp: 1, seconds: 2.5 };
/** ws then uses about half of its event loop, as it does with the few. */
const MANY = { ...ALL_CLIENTS, clients: 10_000, rate: 3, warmUp: 1, seconds: 3 };

const FEW_METRICS = broadcastMetrics({
  loop: atMost(0.02),
  cpu: [...atMost(0.5), { to: FLOOR, atMost: 1.25 }],
});
/** Of so few broadcasts the 99th percentile is the longest. */
const MANY_METRICS = broadcastMetrics({ untilLast: atMost(0.7) });
const GROWTH = {
  title: "loop per broadcast, times",
  of: ({ few, many }) => loopPerBroadcast(many) / loopPerBroadcast(few),
  digits: 2,
  asked: [{ atMost: 1.5 }],
};

/**
 * @param {string[]} names of the contenders
 * @returns {Promise<object>} the figures, for `--json`
 */
async function run(names) {
  const few = await alternate(names, (name) => broadcastRound(name, FEW));
  const servers = names.filter((name) => !isFloor(name));
  const many = await alternate(servers, (name) => broadcastRound(name, MANY));
  const rows = [
    ...compare("1,000 clients", FEW_METRICS, few),
    ...compare("10,000 clients", MANY_METRICS, many),
    ...compare("10,000 / 1,000", [GROWTH], inPairs(few, many)),
  ];
  print(rows);
  return { plans: { few: FEW, many: MANY }, rows, samples: { few, many } };
}

/** The rounds of those contenders that have many clients, each with one of few clients. */
function inPairs(few, many) {
  const pairs = Object.entries(many).map(([name, rounds]) => [
    name,
    rounds.map((sample, round) => ({ few: few[name][round], many: sample })),
  ]);
  return Object.fromEntries(pairs);
}

module.exports = { hasFloor: true, run };
