"use strict";

/** The report as Markdown: docs/benchmarks/README.md. */

const { figureText, loadTable, ratioText, summaryTable } = require("../suite/comparison.js");
const { OURS, contenders } = require("../processes/contenders.js");
const { packetTable } = require("../suite/packet-table.js");
const { pathTable } = require("../suite/path-table.js");
const { table } = require("../suite/table.js");
const { TIE, losses, reasonsFor, slowerPackets } = require("./losses.js");
const { byLoad } = require("./rows.js");

/**
 * @param {object} results as `npm run bench -- --json` writes them
 * @returns {string} a page, with a chart `NAME.svg` for each scenario and `summary.svg`
 */
function page(results) {
  const rows = allRows(results);
  return `${[
    "# Benchmarks",
    `One run on one machine, on ${results.date.slice(0, 10)}, by \`${results.command}\`.
This page is made from it by \`npm run bench:report\`; [results.json](results.json) has the figures.`,
    "## What was measured",
    machineTable(results.machine),
    method(results.timing),
    contenderTable(rows),
    "## In short",
    image("summary", "ratios of turbo() to socket.io with ws"),
    summaryTable(rows),
    "## Where we lose",
    lossSection(results, losses(rows)),
    ...Object.entries(results.results).flatMap(([name, result]) => section(name, result)),
  ].join("\n\n")}\n`;
}

/** @returns {import("../suite/comparison.js").Row[]} those of all scenarios */
function allRows({ results }) {
  return Object.values(results).flatMap(({ rows }) => rows);
}

const image = (name, title) => `![${title}](${name}.svg)`;

function machineTable(machine) {
  return table(
    ["", "of this run"],
    Object.entries(machine).map((row) => row.map(String)),
    2,
  );
}

function method({ rounds, warmUp, seconds }) {
  return `Every server runs in a fresh process, under the same native load client, which shares the
machine with it; what the client takes is counted apart. The rounds of the contenders alternate, ${rounds}
of each: ${warmUp} s of load that is not measured, then ${seconds} s that are. A figure is the median, ± half the
distance of the extremes, and × its ratio to the first contender (the median of the ratios within a
round). Event-loop time is what \`performance.eventLoopUtilization()\` calls active, which only Node.js
has; CPU is user and system time of the server's process with all its threads, of which the kernel only
estimates the shares. A message that is lost, doubled or overtaken fails the run. The floors are loops in Rust that
send the same frames to the same sockets and do nothing else: what loopback itself costs. What may be sent
to a client at once leaves in one write there, too; a server that has more to do may find more to join
(\`saturate\`).`;
}

function contenderTable(rows) {
  const names = [...new Set(rows.flatMap(({ contenders }) => Object.keys(contenders)))];
  return table(
    ["name", "contender"],
    names.map((name) => [`\`${name}\``, contenders[name]?.title ?? name]),
    2,
  );
}

/** All that is lost, found by the program. */
function lossSection({ results }, found) {
  const packets = slowerPackets(results.parser?.packets ?? []);
  const parts = [
    `Every figure of a server in which another is better by more than a factor of ${TIE}, and every class
of packets with which socket.io-parser is faster by as much; found by the program. The last column
says whether even their worst round beats our best: if not, the next run may show it otherwise.`,
    found.length === 0 ? "No server was better in this run." : lossTable(found),
    packets.length === 0 ? "The parser was slower with none." : packetTable(packets),
    reasonsFor(found)
      .map((reason) => `- ${reason}`)
      .join("\n"),
  ];
  return parts.filter(Boolean).join("\n\n");
}

function lossTable(found) {
  return table(
    ["", "load", "figure", "better", OURS, "times", "worst beats best"],
    found.map(({ row, name, times, isClear }) => [
      row.scenario,
      row.load,
      row.metric,
      `${name} ${figureText(row.contenders[name].median, row.digits)}`,
      figureText(row.contenders[OURS].median, row.digits),
      ratioText(times),
      isClear ? "yes" : "no",
    ]),
    3,
  );
}

function section(name, result) {
  const { title, rows } = result;
  const head = [`## ${name}`, `${title}.`];
  if (result.packets !== undefined) return [...head, image(name, title), parserTable(result)];
  if (result.paths !== undefined) return [...head, pathSection(result)];
  const tables = byLoad(rows).flatMap((rows) => [`### ${name}: ${rows[0].load}`, loadTable(rows)]);
  return [...head, image(name, title), ...tables];
}

function pathSection(counts) {
  const { rustc, target, valgrind } = counts;
  return `${pathTable(counts)}

Counted by callgrind of valgrind ${valgrind}, from what rustc ${rustc} makes for ${target}. Each figure
includes that of \`nothing\`.`;
}

function parserTable({ packets, geometricMean }) {
  return `${packetTable(packets)}

The geometric mean of the last column is ${geometricMean.toFixed(2)}. "V8's JSON" is \`JSON.stringify\` or
\`JSON.parse\` alone on the same data: what a parser that leaves all values to V8 cannot beat.`;
}

module.exports = { allRows, page };
