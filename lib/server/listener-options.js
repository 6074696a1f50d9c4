"use strict";

const { optionOf, warnOfNearMisses } = require("../options.js");

/** The most that crosses to Rust. */
const MAX_RATE = 2 ** 31 - 1;

/**
 * The options that `createServer()` adds to those of Node.js.
 *
 * @type {Record<string, import("../options.js").Option>}
 */
const OPTIONS = {
  maxHandshakesPerSecond: {
    accepted: `an integer from 1 to ${MAX_RATE}, or Infinity`,
    isAccepted: (value) =>
      value === Infinity || (Number.isInteger(value) && value >= 1 && value <= MAX_RATE),
    default: Infinity,
  },
};

/**
 * Returns our options of a server.
 *
 * @param {unknown} given the first argument of `createServer()`
 * @returns {{ maxHandshakesPerSecond: number }}
 * @throws {import("../errors.js").InvalidOptionError}
 */
function readListenerOptions(given) {
  const options = typeof given === "object" && given !== null ? given : {};
  warnOfNearMisses(options, Object.keys(OPTIONS));
  return { maxHandshakesPerSecond: optionOf(OPTIONS, options, "maxHandshakesPerSecond") };
}

module.exports = { readListenerOptions };
