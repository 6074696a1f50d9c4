"use strict";

/**
 * `npm run lint`: the checks that need no test run. Prints the name of each step and stops at the
 * first that fails.
 */

const { spawnSync } = require("node:child_process");
const path = require("node:path");

const root = path.join(__dirname, "..");

/** The crates that have a manifest of their own. */
const CRATES = [
  "__test__/clients/rust",
  "bench/load",
  "bench/paths",
  "bench/socketioxide",
  "examples/clients/rust",
  "fuzz",
];

const DENY_WARNINGS = ["--", "-D", "warnings"];

/** @typedef {{ name: string, command: string, args: string[], env?: Record<string, string> }} Step */

/** @returns {Step} rustfmt for a crate, the main one by default */
function format(crate) {
  return cargo("rustfmt", ["fmt", "--check"], crate);
}

/** @returns {Step} clippy with these features and targets */
function clippy(options, crate) {
  return cargo("clippy", ["clippy", ...options, "--locked"], crate, { after: DENY_WARNINGS });
}

/** @returns {Step} rustdoc with warnings denied, private items included: it checks the links of all comments */
function rustdoc(crate) {
  const args = ["doc", "--no-deps", "--document-private-items", "--locked"];
  return cargo("rustdoc", args, crate, { env: { RUSTDOCFLAGS: "-D warnings" } });
}

function cargo(tool, args, crate, { after = [], env } = {}) {
  const manifest = crate === undefined ? [] : ["--manifest-path", `${crate}/Cargo.toml`];
  const name = `${tool}${crate === undefined ? "" : ` in ${crate}`}`;
  return { name, command: "cargo", args: [...args, ...manifest, ...after], env };
}

/** @returns {Step} a program of node_modules, which `npm run` has put into PATH */
function tool(name, command, ...args) {
  return { name, command, args };
}

/** The features are those of the tests in Rust, of the fuzz targets, and of Windows. */
const STEPS = [
  format(),
  ...CRATES.map((crate) => format(crate)),
  tool("Biome", "biome", "ci"),
  tool("types", "tsc", "-p", "__test__/types"),
  clippy(["--all-targets"]),
  clippy(["--lib", "--no-default-features"]),
  clippy(["--lib", "--no-default-features", "--features", "net"]),
  clippy(["--lib", "--no-default-features", "--features", "binding"]),
  clippy(["--all-targets"], "__test__/clients/rust"),
  clippy(["--all-targets"], "bench/load"),
  clippy(["--all-targets", "--all-features"], "bench/paths"),
  clippy(["--all-targets"], "bench/socketioxide"),
  rustdoc(),
  rustdoc("bench/load"),
  rustdoc("bench/paths"),
  rustdoc("bench/socketioxide"),
];

/**
 * Runs a step, with its output shown.
 *
 * @param {Step} step
 * @returns {boolean} whether it passed
 */
function passes({ name, command, args, env }) {
  console.log(`\n# ${name}: ${[command, ...args].join(" ")}`);
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, ...env },
    // The programs of node_modules are .cmd files there.
    shell: process.platform === "win32",
  });
  if (error) console.error(`${command}: ${error.message}`);
  return status === 0;
}

const failed = STEPS.find((step) => !passes(step));
if (failed === undefined) console.log("\nNo problems found");
else console.error(`\nFailed: ${failed.name}`);
process.exitCode = failed === undefined ? 0 : 1;
