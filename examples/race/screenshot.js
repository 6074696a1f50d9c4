"use strict";

const { setTimeout: sleep } = require("node:timers/promises");
const { launchChromium } = require("../../__test__/support/chromium.js");
const { createRace } = require("./race.js");

const VIEWPORT = { width: 1280, height: 800 };

/** Until the charts, which go back 30 seconds, show nothing but the steady state. */
const FILL_MILLISECONDS = 34_000;

/** The runners' lap, and a little for the browser to start with. */
const LAP_MILLISECONDS = 6_000;

/**
 * Runs a race and takes a picture of its page. The browser has started before, and opens the page
 * as late as it can, since it needs the machine, too.
 *
 * @param {string} file where to write the PNG
 * @param {object} options as `createRace()` takes them
 * @throws {Error} if there is no Chromium, or the race fails
 */
async function takeScreenshot(file, options) {
  const browser = await launchChromium();
  try {
    const page = await browser.newPage({ viewport: VIEWPORT });
    await photograph(page, file, options);
  } finally {
    await browser.close();
  }
}

async function photograph(page, file, options) {
  const race = await createRace({ ...options, port: 0 });
  try {
    await sleep(FILL_MILLISECONDS);
    await page.goto(race.url);
    await sleep(LAP_MILLISECONDS);
    await page.screenshot({ path: file });
  } finally {
    await race.close();
  }
}

module.exports = { takeScreenshot };
