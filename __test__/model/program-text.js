"use strict";

/** Prints programs, and where the outcomes of two servers differ. */

const { inspect } = require("node:util");
const { PLAINEST } = require("./shrinker.js");

const LONGEST = 100;

/** Members that hold operations, turns or scripts: printed below their owner. */
const NESTED = new Set(
  "turns scripts steps greeting ops inMiddleware onConnection onDisconnecting onDisconnect".split(
    " ",
  ),
);

/** Returns a value as code; long texts and bytes are cut short. */
function code(value) {
  const isLong = typeof value === "string" && value.length > LONGEST;
  if (isLong) return `"${value.slice(0, 10)}…" /* ${value.length} */`;
  if (Array.isArray(value)) return `[${value.map(code).join(", ")}]`;
  return inspect(value, { depth: 9, breakLength: Number.POSITIVE_INFINITY, maxArrayLength: 8 });
}

const indented = (lines) => lines.map((line) => `  ${line}`);

const isEmpty = (value) => Array.isArray(value) && value.length === 0;

/** Returns the lines of an operation, a turn, a script or a greeting, headed by its name. */
function lines(title, members) {
  const own = [];
  const inner = [];
  for (const [key, value] of Object.entries(members)) {
    if (isEmpty(value) || value === undefined || value === PLAINEST[key]) continue;
    if (NESTED.has(key)) inner.push(...nested(key, value));
    else own.push(`${key}: ${code(value)}`);
  }
  return [own.length === 0 ? title : `${title} { ${own.join(", ")} }`, ...indented(inner)];
}

function nested(key, value) {
  if (!Array.isArray(value)) {
    const printed = lines(key, value);
    return printed.length === 1 && printed[0] === key ? [] : printed;
  }
  const items = value.flatMap((item) => (Array.isArray(item) ? item.flatMap(step) : step(item)));
  return key === "ops" ? items : [`${key}:`, ...indented(items)];
}

function step({ do: name, what = name, ...members }) {
  return lines(what ?? "script", members);
}

/**
 * @param {import("./program.js").Program} program
 * @returns {string} its turns, with what is done in each handler below it; members that have their
 *   plainest value are left out
 */
function printProgram({ turns, server, ...members }) {
  const printed = turns.flatMap(({ what, ...turn }, index) => lines(`${index + 1}. ${what}`, turn));
  return [...lines(`${server} server`, members), ...printed].join("\n");
}

/** Returns the lines of two lists around the first that differs. */
function parting(name, expected, actual) {
  const at = expected.findIndex((text, index) => text !== actual[index]);
  const start = Math.max(0, (at === -1 ? expected.length : at) - 3);
  const around = (list) => indented(list.slice(start, start + 8).map((text) => text.slice(0, 200)));
  return [`${name}, expected:`, ...around(expected), `${name}, actual:`, ...around(actual)];
}

/**
 * @param {import("./play.js").Outcome} expected
 * @param {import("./play.js").Outcome} actual
 * @returns {string} where two outcomes differ; empty if they do not
 */
function printDifference(expected, actual) {
  const names = new Set([...Object.keys(expected), ...Object.keys(actual)]);
  const differences = Array.from(names, (name) => {
    const lists = [expected[name] ?? [], actual[name] ?? []];
    return lists[0].join("\n") === lists[1].join("\n") ? [] : parting(name, ...lists);
  });
  return differences.flat().join("\n");
}

module.exports = { printDifference, printProgram };
