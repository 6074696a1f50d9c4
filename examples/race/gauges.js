"use strict";

const { monitorEventLoopDelay } = require("node:perf_hooks");

/**
 * Interval between samples of the event loop's lag. A sample costs the loop 20 µs at most, so
 * that this is less than 0.2 % of it.
 */
const RESOLUTION_MILLISECONDS = 10;

/**
 * The resources that a process used in an interval.
 *
 * @typedef {object} Usage
 * @property {number} seconds how long the interval was
 * @property {number | null} lag milliseconds that a timer came too late for the event loop was
 *   busy, 99th percentile; null if none came
 * @property {number} loop busy time of the event loop, in seconds
 * @property {number} cpu user and system time of all threads, in seconds
 * @property {number} rss memory of the process, in bytes
 */

/** Reads what this process uses, from one call to the next. */
class Gauges {
  #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MILLISECONDS });
  #before = count();

  constructor() {
    this.#delay.enable();
  }

  /** @returns {Usage} since the last call */
  take() {
    const counted = count();
    const used = Object.entries(counted).map(([key, value]) => [key, value - this.#before[key]]);
    this.#before = counted;
    return { ...Object.fromEntries(used), lag: this.#takeLag(), rss: process.memoryUsage.rss() };
  }

  #takeLag() {
    const { count } = this.#delay;
    const lag = this.#delay.percentile(99) / 1e6 - RESOLUTION_MILLISECONDS;
    this.#delay.reset();
    return count === 0 ? null : Math.max(0, lag);
  }
}

/** The counters whose differences are reported, in seconds. */
function count() {
  const { user, system } = process.cpuUsage();
  return {
    seconds: performance.now() / 1e3,
    loop: performance.eventLoopUtilization().active / 1e3,
    cpu: (user + system) / 1e6,
  };
}

module.exports = { Gauges };
