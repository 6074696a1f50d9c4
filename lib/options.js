"use strict";

/** What options of ours have in common. */

const { InvalidOptionError } = require("./errors.js");

/**
 * @typedef {object} Option
 * @property {string} accepted the accepted values, in words
 * @property {(value: unknown, given: Record<string, unknown>) => boolean} isAccepted
 * @property {unknown} [default]
 */

/** A number of bytes that is a limit, or none. */
const BYTE_LIMIT = {
  accepted: "a number of bytes, an integer of at least 1, or Infinity",
  isAccepted: (value) => value === Infinity || (Number.isSafeInteger(value) && value >= 1),
};

/**
 * @param {unknown} given for an argument of the name `options`
 * @returns {Record<string, unknown>} the same
 * @throws {InvalidOptionError} if it is not an object of options
 */
function optionsObject(given) {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new InvalidOptionError("options", "an object or undefined", given);
  }
  // As Socket.IO tells servers from options.
  if (typeof given.listen === "function") {
    const accepted = "an object of options, not a server, as in new Server(httpServer, turbo())";
    throw new InvalidOptionError("options", accepted, given);
  }
  return given;
}

/**
 * @param {Record<string, Option>} options
 * @param {Record<string, unknown>} given
 * @param {string} name
 * @returns the option's value, or its default
 * @throws {InvalidOptionError}
 */
function optionOf(options, given, name) {
  const { accepted, isAccepted, default: value } = options[name];
  if (given[name] === undefined) return value;
  if (!isAccepted(given[name], given)) throw new InvalidOptionError(name, accepted, given[name]);
  return given[name];
}

/**
 * @param {Record<string, unknown>} given
 * @param {string[]} names
 * @param {string} accepted what is accepted instead
 * @throws {InvalidOptionError} if one of these is given
 */
function refuse(given, names, accepted) {
  const name = names.find((each) => given[each] !== undefined);
  if (name !== undefined) throw new InvalidOptionError(name, accepted, given[name]);
}

module.exports = { BYTE_LIMIT, optionOf, optionsObject, refuse };
