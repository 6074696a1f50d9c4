"use strict";

/** The programs of `tests/oracle/`, with which tests ask the Rust code itself. */

const assert = require("node:assert/strict");
const { spawnSync } = require("node:child_process");
const path = require("node:path");

const ROOT = path.join(__dirname, "..", "..");
const CARGO_RUN = ["run", "--release", "--quiet", "--locked", "--no-default-features"];

/**
 * Hands lines to an oracle, which is built when it is first needed.
 *
 * @param {string} name of the program
 * @param {string[]} lines
 * @returns {object[]} the JSON object that it prints for each line
 */
function askOracle(name, lines) {
  const { error, status, stdout } = spawnSync("cargo", [...CARGO_RUN, "--example", name], {
    cwd: ROOT,
    input: `${lines.join("\n")}\n`,
    encoding: "utf8",
    maxBuffer: 2 ** 29,
    stdio: ["pipe", "pipe", "inherit"],
  });
  if (error) throw error;
  assert.equal(status, 0, `${name} failed`);
  const answers = stdout.trimEnd().split("\n");
  assert.equal(answers.length, lines.length);
  return answers.map((answer) => JSON.parse(answer));
}

module.exports = { askOracle };
