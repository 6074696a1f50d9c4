"use strict";

/** Finds the figures in which another server is better than ours. */

const { ALONE, OURS, SERVER, isFloor } = require("../processes/contenders.js");

/** Figures within this factor are a tie on a noisy machine. */
const TIE = 1.05;

/**
 * @typedef {object} Loss
 * @property {import("../suite/comparison.js").Row} row
 * @property {string} name of the server that is better
 * @property {number} times how much better by the medians; above 1
 * @property {boolean} isClear whether its worst round is better than our best
 */

/**
 * @param {import("../suite/comparison.js").Row[]} rows
 * @returns {Loss[]} by how much, the clear ones first
 */
function losses(rows) {
  return rows
    .filter(({ better, contenders }) => better !== undefined && contenders[OURS] !== undefined)
    .flatMap(lossesOf)
    .sort((a, b) => b.isClear - a.isClear || b.times - a.times);
}

function lossesOf(row) {
  const { contenders, better } = row;
  const ours = contenders[OURS];
  return Object.entries(contenders)
    .filter(([name]) => ![OURS, ALONE, SERVER].includes(name) && !isFloor(name))
    .map(([name, theirs]) => ({ row, name, ...compare(ours, theirs, better) }))
    .filter(({ times }) => times > TIE);
}

function compare(ours, theirs, better) {
  if (better === "lower") {
    return { times: ours.median / theirs.median, isClear: theirs.max < ours.min };
  }
  return { times: theirs.median / ours.median, isClear: theirs.min > ours.max };
}

/**
 * @param {import("../scenarios/parser.js").PacketRow[]} packets
 * @returns {import("../scenarios/parser.js").PacketRow[]} those that socket.io-parser is faster with
 */
function slowerPackets(packets) {
  return packets.filter(({ speedup }) => speedup < 1 / TIE);
}

/**
 * The known reasons, from profiles and counters.
 *
 * @type {{ scenario?: string, contender?: string, metric: RegExp, reason: string }[]} without a
 *   scenario: of all; without a contender: to any
 */
const REASONS = [
  {
    metric: /context switches/,
    reason:
      "I/O threads and the JavaScript thread wake each other; the other servers have one thread. At " +
      "higher rates several messages share one waking.",
  },
  {
    scenario: "connect",
    metric: /CPU|event-loop|connected/,
    reason:
      "Node's HTTP server accepts each client and ws answers it, as with stock. Then a worker takes the " +
      "connection over, and what it keeps in JavaScript is made smaller. Bun has an HTTP server of its own.",
  },
  {
    scenario: "deflate",
    metric: /bytes on the wire/,
    reason:
      "A message that is compressed once for all recipients refers to none before it. ws compresses it for " +
      "each of them, and keeps the last 32 KiB of each connection to refer to.",
  },
  {
    scenario: "echo",
    metric: /latency|CPU/,
    reason:
      "Each small echo wakes an I/O thread twice, which sleeps at this rate: when it arrives, and when " +
      "JavaScript has answered. Two cores are shared with the load client.",
  },
  {
    contender: "socketioxide",
    metric: /CPU per (client|received message|echo)|RSS/,
    reason:
      "A server wholly in Rust calls listeners in Rust. Ours makes the objects of Socket.IO for each " +
      "connection, and values of JavaScript for each event, for the listeners that users have.",
  },
  {
    metric: /RSS/,
    reason:
      "Nearly all of a connection's memory are objects of Socket.IO, engine.io and the HTTP request, " +
      "which stay as they are under Node.js. Bun has other ones, and a smaller runtime.",
  },
  {
    scenario: "broadcast",
    metric: /latency|until the last/,
    reason:
      "I/O threads run with less precedence than the event loop (SCHED_BATCH), so where other " +
      "programs take both cores deliveries wait, while the event loop does not.",
  },
];

/**
 * @param {Loss[]} found
 * @returns {string[]} the reasons that are known for them, each once
 */
function reasonsFor(found) {
  const explains = ({ scenario, contender, metric }) =>
    found.some(
      ({ row, name }) =>
        row.scenario === (scenario ?? row.scenario) &&
        name === (contender ?? name) &&
        metric.test(row.metric),
    );
  return REASONS.filter(explains).map(({ scenario, contender, reason }) => {
    return `**${scenario ?? contender ?? "everywhere"}**: ${reason}`;
  });
}

module.exports = { TIE, losses, reasonsFor, slowerPackets };
