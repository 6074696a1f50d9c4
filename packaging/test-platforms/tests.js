"use strict";

/** Which tests run on which platform, which are left out there, and why. */

const { filesIn, testFiles } = require("../../__test__/support/test-files.js");

/** Files and folders in `__test__/`, with the reason to leave them out, by the platform. */

/** What says nothing about a platform, or is there for this machine's only. */
const EVERYWHERE = {
  bench: "compares servers, by load clients that are compiled for this machine",
  "conformance/cluster-codec.test.js": "asks a program in Rust, compiled for this machine",
  "conformance/rust-codec.test.js": "asks a program in Rust, compiled for this machine",
  "declarations.test.js": "reads files",
  "documentation.test.js": "reads files",
  "idioms/test-runners.test.js": "Jest and Vitest are installed for this machine",
  packaging: "installs the packages for this machine",
  runtimes: "Bun and Deno are those of this machine",
};

const UNDER_QEMU = {};

const UNDER_WINE = {};

/** By what the tests are run by. */
const LEFT_OUT = {
  nothing: EVERYWHERE,
  QEMU: { ...EVERYWHERE, ...UNDER_QEMU },
  Wine: { ...EVERYWHERE, ...UNDER_WINE },
};

/** @returns {[string, string][]} what is left out on a platform, and why */
function leftOutOn(name) {
  return Object.entries(LEFT_OUT[name]);
}

/**
 * @param {string} name of a platform
 * @returns {string[]} the test files that run there
 * @throws {Error} if something is left out that does not exist
 */
function testsOn(name) {
  const files = testFiles();
  const left = Object.keys(LEFT_OUT[name]);
  const missing = left.filter((it) => filesIn([it], files).length === 0);
  if (missing.length > 0) throw new Error(`__test__ has no ${missing.join(", ")}`);
  const out = filesIn(left, files);
  return files.filter((file) => !out.includes(file));
}

module.exports = { leftOutOn, testsOn };
