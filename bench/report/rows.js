"use strict";

/**
 * Questions to the rows of a result; see comparison.js.
 *
 * @typedef {import("../suite/comparison.js").Row} Row
 */

const { OURS } = require("../processes/contenders.js");

/**
 * @template Item
 * @param {Item[]} items
 * @param {(item: Item) => string} key
 * @returns {Item[][]} those of one key together, in the order of their first
 */
function groupBy(items, key) {
  const groups = new Map();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group === undefined) groups.set(key(item), [item]);
    else group.push(item);
  }
  return [...groups.values()];
}

/** @param {Row[]} rows of one scenario @returns {Row[][]} */
const byLoad = (rows) => groupBy(rows, ({ load }) => load);

/** @param {Row} row @returns {string} the contender to which the others are compared */
const firstOf = ({ contenders }) => Object.keys(contenders)[0];

/**
 * @param {Row} row
 * @param {string} [name] of a contender
 * @returns {number | undefined} its ratio to the first, ours unless another is named
 */
const ourRatio = (row, name = OURS) => row.contenders[name]?.ratios[firstOf(row)];

module.exports = { byLoad, firstOf, groupBy, ourRatio };
