"use strict";

/**
 * Slips in the names of our options. Unknown names go through, as they may be Socket.IO's of
 * tomorrow; of those that are nearly ours the process is warned.
 */

const { warnOnce } = require("./warnings.js");

/** Changes of one letter, or two neighbours that are swapped, that are a slip. */
const MAX_EDITS = 2;

/** Letters of a word by which an option is recognised, such as "threads". */
const MIN_WORD = 7;

/** Words that options of others end with, too. */
const COMMON_WORDS = ["timeout"];

/**
 * Warns of each name that is nearly one of ours, once.
 *
 * @param {Record<string, unknown>} given
 * @param {string[]} ours
 */
function warnOfNearMisses(given, ours) {
  for (const name of Object.keys(given)) {
    const meant = ours.includes(name) ? undefined : ours.find((other) => isNear(name, other));
    if (meant === undefined) continue;
    warnOnce("TURBO_UNKNOWN_OPTION", `${name} is no option; did you mean ${meant}?`);
  }
}

function isNear(name, other) {
  const [given, meant] = [lettersOf(name), lettersOf(other)];
  const isWord = given.length >= MIN_WORD && !COMMON_WORDS.includes(given);
  const isPart = isWord && meant.includes(given);
  if (isPart || given.includes(meant) || edits(given, meant) <= MAX_EDITS) return true;
  const word = lastWordOf(other);
  const isDistinct = word.length >= MIN_WORD && !COMMON_WORDS.includes(word);
  return isDistinct && lastWordOf(name) === word;
}

function lettersOf(name) {
  return name.toLowerCase().replace(/[^a-z]/g, "");
}

function lastWordOf(name) {
  return name.match(/[A-Z]?[a-z]*$/)[0].toLowerCase();
}

/** How many letters have to be added, left out, replaced or swapped (optimal string alignment). */
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

module.exports = { warnOfNearMisses };
