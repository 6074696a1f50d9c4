"use strict";

const { table } = require("./table.js");

/**
 * @typedef {import("../scenarios/paths.js").PathCounts} PathCounts
 *
 * @param {PathCounts} counts
 * @returns {string}
 */
function pathTable({ paths }) {
  return table(["path", "instructions"], paths.map(cells));
}

/**
 * @param {PathCounts} counts
 * @param {PathCounts} [before] what to compare them with; `-` where it has no such path
 * @returns {string}
 */
function changeTable({ paths }, before = { paths: [] }) {
  const past = new Map(before.paths.map(({ path, instructions }) => [path, instructions]));
  return table(
    ["path", "instructions", "change, %"],
    paths.map((count) => [...cells(count), change(count.instructions, past.get(count.path))]),
  );
}

const cells = ({ path, instructions }) => [path, String(instructions)];

function change(instructions, past) {
  if (past === undefined) return "-";
  const percent = ((instructions / past - 1) * 100).toFixed(1);
  return Number(percent) > 0 ? `+${percent}` : percent.replace(/^-0\.0$/, "0.0");
}

module.exports = { changeTable, pathTable };
