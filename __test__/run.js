"use strict";

/**
 * `npm test`: the Rust tests, then the JavaScript tests under this Node.js and
 * under every other one that is installed in `node-versions/`. With CI=true all
 * of those are required; else what is missing is skipped with one line. Under this
 * Node.js alone: the integration tests without the addon, and the tests of the
 * benchmarks, of clusters, of other runtimes and of the packages, the latter of which run them under
 * the others by themselves.
 */

const { spawnSync } = require("node:child_process");
const { readdirSync } = require("node:fs");
const path = require("node:path");
const { MAJORS, nodeExecutable } = require("./support/node-versions.js");

const root = path.join(__dirname, "..");
const isCI = process.env.CI === "true";

/** Runs a command in the open; ends the run where it fails. `env` adds to this environment. */
function run(title, command, args, env = {}) {
  console.log(`\n# ${title}`);
  const options = { cwd: root, stdio: "inherit", env: { ...process.env, ...env } };
  const { status, error } = spawnSync(command, args, options);
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

/** @returns {string[]} those of `files` that are in a folder of `__test__/` */
function filesIn(folder, files) {
  return files.filter((file) => file.startsWith(path.join("__test__", folder, path.sep)));
}

const rustTests = [...(hasNextest() ? ["nextest", "run"] : ["test"]), "--locked"];
run("Rust", "cargo", [...rustTests, "--no-default-features", "--features", "cluster"]);
for (const crate of ["bench/load", "bench/paths"]) {
  run(`Rust, ${crate}`, "cargo", [...rustTests, "--manifest-path", `${crate}/Cargo.toml`]);
}

const allFiles = testFiles();
const filesOnce = ["bench", "cluster", "packaging", "runtimes"].flatMap((folder) =>
  filesIn(folder, allFiles),
);
const files = allFiles.filter((file) => !filesOnce.includes(file));
run("Benchmarks, clusters, packages and runtimes", process.execPath, ["--test", ...filesOnce]);
run(`Node.js ${process.version}`, process.execPath, ["--test", ...files]);
run(
  `Node.js ${process.version} without the addon`,
  process.execPath,
  ["--test", ...filesIn("integration", files)],
  { TURBO_NATIVE: "0" },
);
for (const major of MAJORS) {
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
