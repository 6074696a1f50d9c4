"use strict";

const { Counter, Gauge } = require("prom-client");
const { turbo } = require("socket.io-turbo");

/** Values that only grow: the help text of each, and its value in `stats()`. */
const COUNTERS = {
  connections_opened_total: [
    "Connections taken over by I/O threads",
    (stats) => stats.connections.opened,
  ],
  messages_received_total: ["Messages received", (stats) => stats.messagesIn],
  frames_sent_total: ["Frames added to send queues", (stats) => stats.framesOut],
  received_bytes_total: ["Bytes read from connections", (stats) => stats.bytesIn],
  sent_bytes_total: ["Bytes taken by the operating system", (stats) => stats.bytesOut],
  read_calls_total: ["System calls that read", (stats) => stats.reads],
  write_calls_total: ["System calls that wrote", (stats) => stats.writes],
  broadcasts_total: ["Broadcasts, counted once for each I/O thread", (stats) => stats.broadcasts],
  volatile_dropped_total: ["Volatile packets dropped", (stats) => stats.volatileDropped],
  replaced_total: ["Packets replaced by newer ones of their key", (stats) => stats.replaced],
  wakes_total: ["Batches of commands from JavaScript", (stats) => stats.wakes],
  notifications_total: ["Batches of events for JavaScript", (stats) => stats.notifications],
  stalls_total: ["Pauses of reading while JavaScript was behind", (stats) => stats.stalls],
};

/** Values that only grow, by reason. */
const COUNTERS_BY_REASON = {
  connections_ended_total: ["Connections ended", (stats) => stats.connections.ended],
  connections_fallback_total: ["Connections left to ws", (stats) => stats.connections.fallback],
};

const GAUGES = {
  native: ["1 if the addon is loaded, else 0", () => Number(turbo.native)],
  connections: ["Connections on I/O threads", (stats) => stats.connections.native],
  queued_bytes: ["Bytes that wait to be written", (stats) => stats.queuedBytes],
};

/** Registers the metrics. Each scrape reads `stats()`. */
function registerMetrics(registers) {
  for (const [name, [help, read]] of Object.entries(COUNTERS)) {
    const collect = function () {
      this.reset();
      this.inc(read(turbo.stats()));
    };
    new Counter({ name: `socketio_turbo_${name}`, help, registers, collect });
  }
  for (const [name, [help, read]] of Object.entries(COUNTERS_BY_REASON)) {
    const collect = function () {
      this.reset();
      for (const [reason, count] of Object.entries(read(turbo.stats()))) {
        this.inc({ reason }, count);
      }
    };
    const labelNames = ["reason"];
    new Counter({ name: `socketio_turbo_${name}`, help, registers, labelNames, collect });
  }
  for (const [name, [help, read]] of Object.entries(GAUGES)) {
    const collect = function () {
      this.set(read(turbo.stats()));
    };
    new Gauge({ name: `socketio_turbo_${name}`, help, registers, collect });
  }
}

module.exports = { registerMetrics };
