"use strict";

/** The reasons to skip tests in browsers. */

const { accessSync, constants } = require("node:fs");
const path = require("node:path");

/** The size of a page in pixels, if a test names no other. */
const SIZE = { width: 1280, height: 800 };

/** The packages that drive Firefox and WebKit. */
const modules = path.join(__dirname, "../../browsers/node_modules");

/**
 * Returns the reason to skip tests that need these files. With `CI=true` they are not skipped: what
 * is missing fails the test that launches it.
 *
 * @param {Record<string, string>} files by the advice that is given when one is missing
 * @returns {string | false}
 */
function skipWithout(files) {
  // All that serves a browser then is stock, but for the options.
  if (process.env.TURBO_NATIVE === "0") return "a browser tests nothing new of the fallback";
  if (process.env.CI === "true") return false;
  const missing = Object.entries(files).find(([, file]) => !exists(file));
  return missing !== undefined && `no ${missing[1]}: ${missing[0]}`;
}

function exists(file) {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

module.exports = { SIZE, modules, skipWithout };
