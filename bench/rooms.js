"use strict";

/**
 * 1,000 rooms of ten clients, each of the 1,000 clients being in ten of them: what a
 * broadcast costs that few receive. Each room has its turn four times a second.
 *
 * Ten times a second would be 100,000 messages per second, for which ws has not enough of
 * one core; and of an overloaded server only the overload can be measured. What is kept is
 * how many rooms share a turn of the event loop: ten, since Node's timers are a millisecond
 * apart. A timer for each room would cost 25 µs of CPU, for any contender: more than half
 * of what the floor takes to serve the ten clients.
 */

const { broadcastScenario } = require("./broadcast-round.js");
const { atMost } = require("./comparison.js");

/** ws then uses about half of its event loop. All rooms have as many turns. */
const PLAN = {
  clients: 1_000,
  rooms: 1_000,
  roomsPerClient: 10,
  rate: 400,
  roomsPerTurn: 10,
  burst: 1,
  warmUp: 1,
  seconds: 2.5,
};

module.exports = broadcastScenario("rooms", PLAN, { cpu: atMost(0.6) });
