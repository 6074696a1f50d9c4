"use strict";

/** Pseudo-random choices that depend on a seed alone. */

/**
 * The seed of this run: SEED from the environment, as `npm run explore` sets it, else always 1, so that
 * a test fails because of a change only.
 */
const SEED = Number(process.env.SEED ?? 1);

/**
 * Returns functions that choose by one stream of numbers, Mulberry32.
 *
 * @param {number} seed a 32-bit integer
 */
function randomFrom(seed) {
  let state = seed >>> 0;
  /** Returns a number in [0, 1). */
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  /** Returns an integer in [0, limit). */
  const below = (limit) => Math.floor(random() * limit);
  /** Returns an element of a list. */
  const pick = (list) => list[below(list.length)];
  /** Returns true with the given probability. */
  const chance = (probability) => random() < probability;
  /** Returns an array of fewer than `limit` results of `make`. */
  const times = (limit, make) => Array.from({ length: below(limit) }, make);
  return { random, below, pick, chance, times };
}

module.exports = { SEED, randomFrom };
