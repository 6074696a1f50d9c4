"use strict";

/**
 * `npm run explore [-- MINUTES]`: runs the seeded tests of `npm test` and `.ci/run` on one new seed
 * after the other, for an hour by default: the JavaScript tests that print their seed, the Rust tests,
 * and the fuzz targets if cargo-fuzz is installed. Each failure is printed with the command that
 * repeats it, and again in the end. A fault that it finds becomes a test of its own.
 */

const { spawnSync } = require("node:child_process");
const { randomInt } = require("node:crypto");
const { existsSync, readFileSync } = require("node:fs");
const path = require("node:path");
const { filesIn, testFiles } = require("./support/test-files.js");

const DEFAULT_MINUTES = 60;
/** How long a fuzz target runs at a time. */
const FUZZ_SECONDS = 60;
/** Cases of each property in Rust, by default 256. */
const CASES = "4096";
/** The longest output of a step, in bytes. */
const MAX_BUFFER = 2 ** 28;

const root = path.join(__dirname, "..");

/**
 * @typedef {object} Step
 * @property {(seed: number) => Record<string, string>} env beside this process's
 * @property {(seed: number) => string[]} command
 */

/** @returns {Step[]} one for each test file with SEED in it */
function seededTests() {
  const packaging = filesIn(["packaging"], testFiles());
  const isSeeded = (file) => readFileSync(path.join(root, file), "utf8").includes("SEED");
  return testFiles()
    .filter((file) => !packaging.includes(file) && isSeeded(file))
    .map((file) => ({
      env: (seed) => ({ SEED: `${seed}` }),
      command: () => ["node", "--test", file],
    }));
}

/** @type {Step} */
const rustTests = {
  env: (seed) => ({ PROPTEST_RNG_SEED: `${seed}`, PROPTEST_CASES: CASES }),
  command: () => ["cargo", "test", "--locked", "--no-default-features", "--features", "cluster"],
};

/** @returns {Step[]} one for each fuzz target, which continues with the corpus that it has found */
function fuzzTargets() {
  const env = { ...process.env, RUSTC_BOOTSTRAP: "1" };
  const { status, stdout } = spawnSync("cargo", ["fuzz", "list"], { cwd: root, env });
  if (status !== 0) {
    console.log("Fuzz targets: skipped, cargo-fuzz is not installed");
    return [];
  }
  const targets = String(stdout).split("\n").filter(Boolean);
  return targets.map((target) => {
    const dictionary = `fuzz/${target}.dict`;
    const options = existsSync(path.join(root, dictionary)) ? [`-dict=${dictionary}`] : [];
    options.push(`-max_total_time=${FUZZ_SECONDS}`);
    return {
      env: () => ({ RUSTC_BOOTSTRAP: "1" }),
      command: (seed) => ["cargo", "fuzz", "run", target, "--", `-seed=${seed}`, ...options],
    };
  });
}

/**
 * Runs a step on a new seed. Its output is printed only if it fails.
 *
 * @param {Step} step
 * @returns {string | undefined} the command that repeats it, if it failed
 */
function run(step) {
  const seed = randomInt(2 ** 31);
  const env = step.env(seed);
  const [program, ...args] = step.command(seed);
  const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const line = [...settings, program, ...args].join(" ");
  console.log(line);
  const executable = program === "node" ? process.execPath : program;
  const { status, error, stdout, stderr } = spawnSync(executable, args, {
    cwd: root,
    env: { ...process.env, ...env },
    maxBuffer: MAX_BUFFER,
  });
  if (status === 0) return undefined;
  console.log(`${error ?? ""}${stdout ?? ""}${stderr ?? ""}\nfailed: ${line}`);
  return line;
}

const end = Date.now() + Number(process.argv[2] ?? DEFAULT_MINUTES) * 60_000;
const steps = [...seededTests(), rustTests, ...fuzzTargets()];
const failed = [];
for (let next = 0; Date.now() < end; next++) {
  const line = run(steps[next % steps.length]);
  if (line !== undefined) failed.push(line);
}
console.log(`\n${failed.length} failures`);
for (const line of failed) console.log(line);
if (failed.length > 0) process.exitCode = 1;
