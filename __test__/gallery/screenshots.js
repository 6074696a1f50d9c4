"use strict";

/**
 * Takes the pictures of `examples/gallery/README.md`: each row of tiles on a desktop, and a phone,
 * while two people use them. `node __test__/gallery/screenshots.js`, then `pngquant`.
 */

const path = require("node:path");
const { setTimeout: sleep } = require("node:timers/promises");
const { createGallery } = require("../../examples/gallery/server.js");
const { USES } = require("../../examples/gallery/uses.js");
const { launchChromium } = require("../support/chromium.js");

const FOLDER = path.join(__dirname, "../../examples/gallery/screenshots");

/** Until charts, posts, bids and votes fill their tiles, in milliseconds. */
const FILL = 25_000;

/** Opens the gallery in a profile of its own, with all tiles. */
async function open(browser, url, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  await page.goto(url);
  for (const { name } of USES) {
    await page.locator(`#${name}`).scrollIntoViewIfNeeded();
    await page.locator(`#${name}[data-state]`).waitFor();
  }
  return page;
}

/** Draws on the whiteboard. */
async function draw(page, points) {
  const board = page.locator("#whiteboard svg");
  await board.scrollIntoViewIfNeeded();
  const box = await board.boundingBox();
  await page.mouse.move(box.x + points[0][0], box.y + points[0][1]);
  await page.mouse.down();
  for (const [x, y] of points) await page.mouse.move(box.x + x, box.y + y, { steps: 4 });
  await page.mouse.up();
}

/** Writes into a field, and sends it. */
async function say(page, use, label, text) {
  const field = page.locator(`#${use}`).getByLabel(label, { exact: true });
  await field.fill(text);
  await field.press("Enter");
}

/** Does what two people do who try everything. */
async function play(one, two) {
  await say(one, "chat", "Message", "Has anybody seen the cat?");
  await say(two, "chat", "Message", "She is on the server. It is warm there.");
  await say(one, "chat", "Message", "Then it stays up.");
  await say(one, "support", "Your question", "My tea is cold");
  await say(two, "webinar", "Question", "Are the slides shared?");
  await say(one, "webinar", "Question", "Is there a room for latecomers?");
  await say(two, "feed", "Post", "The night train to Oslo is back");
  for (const page of [one, two]) {
    for (const team of [1, 4, 1]) await page.locator("#sports .matches button").nth(team).click();
    await page.locator("#poll .options button").nth(2).click();
    await page.locator("#stocks button", { hasText: page === one ? "Buy" : "Sell" }).click();
  }
  await draw(one, [
    [40, 180],
    [60, 60],
    [80, 180],
    [50, 130],
    [72, 130],
  ]);
  await draw(two, [
    [110, 180],
    [110, 60],
    [140, 120],
    [170, 60],
    [170, 180],
  ]);
  await two.locator("#map svg").click({ position: { x: 90, y: 150 } });
  await one.locator("#map svg").click({ position: { x: 260, y: 60 } });
  await sleep(FILL);
  await one.locator("#auction button").nth(1).click();
  await two.locator("#auction button").nth(0).click();
  await one.locator("#ride svg").click({ position: { x: 300, y: 60 } });
  await two.locator("#game svg").hover({ position: { x: 200, y: 120 } });
  await two.locator("#code textarea").focus();
  await two.keyboard.press("ArrowDown");
  await two.keyboard.press("End");
  await two.locator("#sheet").getByLabel("C4", { exact: true }).focus();
}

/** Returns the area of a row of three tiles. */
async function rowOf(page, row) {
  const boxes = await Promise.all(
    USES.slice(3 * row, 3 * row + 3).map(({ name }) => page.locator(`#${name}`).boundingBox()),
  );
  const top = await page.evaluate(() => window.scrollY);
  const [{ y, height }] = boxes;
  return { x: 8, y: top + y - 8, width: 1264, height: height + 16 };
}

async function main() {
  const gallery = await createGallery();
  const browser = await launchChromium();
  try {
    const desktop = { viewport: { width: 1280, height: 900 }, colorScheme: "light" };
    const [one, two] = [
      await open(browser, gallery.url, desktop),
      await open(browser, gallery.url, desktop),
    ];
    await play(one, two);
    await one.evaluate(() => window.scrollTo(0, 0));
    await sleep(1500);
    for (let row = 0; row < 5; row++) {
      const file = path.join(FOLDER, `row-${row + 1}.png`);
      await one.screenshot({ path: file, fullPage: true, clip: await rowOf(one, row) });
    }
    const phone = { viewport: { width: 390, height: 844 }, colorScheme: "dark" };
    const small = await open(browser, gallery.url, phone);
    await small.evaluate(() => window.scrollTo(0, 0));
    await sleep(1500);
    await small.screenshot({ path: path.join(FOLDER, "phone.png") });
    if (process.argv[2]) await small.screenshot({ path: process.argv[2], fullPage: true });
    await one.emulateMedia({ colorScheme: "dark" });
    if (process.argv[3]) await one.screenshot({ path: process.argv[3], fullPage: true });
  } finally {
    await browser.close();
    await gallery.close();
  }
}

main();
