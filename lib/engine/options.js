"use strict";

const os = require("node:os");
const { BYTE_LIMIT, optionOf, warnOfNearMisses } = require("../options.js");
const { RATE_LIMIT, nativeRateLimit, readRateLimit } = require("./rate-limit.js");

/** The most I/O threads that a server may use. */
const MAX_IO_THREADS = 64;

/** In milliseconds: the most that timers of Node.js accept. */
const MAX_TIMEOUT = 2 ** 31 - 1;

const KIB = 1024;
const MIB = 1024 * KIB;

/** Returns one for up to four cores, else a quarter of them, at most four. */
function defaultIoThreads() {
  const cores = os.availableParallelism();
  return cores <= 4 ? 1 : Math.min(4, Math.floor(cores / 4));
}

/**
 * The options that our engine adds to those of ws.
 *
 * @type {Record<string, import("../options.js").Option>}
 */
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
  maxLoopLag: {
    accepted: `milliseconds, an integer from 1 to ${MAX_TIMEOUT}, or Infinity`,
    isAccepted: (value) =>
      value === Infinity || (Number.isInteger(value) && value >= 1 && value <= MAX_TIMEOUT),
  },
  rateLimit: RATE_LIMIT,
  textType: {
    accepted: '"buffer" or "string"',
    isAccepted: (value) => value === "buffer" || value === "string",
    default: "buffer",
  },
};

/** The names of the options that `turbo()` and `createEngine()` accept. */
const ENGINE_OPTIONS = [
  "ioThreads",
  "highWaterMark",
  "maxBackpressure",
  "backpressureTimeout",
  "maxLoopLag",
  "rateLimit",
];

/** Among the options of a server: set if its clients speak Engine.IO. */
const FOR_ENGINE_IO = Symbol("forEngineIo");

/**
 * Returns the options of `turbo()` and `createEngine()` that are given.
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
 * Returns the settings of a server that its connections use.
 *
 * @param {Record<string, unknown>} given options of ws and ours
 * @returns {{ ioThreads: number, highWaterMark: number, maxLoopLag: number | undefined,
 *   rateLimit: import("./rate-limit.js").Limit | undefined, connection: object }} `connection` as `NativeConnectionOptions` in binding.d.ts
 * @throws {InvalidOptionError}
 */
function connectionSettings(given) {
  warnOfNearMisses(given, Object.keys(OPTIONS));
  const rateLimit = readRateLimit(
    optionOf(OPTIONS, given, "rateLimit"),
    given[FOR_ENGINE_IO] === true,
  );
  return {
    ioThreads: optionOf(OPTIONS, given, "ioThreads"),
    highWaterMark: optionOf(OPTIONS, given, "highWaterMark"),
    maxLoopLag: optionOf(OPTIONS, given, "maxLoopLag"),
    rateLimit,
    connection: {
      maxPayload: limit(given.maxPayload, 100 * MIB),
      maxFragments: limit(given.maxFragments, 16 * 1024),
      hasAutomaticPongs: Boolean(given.autoPong ?? true),
      maxPendingPongs: limit(given.maxPendingAutoPongs, 60),
      maxBackpressure: optionOf(OPTIONS, given, "maxBackpressure"),
      backpressureTimeout: optionOf(OPTIONS, given, "backpressureTimeout"),
      highWaterMark: optionOf(OPTIONS, given, "highWaterMark"),
      closeTimeout: Number(given.closeTimeout ?? 30_000),
      rateLimit: nativeRateLimit(rateLimit),
      isTextAsString: optionOf(OPTIONS, given, "textType") === "string",
    },
  };
}

/** Reads a limit as ws does: a 32-bit integer, and no limit if that is not positive. */
function limit(value, byDefault) {
  const integer = value === undefined ? byDefault : value | 0;
  return integer > 0 ? integer : Infinity;
}

module.exports = {
  DEFAULT_IO_THREADS: OPTIONS.ioThreads.default,
  ENGINE_OPTIONS,
  FOR_ENGINE_IO,
  connectionSettings,
  engineOptions,
};
