"use strict";

/** Chromium, for the tests of web pages. */

const { accessSync, constants } = require("node:fs");
const { chromium } = require("playwright-core");

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const executablePath = process.env.CHROMIUM || "/usr/bin/chromium";

/**
 * The reason to skip the tests that need Chromium. With `CI=true` they are not skipped: a missing
 * Chromium fails the test that launches it.
 *
 * @type {string | false}
 */
const skipWithoutChromium = whySkipped();

/**
 * @returns {Promise<import("playwright-core").Browser>} a headless browser, which the test closes
 */
function launchChromium() {
  return chromium.launch({ executablePath, args: ARGUMENTS });
}

function whySkipped() {
  // All that serves it then is stock, but for the options.
  if (process.env.TURBO_NATIVE === "0") return "a browser tests nothing new of the fallback";
  if (process.env.CI === "true" || isExecutable(executablePath)) return false;
  return `no Chromium at ${executablePath}; name one in the environment variable CHROMIUM`;
}

/**
 * @param {string} file
 * @returns {boolean}
 */
function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

module.exports = { launchChromium, skipWithoutChromium };
