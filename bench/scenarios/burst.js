"use strict";

/** The gain from sending the broadcasts of one turn together. */

const { broadcastScenario } = require("../suite/broadcast-round.js");
const { atMost } = require("../suite/comparison.js");

/** @type {import("../suite/index.js").Scenario} */
module.exports = broadcastScenario("Ten broadcasts to 1,000 clients in one turn", [
  {
    name: "5 turns/s",
    clients: 1_000,
    rooms: 1,
    roomsPerClient: 1,
    // ws then uses 40 to 50 % of its event loop.
    rate: 5,
    roomsPerTurn: 1,
    burst: 10,
    stretch: 1.2,
    payloads: [128],
    contenders: ["ws", "uws", "eiows", "bun", "adapter", "turbo", "socketioxide", "send"],
    asked: { cpu: atMost(0.15) },
  },
]);
