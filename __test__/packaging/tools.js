"use strict";

/** The reason to skip tests of packages: their tools are not installed. */

const { existsSync } = require("node:fs");
const path = require("node:path");

/**
 * Why these tests are left out, for the `skip` option of a test. Where `CI=true` nothing is ever
 * left out: the tests then fail for what is missing.
 *
 * @type {string | false}
 */
const skipWithoutTools =
  process.env.CI !== "true" &&
  !existsSync(path.join(__dirname, "node_modules")) &&
  "the tools are not installed (npm ci --ignore-scripts --prefix __test__/packaging)";

module.exports = { skipWithoutTools };
