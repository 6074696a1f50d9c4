"use strict";

/**
 * The resources that this process uses, read from within it.
 *
 * @typedef {object} Usage
 * @property {number} seconds how long the measurement took
 * @property {number} [loop] busy time of the event loop, in microseconds, where the runtime
 *   can tell
 * @property {number} loopCpu CPU time of its thread, in microseconds; less where the thread
 *   has to wait for a core
 * @property {number} user user time of the process, in microseconds
 * @property {number} system system time of the process, in microseconds
 * @property {number} contextSwitches voluntary and involuntary ones, of all its threads
 * @property {number} machineCpu what everything on the machine used, in microseconds
 * @property {number} rss in bytes, at the end
 */

const { readFileSync } = require("node:fs");
const { cpus } = require("node:os");

/** A measurement of this process. */
class Measurement {
  #idle;
  #counters;

  /** Begins the measurement. */
  constructor() {
    // In this order, and in the other at the end, since reading it takes a while.
    this.#idle = idleTime();
    this.#counters = count();
  }

  /** @returns {Usage} what was used since it began */
  end() {
    const counters = count();
    const entries = Object.entries(counters);
    const used = Object.fromEntries(
      entries.map(([name, value]) => [name, value - this.#counters[name]]),
    );
    const machineTime = cpus().length * used.seconds * 1e6;
    return {
      ...used,
      machineCpu: machineTime - (idleTime() - this.#idle),
      rss: process.memoryUsage().rss,
    };
  }
}

/** Reads the counters whose differences make a {@link Usage}. */
function count() {
  const { user, system } = process.cpuUsage();
  const { voluntaryContextSwitches, involuntaryContextSwitches } = process.resourceUsage();
  return {
    seconds: performance.now() / 1e3,
    ...loopCounter(),
    loopCpu: loopCpu(),
    user,
    system,
    contextSwitches: voluntaryContextSwitches + involuntaryContextSwitches,
  };
}

/** Reads the event loop's busy time, which Bun does not have. */
function loopCounter() {
  if (performance.eventLoopUtilization === undefined) return {};
  return { loop: performance.eventLoopUtilization().active * 1e3 };
}

/** Returns the CPU time of this thread, in microseconds. */
function loopCpu() {
  // The first field, in nanoseconds; of a process, the kernel gives those of its first thread.
  const [cpu] = readFileSync("/proc/self/schedstat", "utf8").split(" ");
  return cpu / 1e3;
}

/** Returns the idle time of all processors together, in microseconds. */
function idleTime() {
  // Of the kernel's times this is the exact one; the others are sampled, and lack softirqs.
  return cpus().reduce((sum, { times }) => sum + times.idle, 0) * 1e3;
}

module.exports = { Measurement };
