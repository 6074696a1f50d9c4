"use strict";

/** Broadcasts to clients that use long-polling and never upgrade, as behind some proxies. */

const { broadcastScenario } = require("../suite/broadcast-round.js");
const { serverAtMost } = require("../suite/comparison.js");

module.exports = broadcastScenario("500 clients use long-polling: a broadcast to all of them", [
  {
    name: "5/s",
    clients: 500,
    transport: "polling",
    payloads: [128],
    rooms: 1,
    roomsPerClient: 1,
    rate: 5,
    roomsPerTurn: 1,
    burst: 1,
    contenders: ["ws", "turbo", "server"],
    asked: { loop: serverAtMost(0.3) },
  },
]);
