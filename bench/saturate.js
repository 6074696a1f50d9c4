"use strict";

/**
 * As fast as it goes: a server broadcasts to 1,000 clients whenever all of them have the
 * broadcast four before, as the load client tells it. So no more than 4,000 messages are
 * under way, and none is counted that does not arrive.
 */

const { broadcastScenario } = require("./broadcast-round.js");
const { BASELINE } = require("./contenders.js");

const PLAN = {
  clients: 1_000,
  rooms: 1,
  roomsPerClient: 1,
  window: 4,
  warmUp: 1,
  seconds: 2.5,
};

module.exports = broadcastScenario("saturate", PLAN, {
  throughput: [{ to: BASELINE, atLeast: 2.5 }],
});
