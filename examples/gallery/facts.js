/** Figures of the committed benchmark report, so that the page says nothing else. */

const { results } = require("../../docs/benchmarks/results.json");

const LOOP = "event-loop time per";

/** @returns {{ ws: string, turbo: string }} medians of stock Socket.IO and of `turbo()` */
function figure(scenario, load, metric) {
  const row = results[scenario].rows.find((row) => row.load === load && row.metric === metric);
  if (row === undefined) throw new Error(`No figure "${metric}" of ${scenario} with ${load}`);
  const { ws, turbo } = row.contenders;
  return { ws: round(ws.median), turbo: round(turbo.median) };
}

/** @returns {string} the figure in words, with the unit that the metric names */
function compare(scenario, load, metric, of = "of the event loop") {
  const { ws, turbo } = figure(scenario, load, metric);
  return `${turbo}\u00a0${metric.split(", ").at(-1)} ${of} instead of ${ws}`;
}

/** @returns {string} how many times as fast as socket.io-parser our parser decodes a packet */
function decoding(name) {
  const isIt = ({ direction, packet }) => direction === "decode" && packet === name;
  return round(results.parser.packets.find(isIt).speedup);
}

function round(value) {
  return value.toLocaleString("en", { maximumSignificantDigits: 3 });
}

module.exports = {
  decoding: decoding("4 KiB Buffer"),
  broadcast: compare("broadcast", "1,000 clients, 40/s, 128 B", `${LOOP} broadcast, µs`),
  room: compare("rooms", "4,000/s, ten a turn, 128 B", `${LOOP} broadcast, µs`),
  burst: compare("burst", "5 turns/s, 128 B", `${LOOP} broadcast, µs`),
  received: compare("inbound", "500 clients, 28,000/s, 60 B", `${LOOP} received message, µs`),
  received1K: compare("inbound", "500 clients, 28,000/s, 1 KiB", `${LOOP} received message, µs`),
  ack: compare("echo", "4,000/s, 64 B", `${LOOP} echo, µs`),
  idle: compare("idle", "up to 8,000 clients", "idle RSS per connection, KiB", "of memory"),
  lost: figure("blocked", "200 clients", "clients lost"),
  saturated: figure("saturate", "four under way, 128 B", "delivered messages per second"),
};
