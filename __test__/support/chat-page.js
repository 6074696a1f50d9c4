"use strict";

/** The page of the chat in examples/chat, as its tests drive it. */

/** Opens a page in a profile of its own; errors in its console are added to `complaints`. */
async function openPage(browser, url, complaints) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(error.stack));
  page.on("console", (entry) => {
    if (entry.type() === "error") complaints.push(`${entry.text()} (${entry.location().url})`);
  });
  await page.goto(url);
  return page;
}

/** Fills in the entrance and enters. */
async function enter(page, name) {
  await page.getByLabel("Your name").fill(name);
  await page.getByRole("button", { name: "Enter" }).click();
}

/** Writes a message in the current room, and sends it. */
async function say(page, text) {
  await page.locator("#text").fill(text);
  await page.locator("#text").press("Enter");
}

/** Returns the shown messages that have this text. */
function message(page, text) {
  return page.locator(".message", { hasText: text });
}

/** Returns the tick of the message that has this text. */
function delivered(page, text) {
  return message(page, text).getByRole("img", { name: "Delivered" });
}

/** Waits until the list of people has exactly these names, in this order. */
async function hasPeople(page, names) {
  await page.waitForFunction((expected) => {
    const labels = [...document.querySelectorAll("#people .label")];
    return labels.map(({ textContent }) => textContent).join() === expected.join();
  }, names);
}

module.exports = { delivered, enter, hasPeople, message, openPage, say };
