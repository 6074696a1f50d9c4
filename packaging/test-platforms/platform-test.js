"use strict";

/** One platform: its addon is built, and the tests run with it. */

const { copyFileSync, mkdirSync, openSync, closeSync, readFileSync, rmSync } = require("node:fs");
const { availableParallelism } = require("node:os");
const path = require("node:path");
const { obstacles } = require("../portability.js");
const { folder, root, run } = require("./machine.js");
const { leftOut, testsToRun } = require("./tests.js");

/** Milliseconds for all tests of a platform. */
const TIMEOUT = 3_600_000;

/**
 * @typedef {object} Platform
 * @property {string} target of Rust, as it is published
 * @property {() => string} build builds the addon, and returns its file
 * @property {string} [addon] the name that the file gets in the root; without it nothing is run
 * @property {string} [emulator] that the tests are run by
 * @property {() => { command: string[], env?: Record<string, string> }} [node] installs Node.js for
 *   the platform, and returns how it is started
 */

/**
 * Builds the addon.
 *
 * @param {string} name
 * @param {Platform} platform
 * @returns {string} what came of it, in a line
 * @throws {Error} if it does not build, or would not run on each system that we promise it for
 */
function buildPlatform(name, platform) {
  checkedLibrary(name, platform);
  return platform.node === undefined ? "built; it is not run" : "built";
}

/**
 * Builds the addon, and runs the tests with it, unless nothing can run it.
 *
 * @param {string} name
 * @param {Platform} platform
 * @returns {string} what came of it, in a line
 * @throws {Error} if a test fails
 */
function testPlatform(name, platform) {
  if (platform.node === undefined) return buildPlatform(name, platform);
  const library = checkedLibrary(name, platform);
  const addon = path.join(root, platform.addon);
  copyFileSync(library, addon);
  try {
    return runTests(name, platform);
  } finally {
    // `npm run pack` would take it for the one to publish.
    rmSync(addon);
  }
}

/** @returns {string} the file of the addon */
function checkedLibrary(name, platform) {
  const library = platform.build();
  if (name.startsWith("linux")) {
    const found = obstacles(library, name.endsWith("musl") ? "musl" : "glibc");
    if (found.length > 0) throw new Error(found.join(", "));
  }
  return library;
}

/** @returns {string} how many tests passed and were skipped, and by what they ran */
function runTests(name, { emulator, node }) {
  const reasons = Object.entries(leftOut(emulator));
  for (const [what, why] of reasons) console.log(`left out: ${what}: ${why}`);
  const { command, env } = node();
  const atATime = availableParallelism() + (emulator === undefined ? 2 : 0);
  const options = ["--test", "--test-reporter=tap", `--test-concurrency=${atATime}`];
  const { report, error } = recorded(name, [...command, ...options, ...testsToRun(emulator)], env);
  const count = (word) => Number(new RegExp(`^# ${word} (\\d+)$`, "m").exec(report)?.[1] ?? 0);
  const counts = `${count("pass")} passed, ${count("fail") + count("cancelled")} failed, ${count("skipped")} skipped`;
  if (error !== undefined) {
    console.log(failuresIn(report));
    throw new Error(`${counts}; ${error.message}`);
  }
  if (count("pass") === 0) throw new Error("no test has run");
  return emulator === undefined ? counts : `${counts}, by ${emulator}`;
}

/** Runs the tests into files. Under Wine, Node.js fails where two of its streams are one pipe. */
function recorded(name, [executable, ...args], env) {
  const reports = path.join(folder, "reports");
  mkdirSync(reports, { recursive: true });
  const file = path.join(reports, `${name}.tap`);
  const streams = [openSync(file, "w"), openSync(`${file}.errors`, "w")];
  let error;
  try {
    const stdio = ["ignore", ...streams];
    run(executable, args, { env: { ...env, TURBO_NATIVE: "require" }, stdio, timeout: TIMEOUT });
  } catch (thrown) {
    error = thrown;
  }
  for (const stream of streams) closeSync(stream);
  return { report: readFileSync(file, "utf8").replaceAll("\r", ""), error };
}

/** @returns {string} the failed tests of a report in TAP, with their details */
function failuresIn(report) {
  return (report.match(/^ *not ok .*(\n *---\n[\s\S]*?\n *\.\.\.)?$/gm) ?? []).join("\n");
}

module.exports = { buildPlatform, testPlatform };
