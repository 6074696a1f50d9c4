"use strict";

const { execFile } = require("node:child_process");
const { promisify } = require("node:util");

const execute = promisify(execFile);

/**
 * Runs a program to its end.
 *
 * @param {string} file
 * @param {string[]} args
 * @param {{ cwd?: string, env?: Record<string, string | undefined> }} [options] `env`: what differs
 *   from this process's environment
 * @returns {Promise<string>} what it has written to its standard output
 * @throws {Error} with all that it has written, if it fails or takes more than two minutes
 */
async function run(file, args, { cwd, env = {} } = {}) {
  const options = { cwd, env: environment(env), maxBuffer: 64 * 1024 * 1024, timeout: 120_000 };
  try {
    return (await execute(file, args, options)).stdout;
  } catch (error) {
    throw new Error(`${error.message}\n${error.stdout}\n${error.stderr}`);
  }
}

/** This process's, without what npm tells the scripts that it runs and without our settings. */
function environment(changes) {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|NODE_TEST_CONTEXT|TURBO_NATIVE$)/i.test(name),
  );
  return { ...Object.fromEntries(kept), ...changes };
}

module.exports = { run };
