"use strict";

/**
 * `npm test`: the Rust tests, then the JavaScript tests under this Node.js and
 * under every other one that is installed in `node-versions/`. With CI=true all
 * of those are required; else what is missing is skipped with one line.
 */

const { spawnSync } = require("node:child_process");
const { existsSync, readdirSync } = require("node:fs");
const path = require("node:path");

const root = path.join(__dirname, "..");
const isCI = process.env.CI === "true";
const nodeVersions = [20, 22, 24, 26];

/** Runs a command in the open; ends the run where it fails. */
function run(title, command, args) {
  console.log(`\n# ${title}`);
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (error) console.error(`${command}: ${error.message}`);
  if (status !== 0) process.exit(1);
}

/** @returns {boolean} whether `cargo nextest` is there */
function hasNextest() {
  return spawnSync("cargo", ["nextest", "--version"], { stdio: "ignore" }).status === 0;
}

/** @returns {string[]} the test files, relative to the root */
function testFiles() {
  return readdirSync(__dirname, { recursive: true })
    .filter((file) => file.endsWith(".test.js") && !file.includes("node_modules"))
    .map((file) => path.join("__test__", file))
    .sort();
}

/** @returns {string | undefined} the executable of another major version, if installed */
function nodeExecutable(major) {
  const executable = path.join(__dirname, "node-versions/node_modules", `node-${major}/bin/node`);
  return existsSync(executable) ? executable : undefined;
}

const rustTests = [...(hasNextest() ? ["nextest", "run"] : ["test"]), "--locked"];
run("Rust", "cargo", [...rustTests, "--no-default-features", "--features", "net"]);
for (const crate of ["bench/load", "bench/paths"]) {
  run(`Rust, ${crate}`, "cargo", [...rustTests, "--manifest-path", `${crate}/Cargo.toml`]);
}

const files = testFiles();
run(`Node.js ${process.version}`, process.execPath, ["--test", ...files]);
for (const major of nodeVersions) {
  if (process.version.startsWith(`v${major}.`)) continue;
  const executable = nodeExecutable(major);
  if (executable !== undefined) {
    run(`Node.js ${major}`, executable, ["--test", ...files]);
  } else if (isCI) {
    console.error(`Node.js ${major} is missing: npm ci --prefix __test__/node-versions`);
    process.exit(1);
  } else {
    console.log(
      `\n# Node.js ${major}: skipped, not installed (npm ci --prefix __test__/node-versions)`,
    );
  }
}
