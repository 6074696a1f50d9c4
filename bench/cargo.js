"use strict";

const { execFileSync } = require("node:child_process");
const { join } = require("node:path");

/**
 * Runs cargo on a crate in this folder.
 *
 * @param {string} crate its folder
 * @param {string[]} command and options
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {object[]} what it, or what it runs, writes: a line of JSON each
 * @throws {Error} if it fails, which has then said why
 */
function cargo(crate, [command, ...options], env = process.env) {
  const manifest = join(__dirname, crate, "Cargo.toml");
  const output = execFileSync(
    "cargo",
    [command, "--locked", "--manifest-path", manifest, ...options],
    { env, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], maxBuffer: 1 << 26 },
  );
  return output
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

/**
 * @param {string} crate its folder
 * @param {string[]} options of `cargo build`
 * @returns {string} the path of the program that it builds
 * @throws {Error} if cargo fails, which has then said why
 */
function cargoBuild(crate, options) {
  const messages = cargo(crate, ["build", "--message-format=json-render-diagnostics", ...options]);
  return messages.map(({ executable }) => executable).find(Boolean);
}

module.exports = { cargo, cargoBuild };
