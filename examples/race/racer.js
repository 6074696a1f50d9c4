"use strict";

/**
 * `racer.js CONTENDER HOST`, forked: one of the two Socket.IO servers, in a process of its own,
 * so that what it uses is its own. Over IPC it takes broadcaster.js's `Timetable`, with which its
 * broadcasts begin, and `"pause"`, with which they end. It sends:
 *
 * | message | meaning |
 * | --- | --- |
 * | `{ listening: { address, family, port } }` | where it listens, once |
 * | `{ report }` | each quarter of a second, but later while the event loop is blocked: gauges.js's `Usage`, with how many broadcasts were `sent` and `leftOut` |
 * | `{ error }` | why it cannot serve |
 *
 * The clients of the load are in the main namespace. Pages are in `/runner`, where this
 * server moves its runner; so no page receives what is broadcast.
 */

const nodeHttp = require("node:http");
const { contender } = require("../../bench/processes/contenders.js");
const { Broadcaster } = require("./broadcaster.js");
const { Gauges } = require("./gauges.js");

const REPORT_MILLISECONDS = 250;

/** 62 times a second, about as often as a screen shows something new. */
const TICK_MILLISECONDS = 16;

/** Begins to serve, and says where. */
function listen(name, host) {
  const { Server } = require("socket.io");
  const { http: module = () => nodeHttp, options } = contender(name);
  const http = module().createServer();
  const io = new Server(http, options());
  const broadcaster = new Broadcaster(io);
  io.on("connection", (socket) => socket.on("have", (number) => broadcaster.handleHave(number)));
  process.on("message", (message) => {
    if (message === "pause") broadcaster.pause();
    else broadcaster.set(message);
  });
  http.once("error", fail);
  http.listen(0, host, () => {
    process.send({ listening: http.address() });
    moveRunner(io.of("/runner"));
    report(broadcaster);
  });
}

/** Sends the time of each tick, in milliseconds; the page moves the runner to it. */
function moveRunner(runners) {
  setInterval(() => runners.emit("tick", Date.now()), TICK_MILLISECONDS);
}

/** Sends what the process uses. */
function report(broadcaster) {
  const gauges = new Gauges();
  setInterval(() => {
    // If it cannot be sent, the parent has ended, and `disconnect` is next.
    process.send({ report: { ...gauges.take(), ...broadcaster.take() } }, () => {});
  }, REPORT_MILLISECONDS);
}

/** Says why there is no server, and ends. */
function fail(error) {
  process.send({ error: error.message }, () => process.exit(1));
}

process.on("disconnect", () => process.exit());
// Ctrl+C reaches the whole process group; the parent ends this process when it has seen it.
process.on("SIGINT", () => {});
try {
  listen(process.argv[2], process.argv[3]);
} catch (error) {
  fail(error);
}
