"use strict";

/** Packages that programs of users have beside us, in a folder of their own. */

const { existsSync } = require("node:fs");
const path = require("node:path");

/** Where they are. */
const companions = path.join(__dirname, "node_modules");

/**
 * Why the tests with them are left out, for the `skip` option of a test. Where `CI=true` nothing is
 * ever left out: the tests then fail for what is missing.
 *
 * @type {string | false}
 */
const skipWithoutCompanions =
  process.env.CI !== "true" &&
  !existsSync(companions) &&
  "the packages are not installed (npm ci --ignore-scripts --prefix __test__/companions)";

module.exports = { companions, skipWithoutCompanions };
