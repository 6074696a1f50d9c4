"use strict";

/**
 * The cost of a broadcast, its growth with the number of clients, and the wait of the last of them.
 * With 1,000 clients, sending is compared with the floors.
 */

const { broadcastScenario } = require("../suite/broadcast-round.js");
const { atMost, compare } = require("../suite/comparison.js");
const { isFloor } = require("../processes/contenders.js");

const ALL_CLIENTS = { rooms: 1, roomsPerClient: 1, roomsPerTurn: 1, burst: 1 };

const FEW = { ...ALL_CLIENTS, name: "1,000 clients, 40/s", clients: 1_000, rate: 40 };
/** ws then uses about half of its event loop, as it does with the few. */
const MANY = { ...ALL_CLIENTS, name: "10,000 clients, 3/s", clients: 10_000, rate: 3 };
/** Those of the growth. */
const PAYLOAD = 128;

const scenario = broadcastScenario("A broadcast to all clients", [
  {
    ...FEW,
    payloads: [PAYLOAD],
    contenders: ["ws", "uws", "eiows", "bun", "adapter", "engine", "turbo", "socketioxide"].concat(
      "send",
      "io-uring",
    ),
    asked: { loop: atMost(0.02), cpu: [...atMost(0.5), { to: "send", atMost: 1.25 }] },
  },
  { ...FEW, payloads: [4096], contenders: ["ws", "turbo", "send"] },
  {
    ...MANY,
    payloads: [PAYLOAD],
    contenders: ["ws", "turbo"],
    stretch: 1.5,
    isSlow: true,
    // Of so few broadcasts the 99th percentile is the longest.
    asked: { untilLast: atMost(0.7) },
  },
]);

const GROWTH = {
  title: "event-loop time per broadcast, times",
  of: ({ few, many }) => loopPerBroadcast(many) / loopPerBroadcast(few),
  digits: 2,
  asked: [{ atMost: 1.5 }],
};

const loopPerBroadcast = ({ loop, broadcasts }) => loop / broadcasts;

/** Computes the growth of a broadcast's event-loop time, if few and many clients were measured. */
function growth(samples) {
  const [few, many] = [FEW, MANY].map(({ name }) => samples[`${name}, ${PAYLOAD} B`]);
  if (few === undefined || many === undefined) return [];
  const names = Object.keys(many).filter((name) => !isFloor(name));
  const pairs = names.map((name) => [
    name,
    many[name].map((sample, round) => ({ few: few[name][round], many: sample })),
  ]);
  const of = { scenario: "broadcast", load: "10,000 clients / 1,000 clients" };
  return compare(of, [GROWTH], Object.fromEntries(pairs));
}

/** @type {import("../suite/index.js").Scenario} */
module.exports = { ...scenario, across: growth };
