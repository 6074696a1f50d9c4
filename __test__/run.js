"use strict";

/**
 * `npm test`: the Rust tests, then the JavaScript tests under this Node.js and under each other one
 * that is installed in `node-versions/`. With CI=true all of those are required, otherwise missing
 * ones are skipped with one line. Under this Node.js alone: the tests of integration and of servers without
 * the addon, and tests that depend on no release. Seeds are fixed; `npm run explore` tries new ones.
 */

const { spawnSync } = require("node:child_process");
const { availableParallelism } = require("node:os");
const path = require("node:path");
const { MAJORS, nodeExecutable } = require("./support/node-versions.js");
const { filesIn, testFiles } = require("./support/test-files.js");

const root = path.join(__dirname, "..");
const isCI = process.env.CI === "true";

/**
 * Tests that run under this Node.js alone: the longest, of which `packaging` starts the other
 * releases itself, and those that read files or compare programs in Rust with packages.
 */
const ONCE = [
  "bench",
  "gallery",
  "clients",
  "redis",
  "model/cluster.test.js",
  "packaging",
  "runtimes",
  "server/attacks-heads.test.js",
  "server/attacks-resources.test.js",
  "server/attacks-slow.test.js",
  "server/attacks-states.test.js",
  "server/frameworks.test.js",
  "server/generated-requests.test.js",
  "server/polling.test.js",
  "server/polling-upgrade.test.js",
  "conformance/cluster-codec.test.js",
  "conformance/engine-session.test.js",
  "conformance/rust-codec.test.js",
  "declarations.test.js",
  "documentation.test.js",
];

/**
 * Tests that run under the oldest and the newest release of Node.js alone: they compare our parts with the
 * packages that these replace, and use little of Node.js itself.
 */
const OLDEST_AND_NEWEST = ["adapter", "conformance", "model"];

/**
 * Tests that run once more with `createServer()` in the place of `http.createServer()`, of which they know
 * nothing. Others load packages in an order of their own, or look at what `createServer()` does not have.
 */
const WITH_DOOR = [
  "adapter",
  "drain.test.js",
  "idioms/census.test.js",
  "idioms/heartbeats.test.js",
  "idioms/latest.test.js",
  "idioms/net-socket.test.js",
  "idioms/pacing.test.js",
  "idioms/received-packets.test.js",
  "idioms/receiving-servers.test.js",
  "idioms/socket-io-members.test.js",
  "idioms/turns.test.js",
  "idioms/websocket-members.test.js",
  "integration/engine-lifetime.test.js",
  "model/adapter.test.js",
];

/** Of the model's programs, with them: 10 s of a CPU. */
const PROGRAMS_WITH_DOOR = "100";

/**
 * In milliseconds, of a file under Node.js 20 and 22, of a test under later ones; a file takes two minutes at
 * most, and three times that on a busy machine. What hangs then fails with its name.
 */
const TIMEOUT = 900_000;

/** Half of the time of the tests is spent waiting: for servers, clients, browsers, timeouts. */
const FILES_AT_A_TIME = availableParallelism() + 2;

/** Runs a command with its output; exits if it fails. `env` is added to this environment. */
function run(title, command, args, env = {}) {
  console.log(`\n# ${title}`);
  const options = { cwd: root, stdio: "inherit", env: { ...process.env, ...env } };
  const { status, error } = spawnSync(command, args, options);
  if (error) console.error(`${command}: ${error.message}`);
  if (status !== 0) process.exit(1);
}

/** @returns {boolean} true if `cargo nextest` is installed */
function hasNextest() {
  return spawnSync("cargo", ["nextest", "--version"], { stdio: "ignore" }).status === 0;
}

/** Runs test files under a Node.js. */
function runTests(title, executable, files, env) {
  const options = [`--test-concurrency=${FILES_AT_A_TIME}`, `--test-timeout=${TIMEOUT}`];
  run(title, executable, ["--test", ...options, ...files], env);
}

const rustTests = [...(hasNextest() ? ["nextest", "run"] : ["test"]), "--locked"];
run("Rust", "cargo", [...rustTests, "--no-default-features", "--features", "cluster"]);
for (const crate of ["bench/load", "bench/paths"]) {
  run(`Rust, ${crate}`, "cargo", [...rustTests, "--manifest-path", `${crate}/Cargo.toml`]);
}

const files = testFiles();
const filesOnce = filesIn(ONCE, files);
const filesEach = files.filter((file) => !filesOnce.includes(file));
runTests(`Node.js ${process.version}`, process.execPath, [...filesOnce, ...filesEach]);
runTests(
  `Node.js ${process.version} with createServer()`,
  process.execPath,
  filesIn(WITH_DOOR, files),
  {
    NODE_OPTIONS: `--require ${path.join(__dirname, "support/with-door.js")}`,
    TURBO_PROGRAMS: PROGRAMS_WITH_DOOR,
  },
);
runTests(
  `Node.js ${process.version} without the addon`,
  process.execPath,
  filesIn(["integration", "server"], filesEach),
  { TURBO_NATIVE: "0" },
);
for (const major of MAJORS) {
  if (process.version.startsWith(`v${major}.`)) continue;
  const executable = nodeExecutable(major);
  if (executable !== undefined) {
    const isBetween = major !== MAJORS.at(0) && major !== MAJORS.at(-1);
    const left = filesIn(isBetween ? OLDEST_AND_NEWEST : [], filesEach);
    const some = filesEach.filter((file) => !left.includes(file));
    runTests(`Node.js ${major}`, executable, some);
  } else if (isCI) {
    console.error(`Node.js ${major} is missing: npm ci --prefix __test__/node-versions`);
    process.exit(1);
  } else {
    console.log(
      `\n# Node.js ${major}: skipped, not installed (npm ci --prefix __test__/node-versions)`,
    );
  }
}
