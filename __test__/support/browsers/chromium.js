"use strict";

/** Chromium, by Playwright. */

const { launchChromium, skipWithoutChromium } = require("../chromium.js");
const { SIZE } = require("./availability.js");

/** @returns {Promise<import("./index.js").Browser>} */
async function launch() {
  const browser = await launchChromium();
  return {
    version: browser.version(),
    open: async (url, size = SIZE) => {
      const context = await browser.newContext({ viewport: size });
      return openPage(context, url);
    },
    close: () => browser.close(),
  };
}

async function openPage(context, url) {
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error.stack)));
  page.on("console", (entry) => {
    if (entry.type() === "error") complaints.push(`${entry.text()} (${entry.location().url})`);
  });
  await page.goto(url);
  return {
    complaints,
    evaluate: (fn, arg) => page.evaluate(fn, arg),
    waitFor: async (fn, arg) => void (await page.waitForFunction(fn, arg)),
    click: (selector) => page.locator(selector).click(),
    fill: (selector, text) => page.locator(selector).fill(text),
    reload: async () => void (await page.reload()),
    screenshot: () => page.screenshot(),
    close: () => context.close(),
  };
}

/** @type {import("./index.js").BrowserKind} */
const chromium = { name: "Chromium", skip: skipWithoutChromium, launch };

module.exports = { chromium };
