"use strict";

/**
 * The instructions of the hot paths in Rust, counted by callgrind: the same in each run, however busy
 * the machine is, so that a regression of a percent shows.
 *
 * They depend on the compiler, and on the processor, since libraries choose their code by its
 * features. So they are compared with the committed report only if the compiler is the same.
 */

const { execFileSync, spawnSync } = require("node:child_process");
const { existsSync, readFileSync } = require("node:fs");
const { join } = require("node:path");
const { cargo, cargoBuild } = require("../processes/cargo.js");
const { changeTable } = require("../suite/path-table.js");

const REPORT = join(__dirname, "../../docs/benchmarks/results.json");

/**
 * @typedef {object} PathCounts
 * @property {string} rustc its version
 * @property {string} target for which it compiles
 * @property {string} valgrind its version
 * @property {{ path: string, instructions: number }[]} paths
 */

/** @returns {string | undefined} */
function missing() {
  if (spawnSync("valgrind", ["--version"]).status === 0) return undefined;
  return "valgrind is not installed, which counts the instructions";
}

/**
 * @returns {PathCounts & { rows: [] }}
 * @throws {Error} if cargo or valgrind fails, which has then said why
 */
function run() {
  const counts = { ...compiler(), valgrind: valgrind(), paths: count() };
  console.log(`\n${changeTable(counts, committed(counts))}`);
  return { ...counts, rows: [] };
}

/** @returns {{ path: string, instructions: number }[]} */
function count() {
  // gungraun takes the path of its runner when it is compiled.
  const runner = cargoBuild("paths", ["--features", "runner", "--bin", "runner"]);
  const summaries = cargo(
    "paths",
    ["bench", "--features", "instructions", "--bench", "instructions", "--"].concat([
      "--parallel=auto",
      "--output-format=json",
    ]),
    { ...process.env, GUNGRAUN_RUNNER: runner },
  );
  return summaries.map(({ id, profiles: [{ data }] }) => ({
    path: id.replaceAll("_", " ").replace("kib", "KiB"),
    instructions: data.total.metrics.Ir.values.new,
  }));
}

/** @returns {{ rustc: string, target: string }} */
function compiler() {
  const text = execFileSync("rustc", ["-vV"], { encoding: "utf8" });
  const field = (name) => text.match(new RegExp(`^${name}: (.+)$`, "m"))[1];
  return { rustc: field("release"), target: field("host") };
}

/** @returns {string} such as `3.19.0` */
function valgrind() {
  const text = execFileSync("valgrind", ["--version"], { encoding: "utf8" });
  return text.trim().replace("valgrind-", "");
}

/** @returns {PathCounts | undefined} those of the report, if they come from the same compiler */
function committed({ rustc, target }) {
  if (!existsSync(REPORT)) return undefined;
  const { paths } = JSON.parse(readFileSync(REPORT, "utf8")).results;
  return paths?.rustc === rustc && paths.target === target ? paths : undefined;
}

/** @type {import("../suite/index.js").Scenario} */
module.exports = {
  title: "Instructions of the hot paths in Rust, without a server",
  seconds: () => 15,
  isSlow: true,
  run,
  missing,
};
