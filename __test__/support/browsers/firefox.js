"use strict";

/** Firefox, by Puppeteer over WebDriver BiDi. */

const path = require("node:path");
const { SIZE, modules, skipWithout } = require("./availability.js");

const executablePath = process.env.FIREFOX || "/usr/bin/firefox-esr";
const puppeteerPath = path.join(modules, "puppeteer-core");

/** @returns {Promise<import("./index.js").Browser>} */
async function launch() {
  const puppeteer = require(puppeteerPath);
  const browser = await puppeteer.launch({ browser: "firefox", executablePath, headless: true });
  return {
    version: (await browser.version()).replace("firefox/", ""),
    open: async (url, size = SIZE) => {
      const context = await browser.createBrowserContext();
      return openPage(context, url, size);
    },
    close: () => browser.close(),
  };
}

async function openPage(context, url, size) {
  // Firefox slows down the pages in tabs that are not shown: a click on one took 7 s.
  const page = await context.newPage({ type: "window" });
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error.stack ?? error)));
  page.on("console", (entry) => {
    if (entry.type() === "error") complaints.push(`${entry.text()} (${entry.location().url})`);
  });
  await page.setViewport(size);
  await page.goto(url);
  return {
    complaints,
    evaluate: (fn, arg) => page.evaluate(fn, arg),
    waitFor: async (fn, arg) => void (await page.waitForFunction(fn, {}, arg)),
    click: (selector) => page.locator(selector).click(),
    fill: (selector, text) => page.locator(selector).fill(text),
    reload: async () => void (await page.reload()),
    screenshot: async () => Buffer.from(await page.screenshot()),
    close: () => context.close(),
  };
}

/** @type {import("./index.js").BrowserKind} */
const firefox = {
  name: "Firefox",
  skip: skipWithout({
    "apt-get install firefox-esr, or name one in the environment variable FIREFOX": executablePath,
    "npm ci --ignore-scripts --prefix __test__/browsers": puppeteerPath,
  }),
  launch,
};

module.exports = { firefox };
