"use strict";

const { table } = require("./table.js");

/**
 * @param {import("./scenarios/paths.js").PathCounts} counts
 * @param {import("./scenarios/paths.js").PathCounts} [before] what to compare them with; `-`
 *   where it has no such path
 * @returns {string}
 */
function pathTable({ paths }, before = { paths: [] }) {
  const past = new Map(before.paths.map(({ path, instructions }) => [path, instructions]));
  return table(
    ["path", "instructions", "change, %"],
    paths.map(({ path, instructions }) => [
      path,
      String(instructions),
      change(instructions, past.get(path)),
    ]),
  );
}

function change(instructions, past) {
  if (past === undefined) return "-";
  const percent = ((instructions / past - 1) * 100).toFixed(1);
  return Number(percent) > 0 ? `+${percent}` : percent.replace(/^-0\.0$/, "0.0");
}

module.exports = { pathTable };
