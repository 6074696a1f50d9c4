"use strict";

/** Whether there is cargo, which builds the load client of the benchmarks. */

const { spawnSync } = require("node:child_process");

const hasCargo = spawnSync("cargo", ["--version"], { stdio: "ignore" }).status === 0;

/**
 * Why the tests that need cargo are left out, for the `skip` option of a test. Where `CI=true`
 * nothing is ever left out: a missing cargo then fails the test that needs it.
 *
 * @type {string | false}
 */
const skipWithoutCargo =
  process.env.CI !== "true" && !hasCargo && "cargo is missing; install Rust to run these tests";

module.exports = { skipWithoutCargo };
