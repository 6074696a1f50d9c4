"use strict";

/** The panels of a report's charts. */

const { OURS, SERVER } = require("../processes/contenders.js");
const { chart } = require("./chart.js");
const { byLoad, groupBy, ourRatio } = require("./rows.js");

/** Stands in front of the metric that has the user or system share of a CPU time. */
const SHARES = ["user", "system"];

/** The names of packets take more room than those of contenders. */
const PACKET_NAMES = { nameWidth: 230 };

/**
 * @param {import("../suite/comparison.js").Row[]} rows of one scenario
 * @returns {string} an SVG document: a row for each load, a panel for each headline
 */
function scenarioChart(rows) {
  const loads = byLoad(rows);
  const panels = loads.map((rows) =>
    rows.filter(({ isHeadline }) => isHeadline).map((row) => panel(row, rows, loads.length > 1)),
  );
  return chart(panels.filter((row) => row.length > 0));
}

function panel(row, rows, withLoad) {
  const names = Object.keys(row.contenders);
  const shares = SHARES.map((share) =>
    rows.find(({ metric }) => metric === `${share} ${row.metric}`),
  );
  const isShared = shares.every((share) => share !== undefined);
  return {
    title: withLoad ? `${row.metric}\n${row.load}` : row.metric,
    names,
    series: isShared
      ? shares.map((share, index) => series(SHARES[index], share, names))
      : [series(undefined, row, names)],
    spreads: names.map((name) => [row.contenders[name].min, row.contenders[name].max]),
    highlighted: OURS,
  };
}

function series(name, { contenders }, names) {
  return { name, values: names.map((contender) => contenders[contender].median) };
}

/**
 * @param {import("../suite/comparison.js").Row[]} rows of all scenarios, with ours compared
 * @returns {string} an SVG document: the ratio of ours to the first contender, and of ours on its own
 *   server, where less is better
 */
function summaryChart(rows) {
  const told = rows.filter(
    ({ isHeadline, better, contenders }) =>
      isHeadline && better === "lower" && ourRatio({ contenders }),
  );
  const bars = told.flatMap((row) => {
    const name = `${row.scenario} (${row.load}): ${row.metric}`;
    const bar = { name, ratio: ourRatio(row) };
    const ratio = ourRatio(row, SERVER);
    return ratio === undefined ? bar : [bar, { name: `${name}, on its server`, ratio }];
  });
  const panel = {
    title: "turbo / socket.io with ws: less is better",
    names: bars.map(({ name }) => name),
    series: [{ values: bars.map(({ ratio }) => ratio) }],
    line: 1,
  };
  return chart([[panel]], { nameWidth: 480, barWidth: 340 });
}

/**
 * @param {object[]} packets the rows of the parser's scenario
 * @returns {string} an SVG document: how many times faster ours is, in both directions
 */
function parserChart(packets) {
  const panels = groupBy(packets, ({ direction }) => direction).map((rows) => ({
    title: `${rows[0].direction}: times as fast as socket.io-parser`,
    names: rows.map(({ packet }) => packet),
    series: [{ values: rows.map(({ speedup }) => speedup) }],
    line: 1,
  }));
  return chart([panels], PACKET_NAMES);
}

module.exports = { parserChart, scenarioChart, summaryChart };
