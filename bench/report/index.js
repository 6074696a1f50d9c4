"use strict";

/**
 * `npm run bench:report -- FILE`: makes docs/benchmarks/ and the figures of the README from
 * what `npm run bench -- --json FILE` has written.
 */

const { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } = require("node:fs");
const path = require("node:path");
const { OURS } = require("../processes/contenders.js");
const { allRows, page } = require("./markdown.js");
const { parserChart, scenarioChart, summaryChart } = require("./panels.js");
const { withFigures } = require("./readme.js");

const root = path.join(__dirname, "../..");
const folder = path.join(root, "docs/benchmarks");
const readme = path.join(root, "README.md");

/**
 * @param {object} results as `npm run bench -- --json` writes them
 * @returns {Record<string, string>} the SVG documents by their file names
 */
function charts(results) {
  const files = { "summary.svg": summaryChart(allRows(results)) };
  for (const [name, { rows, packets }] of Object.entries(results.results)) {
    if (packets !== undefined) files[`${name}.svg`] = parserChart(packets);
    else if (rows.length > 0) files[`${name}.svg`] = scenarioChart(rows);
  }
  return files;
}

/** Without the rounds behind the medians; a row a line, so that a change can be read. */
function resultsText({ results, ...run }) {
  const kept = Object.entries(results).map(([name, { samples, ...result }]) => [name, result]);
  const text = JSON.stringify({ ...run, results: Object.fromEntries(kept) }, rounded);
  return `${text.replace(/\{"(?:scenario|direction|path)":/g, "\n$&")}\n`;
}

/** Five digits are more than any of the figures is worth. */
function rounded(_key, value) {
  return typeof value === "number" ? Number(value.toPrecision(5)) : value;
}

/** @throws {Error} if the results are not those of a whole run */
function check({ isQuick, results }) {
  if (isQuick) throw new Error("a quick run is nothing to quote");
  const isCompared = Object.values(results).some(({ rows }) =>
    rows.some(({ contenders }) => contenders?.[OURS]),
  );
  if (!isCompared) throw new Error(`${OURS} has not been compared in this run`);
}

function main([file]) {
  if (file === undefined) throw new Error("usage: npm run bench:report -- FILE");
  const whole = JSON.parse(readFileSync(file, "utf8"));
  check(whole);
  const text = resultsText(whole);
  // As others read it, who have only what is committed.
  const results = JSON.parse(text);
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) rmSync(path.join(folder, name), { recursive: true });
  writeFileSync(path.join(folder, "results.json"), text);
  writeFileSync(path.join(folder, "README.md"), page(results));
  for (const [name, svg] of Object.entries(charts(results))) {
    writeFileSync(path.join(folder, name), svg);
  }
  writeFileSync(readme, withFigures(readFileSync(readme, "utf8"), results));
}

if (require.main === module) {
  try {
    main(process.argv.slice(2));
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}

module.exports = { charts };
