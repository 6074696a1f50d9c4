"use strict";

/**
 * `server.js CONTENDER`, forked with `--expose-gc`: the Socket.IO server of one round, in
 * a process of its own, so that what it uses is its own. Answers each command that comes
 * over IPC with one message:
 *
 * | command | answer |
 * | --- | --- |
 * | `start` | `{}`; a measurement begins |
 * | `stop` | what was used since `start`: a {@link Usage} |
 * | `received` | `{ received }`: events since the process began |
 * | `memory` | `{ rss, stats }`, as in a Usage, after the garbage has been collected |
 *
 * When it listens it sends `{ port }`, and if something fails `{ error }`.
 *
 * @typedef {object} Usage
 * @property {number} seconds how long the measurement took
 * @property {number} received events received
 * @property {number} loop busy time of the event loop, in microseconds
 * @property {number} cpu user and system time of the process, in microseconds
 * @property {number} contextSwitches voluntary and involuntary ones, of all its threads
 * @property {number} rss in bytes, at the end
 * @property {object} [stats] `turbo.stats()`, where there is one
 */

const { createServer } = require("node:http");
const { setTimeout: sleep } = require("node:timers/promises");
const { contenders } = require("./contenders.js");

/** How long V8 and the allocator may take to give memory back after a collection. */
const SETTLE_MILLISECONDS = 150;

let received = 0;
let started;

/** Socket.IO's handlers: counts `message`, acknowledges `echo` with what came. */
function serve(socket) {
  socket.on("message", () => {
    received++;
  });
  socket.on("echo", (data, acknowledge) => {
    received++;
    acknowledge(data);
  });
}

/** The counters whose differences make a {@link Usage}. */
function count() {
  const { user, system } = process.cpuUsage();
  const { voluntaryContextSwitches, involuntaryContextSwitches } = process.resourceUsage();
  return {
    seconds: performance.now() / 1e3,
    received,
    loop: performance.eventLoopUtilization().active * 1e3,
    cpu: user + system,
    contextSwitches: voluntaryContextSwitches + involuntaryContextSwitches,
  };
}

const commands = {
  start() {
    started = count();
    return {};
  },
  stop() {
    const usage = Object.entries(count()).map(([key, value]) => [key, value - started[key]]);
    return { ...Object.fromEntries(usage), rss: process.memoryUsage().rss, stats: stats() };
  },
  received: () => ({ received }),
  async memory() {
    // Twice: what finalizers let go of in between is garbage, too.
    for (let pass = 0; pass < 2; pass++) {
      global.gc();
      await sleep(SETTLE_MILLISECONDS);
    }
    return { rss: process.memoryUsage().rss, stats: stats() };
  },
};

/**
 * `turbo.stats()`; only where the contender has loaded it, for `ws` must not.
 *
 * @throws {Error} if a connection is not native, so that ws is not measured in our name
 */
function stats() {
  const stats = require.cache[require.resolve("..")]?.exports.turbo.stats();
  if (stats === undefined) return undefined;
  const { native, fallback } = stats.connections;
  if (native === 0 || Object.keys(fallback).length > 0) {
    throw new Error(`not all connections are native: ${JSON.stringify(stats.connections)}`);
  }
  return stats;
}

/** Begins to serve, and says where. */
function listen(name) {
  const { Server } = require("socket.io");
  const http = createServer();
  new Server(http, contenders[name]()).on("connection", serve);
  http.listen(0, "127.0.0.1", () => process.send({ port: http.address().port }));
}

/** Sends what `work` comes to, or why it fails. */
async function answer(work) {
  try {
    process.send(await work());
  } catch (error) {
    process.send({ error: error.message });
  }
}

process.on("message", (command) => answer(() => commands[command]()));
process.on("disconnect", () => process.exit());
try {
  listen(process.argv[2]);
} catch (error) {
  process.send({ error: error.message });
}
