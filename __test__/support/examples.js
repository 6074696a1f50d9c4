"use strict";

/** The servers of `examples/`, each in a process of its own. */

const { execFileSync } = require("node:child_process");
const { existsSync } = require("node:fs");
const path = require("node:path");
const { startProgram } = require("./fixture-process.js");

const root = path.join(__dirname, "../..");

/**
 * The reason to skip the tests of the frameworks' examples. With `CI=true` they are never skipped:
 * a missing framework then fails the test that needs it.
 *
 * @type {string | false}
 */
const skipWithoutFrameworks =
  process.env.CI !== "true" &&
  !existsSync(path.join(root, "examples/node_modules")) &&
  "the frameworks are not installed: npm ci --prefix examples";

/** Compiles an example that is written in TypeScript, into its `dist` folder. */
function compileExample(name) {
  const compiler = path.join(root, "node_modules/typescript/bin/tsc");
  const args = [compiler, "-p", path.join(root, "examples", name)];
  execFileSync(process.execPath, args, { stdio: "inherit" });
}

/**
 * Starts an example on a free port, and waits until it listens.
 *
 * @param {{ after: (fn: () => unknown) => void }} t
 * @param {string} file below `examples/`
 * @returns {Promise<{ url: string, stop: () => Promise<number | null> }>} `stop()` ends it as a
 *   process manager does, and resolves with its exit code
 */
async function startExample(t, file) {
  const options = { env: { PORT: "0" } };
  const { child, next, exited } = startProgram(t, path.join(root, "examples", file), [], options);
  const url = await Promise.race([next(), exited]);
  if (typeof url !== "string") throw new Error(`${file} has ended with code ${url.code}`);
  const stop = async () => {
    child.kill("SIGTERM");
    return (await exited).code;
  };
  return { url, stop };
}

module.exports = { compileExample, skipWithoutFrameworks, startExample };
