"use strict";

/**
 * Ten broadcasts to 1,000 clients in one turn of the event loop, five times a second: what
 * it is worth that they may leave together.
 */

const { broadcastScenario } = require("./broadcast-round.js");
const { atMost } = require("./comparison.js");

/** ws then uses 40 to 50 % of its event loop. */
const PLAN = {
  clients: 1_000,
  rooms: 1,
  roomsPerClient: 1,
  rate: 5,
  roomsPerTurn: 1,
  burst: 10,
  warmUp: 1,
  seconds: 3,
};

module.exports = broadcastScenario("burst", PLAN, { cpu: atMost(0.15) });
