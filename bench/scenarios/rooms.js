"use strict";

/**
 * The cost of a broadcast with few recipients. Each room has its turn four times a second.
 *
 * Ten times a second would be 100,000 messages per second, for which ws has not enough of
 * one core; and of an overloaded server only the overload can be measured. What is kept is
 * how many rooms share a turn of the event loop: ten, since Node's timers are a millisecond
 * apart. A timer for each room would cost 25 µs of CPU, for any contender: more than half
 * of what the floor takes to serve the ten clients.
 */

const { broadcastScenario } = require("../suite/broadcast-round.js");
const { atMost } = require("../suite/comparison.js");

/** @type {import("../suite/index.js").Scenario} */
module.exports = broadcastScenario("1,000 rooms of ten; each client is in ten of them", [
  {
    name: "4,000/s, ten a turn",
    clients: 1_000,
    rooms: 1_000,
    roomsPerClient: 10,
    // ws then uses about half of its event loop. All rooms have as many turns.
    rate: 400,
    roomsPerTurn: 10,
    burst: 1,
    payloads: [128],
    contenders: ["ws", "uws", "eiows", "bun", "adapter", "turbo", "socketioxide", "send"],
    asked: { cpu: atMost(0.6) },
  },
]);
