"use strict";

/** The figures in the README, between two marks. */

const { figureText, ratioText } = require("../suite/comparison.js");
const { OURS, SERVER } = require("../processes/contenders.js");
const { table } = require("../suite/table.js");
const { allRows } = require("./markdown.js");
const { firstOf, groupBy, ourRatio } = require("./rows.js");

const BEGIN = "<!-- Figures: npm run bench:report -->";
const END = "<!-- /Figures -->";

/** At the end of the name of a load. */
const PAYLOAD = /, \d+ (Ki)?B$/;

/** The contenders with a column of their own. */
const COLUMNS = {
  bun: "Bun's engine",
  socketioxide: "socketioxide",
  [OURS]: "turbo",
  [SERVER]: "on its server",
  send: "floor",
};

/**
 * @param {string} readme
 * @param {object} results as `npm run bench -- --json` writes them
 * @returns {string} the README with the figures of the results
 * @throws {Error} if the marks are missing
 */
function withFigures(readme, results) {
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`README.md lacks ${BEGIN} … ${END}`);
  return `${readme.slice(0, begin + BEGIN.length)}\n\n${figures(results)}\n\n${readme.slice(end)}`;
}

function figures(results) {
  const { machine, date } = results;
  const told = allRows(results).filter((row) => row.isHeadline && ourRatio(row) !== undefined);
  return `One run on ${date.slice(0, 10)}: ${machine.cores} cores (${machine.cpu}), ${machine.platform},
Node.js ${machine.node.slice(1)}, socket.io ${machine.socketIo} with ws ${machine.ws}; medians of ${results.timing.rounds} rounds.

![Event-loop time, CPU and latency of turbo(), as shares of those of socket.io with ws](docs/benchmarks/summary.svg)

${figureTable(withOnePayload(told))}${parserLine(results.results)}`;
}

/** Of loads that differ by their payload, the first. */
function withOnePayload(rows) {
  const firsts = groupBy(rows, ({ scenario, load }) => `${scenario} ${load.replace(PAYLOAD, "")}`);
  return firsts.flatMap((group) => group.filter(({ load }) => load === group[0].load));
}

function figureTable(rows) {
  const columns = Object.keys(COLUMNS).filter((name) => rows.some((row) => row.contenders[name]));
  return table(
    ["load", "figure", "ws", ...columns.map((name) => COLUMNS[name]), "turbo / ws"],
    rows.map((row) => [
      `${row.scenario}: ${row.load}`,
      row.metric,
      cell(row, firstOf(row)),
      ...columns.map((name) => cell(row, name)),
      ratioText(ourRatio(row)),
    ]),
    2,
  );
}

function cell({ contenders, digits }, name) {
  return name in contenders ? figureText(contenders[name].median, digits) : "";
}

function parserLine({ parser }) {
  if (parser === undefined) return "";
  const { geometricMean, packets } = parser;
  const speedups = packets.map(({ speedup }) => speedup);
  const [least, most] = [Math.min(...speedups), Math.max(...speedups)];
  return `

The parser alone is ${geometricMean.toFixed(2)} times as fast as socket.io-parser (geometric mean of ${packets.length} classes of
packets, ${least.toFixed(2)} to ${most.toFixed(2)}).`;
}

module.exports = { withFigures };
