"use strict";

/**
 * `server.js CONTENDER`, forked with `--expose-gc`: the Socket.IO server of one round, in
 * a process of its own, so that what it uses is its own. Answers each `{ command, plan }`
 * that comes over IPC with one message:
 *
 * | command | answer |
 * | --- | --- |
 * | `start` | `{}`; a measurement begins |
 * | `stop` | what was used since `start`: a {@link Usage} |
 * | `broadcast` | when the plan has been followed: a {@link Usage} with `broadcasts` |
 * | `received` | `{ received }`: events since the process began |
 * | `memory` | `{ rss, stats }`, as in a Usage, after the garbage has been collected |
 *
 * When it listens it sends `{ port }`, and if something fails `{ error }`.
 *
 * @typedef {object} Usage
 * @property {number} seconds how long the measurement took
 * @property {number} received events received
 * @property {number} loop busy time of the event loop, in microseconds
 * @property {number} loopCpu CPU time of its thread, in microseconds; less where the thread
 *   has to wait for a core
 * @property {number} cpu user and system time of the process, in microseconds
 * @property {number} contextSwitches voluntary and involuntary ones, of all its threads
 * @property {number} machineCpu what everything on the machine used, in microseconds
 * @property {number} rss in bytes, at the end
 * @property {object} [stats] `turbo.stats()`, where there is one
 */

const { readFileSync } = require("node:fs");
const { createServer } = require("node:http");
const { cpus } = require("node:os");
const { setTimeout: sleep } = require("node:timers/promises");
const { broadcast } = require("./broadcasting.js");
const { contenders } = require("./contenders.js");

/** How long V8 and the allocator may take to give memory back after a collection. */
const SETTLE_MILLISECONDS = 150;

let io;
let received = 0;
let started;
let idleAtStart;

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
    loopCpu: loopCpu(),
    cpu: user + system,
    contextSwitches: voluntaryContextSwitches + involuntaryContextSwitches,
  };
}

/** CPU time of this thread, in microseconds. */
function loopCpu() {
  // The first field, in nanoseconds; of a process, the kernel gives those of its first thread.
  const [cpu] = readFileSync("/proc/self/schedstat", "utf8").split(" ");
  return cpu / 1e3;
}

/** How long all processors together had nothing to do, in microseconds. */
function idleTime() {
  // Of the kernel's times this is the exact one; the others are sampled, and lack softirqs.
  return cpus().reduce((sum, { times }) => sum + times.idle, 0) * 1e3;
}

/** A measurement begins. */
function start() {
  // In this order, and in the other at the end, since reading it takes a while.
  idleAtStart = idleTime();
  started = count();
}

/** @returns {Usage} what was used since the measurement began */
function stop() {
  const stopped = count();
  const used = Object.entries(stopped).map(([key, value]) => [key, value - started[key]]);
  const machineTime = cpus().length * (stopped.seconds - started.seconds) * 1e6;
  return {
    ...Object.fromEntries(used),
    machineCpu: machineTime - (idleTime() - idleAtStart),
    rss: process.memoryUsage().rss,
    stats: stats(),
  };
}

const commands = {
  start() {
    start();
    return {};
  },
  stop,
  broadcast: (plan) => broadcast(io, plan, start, stop),
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
 * `turbo.stats()`; only where the contender has our engine, for `ws` must not load it.
 *
 * @throws {Error} if a connection is not native, so that ws is not measured in our name
 */
function stats() {
  const stats = require.cache[require.resolve("..")]?.exports.turbo.stats();
  if (stats === undefined || process.argv[2] === "adapter") return undefined;
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
  io = new Server(http, contenders[name]());
  io.on("connection", serve);
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

process.on("message", ({ command, plan }) => answer(() => commands[command](plan)));
process.on("disconnect", () => process.exit());
try {
  listen(process.argv[2]);
} catch (error) {
  process.send({ error: error.message });
}
