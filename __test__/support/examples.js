"use strict";

/** The servers of `examples/`, each in a process of its own. */

const { execFileSync, spawn } = require("node:child_process");
const { once } = require("node:events");
const { existsSync } = require("node:fs");
const path = require("node:path");
const { createInterface } = require("node:readline");

const root = path.join(__dirname, "../..");

/**
 * Why the tests of the frameworks' examples are left out, for the `skip` option of a test. Where
 * `CI=true` nothing is ever left out: what is missing then fails the test that needs it.
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
 * Starts an example on a free port, and waits until it listens. It is killed after the test if it
 * is still there.
 *
 * @param {{ after: (fn: () => unknown) => void }} t
 * @param {string} file below `examples/`
 * @returns {Promise<{ url: string, stop: () => Promise<number | null> }>} `stop()` asks it to end
 *   as a process manager does, and gives its exit code
 */
async function startExample(t, file) {
  const child = spawn(process.execPath, [path.join(root, "examples", file)], {
    env: { ...process.env, PORT: "0" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit").then(([code]) => code);
  t.after(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  const line = once(createInterface(child.stdout), "line").then(([text]) => text);
  const url = await Promise.race([line, exited]);
  if (typeof url !== "string") throw new Error(`${file} has ended with code ${url}`);
  const stop = () => {
    child.kill("SIGTERM");
    return exited;
  };
  return { url, stop };
}

module.exports = { compileExample, skipWithoutFrameworks, startExample };
