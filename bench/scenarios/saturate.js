"use strict";

/**
 * A server broadcasts to 1,000 clients whenever all of them have the broadcast four before,
 * as the load client tells it. So no more than 4,000 messages are under way, and none is
 * counted that does not arrive.
 */

const { broadcastScenario } = require("../suite/broadcast-round.js");

/** @type {import("../suite/index.js").Scenario} */
module.exports = broadcastScenario("Broadcasts to 1,000 clients as fast as it goes", [
  {
    name: "four under way",
    clients: 1_000,
    rooms: 1,
    roomsPerClient: 1,
    window: 4,
    payloads: [128],
    contenders: ["ws", "uws", "eiows", "bun", "turbo", "socketioxide", "send"],
    asked: { throughput: [{ to: "ws", atLeast: 2.5 }] },
  },
]);
