"use strict";

/** Cargo, which builds the load client of the benchmarks when it is first needed. */

const { spawnSync } = require("node:child_process");

/**
 * The reason to skip tests that need cargo, for the `skip` option of a test. Where `CI=true`
 * nothing is ever left out.
 *
 * @type {string | false}
 */
const skipWithoutCargo =
  process.env.CI !== "true" &&
  spawnSync("cargo", ["--version"], { stdio: "ignore" }).status !== 0 &&
  "no cargo";

module.exports = { skipWithoutCargo };
