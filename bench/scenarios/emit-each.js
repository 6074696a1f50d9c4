"use strict";

/**
 * The cost of a loop of `socket.emit()` over all clients with the same object, which people write
 * where a broadcast would do.
 */

const { broadcastScenario } = require("../suite/broadcast-round.js");
const { atMost } = require("../suite/comparison.js");

/** @type {import("../suite/index.js").Scenario} */
module.exports = broadcastScenario(
  "A loop of socket.emit() over 1,000 clients, one object for all",
  [
    {
      name: "40 loops/s",
      clients: 1_000,
      event: "tick",
      rooms: 1,
      roomsPerClient: 1,
      // ws then uses about half of its event loop.
      rate: 40,
      roomsPerTurn: 1,
      burst: 1,
      payloads: [128],
      contenders: ["ws", "uws", "eiows", "bun", "turbo", "socketioxide", "send"],
      asked: { loop: atMost(0.5) },
    },
  ],
);
