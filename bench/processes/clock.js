"use strict";

/**
 * `CLOCK_MONOTONIC`, which the load client reads, too.
 */

/** @returns {() => bigint} nanoseconds */
function monotonicClock() {
  const hrtime = process.hrtime.bigint;
  if (globalThis.Bun === undefined) return hrtime;
  // Under Bun hrtime counts from the start of the process.
  const offset = clockGettime() - hrtime();
  return () => hrtime() + offset;
}

/** Asks the C library, by Bun's foreign functions. Linux x64. @returns {bigint} nanoseconds */
function clockGettime() {
  const CLOCK_MONOTONIC = 1;
  const { dlopen } = require("bun:ffi");
  const { symbols } = dlopen("libc.so.6", {
    clock_gettime: { args: ["i32", "ptr"], returns: "i32" },
  });
  const timespec = new BigInt64Array(2);
  symbols.clock_gettime(CLOCK_MONOTONIC, timespec);
  const [seconds, nanoseconds] = timespec;
  return seconds * 1_000_000_000n + nanoseconds;
}

const nanoseconds = monotonicClock();

/** @returns {number} whole microseconds */
function now() {
  return Number(nanoseconds() / 1_000n);
}

module.exports = { now };
