"use strict";

const os = require("node:os");
const { warnOfNearMisses } = require("../option-names.js");
const { BYTE_LIMIT, optionOf } = require("../options.js");

/** The most I/O threads that may be asked for. */
const MAX_IO_THREADS = 64;

/** In milliseconds: what timers of Node.js accept. */
const MAX_TIMEOUT = 2 ** 31 - 1;

const KIB = 1024;
const MIB = 1024 * KIB;

/** One for up to four cores, then a quarter of them, at most four. */
function defaultIoThreads() {
  const cores = os.availableParallelism();
  return cores <= 4 ? 1 : Math.min(4, Math.floor(cores / 4));
}

/** Our own options: what is accepted, in words and as a test, and the default. */
const OPTIONS = {
  ioThreads: {
    accepted: `an integer from 1 to ${MAX_IO_THREADS}`,
    isAccepted: (value) => Number.isInteger(value) && value >= 1 && value <= MAX_IO_THREADS,
    default: defaultIoThreads(),
  },
  highWaterMark: {
    accepted: "a number of bytes, an integer of at least 0",
    isAccepted: (value) => Number.isSafeInteger(value) && value >= 0,
    default: 64 * KIB,
  },
  maxBackpressure: { ...BYTE_LIMIT, default: 64 * MIB },
  backpressureTimeout: {
    accepted: `milliseconds, an integer from 0 to ${MAX_TIMEOUT}`,
    isAccepted: (value) => Number.isInteger(value) && value >= 0 && value <= MAX_TIMEOUT,
    default: 5_000,
  },
  textType: {
    accepted: '"buffer" or "string"',
    isAccepted: (value) => value === "buffer" || value === "string",
    default: "buffer",
  },
};

/** Names of the options that `turbo()` has for its engine. */
const ENGINE_OPTIONS = ["ioThreads", "highWaterMark", "maxBackpressure", "backpressureTimeout"];

/**
 * Those of our engine's options that are given.
 *
 * @param {Record<string, unknown>} given
 * @returns {Record<string, unknown>}
 * @throws {InvalidOptionError}
 */
function engineOptions(given) {
  const names = ENGINE_OPTIONS.filter((name) => given[name] !== undefined);
  return Object.fromEntries(names.map((name) => [name, optionOf(OPTIONS, given, name)]));
}

/**
 * What connections need to know of their server, from its options.
 *
 * @param {Record<string, unknown>} given those of ws and ours
 * @returns {{ ioThreads: number, highWaterMark: number, connection: object }} `connection` as
 *   `EngineConnectionOptions` in binding.d.ts
 * @throws {InvalidOptionError}
 */
function connectionSettings(given) {
  warnOfNearMisses(given, Object.keys(OPTIONS));
  return {
    ioThreads: optionOf(OPTIONS, given, "ioThreads"),
    highWaterMark: optionOf(OPTIONS, given, "highWaterMark"),
    connection: {
      maxPayload: limit(given.maxPayload, 100 * MIB),
      maxFragments: limit(given.maxFragments, 16 * 1024),
      hasAutomaticPongs: Boolean(given.autoPong ?? true),
      maxPendingPongs: limit(given.maxPendingAutoPongs, 60),
      maxBackpressure: optionOf(OPTIONS, given, "maxBackpressure"),
      backpressureTimeout: optionOf(OPTIONS, given, "backpressureTimeout"),
      highWaterMark: optionOf(OPTIONS, given, "highWaterMark"),
      closeTimeout: Number(given.closeTimeout ?? 30_000),
      isTextAsString: optionOf(OPTIONS, given, "textType") === "string",
    },
  };
}

/** As ws takes its limits: 32-bit integers, and none if not positive. */
function limit(value, byDefault) {
  const integer = value === undefined ? byDefault : value | 0;
  return integer > 0 ? integer : Infinity;
}

module.exports = { ENGINE_OPTIONS, connectionSettings, engineOptions };
