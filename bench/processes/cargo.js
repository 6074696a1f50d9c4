"use strict";

const { execFileSync } = require("node:child_process");
const { join } = require("node:path");

/**
 * Runs cargo on a crate in `bench/`.
 *
 * @param {string} crate its folder
 * @param {string[]} command and options
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {object[]} what it, or what it runs, writes: a line of JSON each
 * @throws {Error} if there is no cargo, or if it fails, which has then said why
 */
function cargo(crate, [command, ...options], env = process.env) {
  const manifest = join(__dirname, "..", crate, "Cargo.toml");
  const output = run([command, "--locked", "--manifest-path", manifest, ...options], env);
  return output
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

/** @returns {string} what cargo writes to its standard output */
function run(args, env) {
  const stdio = ["ignore", "pipe", "inherit"];
  try {
    return execFileSync("cargo", args, { env, encoding: "utf8", stdio, maxBuffer: 1 << 26 });
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    throw new Error("the benchmarks need cargo, which is missing: install Rust");
  }
}

/**
 * @param {string} crate its folder
 * @param {string[]} options of `cargo build`
 * @returns {string} the path of the program that it builds
 * @throws {Error} as {@link cargo}
 */
function cargoBuild(crate, options) {
  const messages = cargo(crate, ["build", "--message-format=json-render-diagnostics", ...options]);
  return messages.map(({ executable }) => executable).find(Boolean);
}

module.exports = { cargo, cargoBuild };
