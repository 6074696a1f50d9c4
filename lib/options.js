"use strict";

/** Reads this package's options: checks, defaults, and warnings of misspelt names. */

const { InvalidOptionError, warnOnce } = require("./errors.js");

/**
 * @typedef {object} Option
 * @property {string} accepted the accepted values, in words that follow "must be"
 * @property {(value: unknown, given: Record<string, unknown>) => boolean} isAccepted
 * @property {unknown} [default]
 */

/** A limit in bytes; `Infinity` for no limit. */
const BYTE_LIMIT = {
  accepted: "a number of bytes, an integer of at least 1, or Infinity",
  isAccepted: (value) => value === Infinity || (Number.isSafeInteger(value) && value >= 1),
};

/** A misspelt name differs by this many letters at most: added, left out, replaced or swapped. */
const MAX_EDITS = 2;

/** Letters of a word that is enough to recognise an option by, such as "threads". */
const MIN_WORD = 7;

/** Words with which options of other packages end, too. */
const COMMON_WORDS = ["timeout"];

/**
 * Returns an argument of the name `options`.
 *
 * @param {unknown} given
 * @returns {Record<string, unknown>} the same
 * @throws {InvalidOptionError} if it is not an object of options
 */
function optionsObject(given) {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new InvalidOptionError("options", "an object or undefined", given);
  }
  // Socket.IO recognises servers by this method.
  if (typeof given.listen === "function") {
    const accepted = "an object of options, not a server, as in new Server(httpServer, turbo())";
    throw new InvalidOptionError("options", accepted, given);
  }
  return given;
}

/**
 * Returns the value of an option, or its default.
 *
 * @param {Record<string, Option>} options
 * @param {Record<string, unknown>} given
 * @param {string} name
 * @param {string} [prefix] as that of `warnOfNearMisses()`
 * @throws {InvalidOptionError} if the value is not accepted
 */
function optionOf(options, given, name, prefix = "") {
  const { accepted, isAccepted, default: value } = options[name];
  if (given[name] === undefined) return value;
  if (isAccepted(given[name], given)) return given[name];
  throw new InvalidOptionError(prefix + name, accepted, given[name]);
}

/**
 * Throws if one of some options is given.
 *
 * @param {Record<string, unknown>} given
 * @param {string[]} names
 * @param {string} accepted what is accepted instead
 * @throws {InvalidOptionError}
 */
function refuse(given, names, accepted) {
  const name = names.find((each) => given[each] !== undefined);
  if (name !== undefined) throw new InvalidOptionError(name, accepted, given[name]);
}

/**
 * Prints a warning for each name that is nearly one of ours, once. Other unknown names are left
 * alone: Socket.IO may have got an option of that name since.
 *
 * @param {Record<string, unknown>} given
 * @param {string[]} ours
 * @param {string} [prefix] in front of the names, for options of an option
 */
function warnOfNearMisses(given, ours, prefix = "") {
  for (const name of Object.keys(given)) {
    const meant = ours.includes(name) ? undefined : ours.find((other) => isNear(name, other));
    if (meant === undefined) continue;
    const text = `${prefix}${name} is not an option; did you mean ${prefix}${meant}?`;
    warnOnce("TURBO_UNKNOWN_OPTION", text);
  }
}

function isNear(name, other) {
  const [given, meant] = [lettersOf(name), lettersOf(other)];
  const isPart = isDistinct(given) && meant.includes(given);
  if (isPart || given.includes(meant) || edits(given, meant) <= MAX_EDITS) return true;
  const word = lastWordOf(other);
  return isDistinct(word) && lastWordOf(name) === word;
}

/** Returns whether a word is enough to recognise an option by. */
function isDistinct(word) {
  return word.length >= MIN_WORD && !COMMON_WORDS.includes(word);
}

function lettersOf(name) {
  return name.toLowerCase().replace(/[^a-z]/g, "");
}

function lastWordOf(name) {
  return name.match(/[A-Z]?[a-z]*$/)[0].toLowerCase();
}

/** Returns how many letters differ: the distance of the optimal string alignment. */
function edits(from, to) {
  const rows = [Array.from({ length: to.length + 1 }, (_, column) => column)];
  for (let i = 1; i <= from.length; i++) {
    rows[i] = [i];
    for (let j = 1; j <= to.length; j++) {
      const isSame = from[i - 1] === to[j - 1];
      const least = Math.min(rows[i - 1][j - 1] + (isSame ? 0 : 1), rows[i - 1][j] + 1);
      const isSwapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      const swapped = isSwapped ? rows[i - 2][j - 2] + 1 : Number.POSITIVE_INFINITY;
      rows[i][j] = Math.min(least, rows[i][j - 1] + 1, swapped);
    }
  }
  return rows[from.length][to.length];
}

module.exports = { BYTE_LIMIT, optionOf, optionsObject, refuse, warnOfNearMisses };
