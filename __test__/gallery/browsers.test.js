"use strict";

/** The whole gallery in each browser: all tiles connect, show something, and are live. */

const assert = require("node:assert/strict");
const { after, before, describe, test } = require("node:test");
const { createGallery } = require("../../examples/gallery/server.js");
const { USES } = require("../../examples/gallery/uses.js");
const { browsers } = require("../support/browsers");
const { watchEndedSessions } = require("../support/ended-sessions.js");

/** The text that a tile shows once it has got the state of its use. */
const CONTENTS = {
  chat: ".chips li",
  game: ".ship[style]",
  sheet: ".number",
  feed: ".entries li",
  iot: "[data-state=online]",
  map: ".bus",
  stocks: "canvas",
  auction: ".price",
  whiteboard: "polyline",
  poll: ".options button",
  ride: ".car",
  support: ".entries li",
  webinar: "[data-slide]",
  sports: ".goal, .entries li",
  code: "pre .keyword",
};

/** A busy machine reaches the cut after the two minutes that the gallery keeps what it sends. */
const LASTING = { maxDisconnectionDuration: 3_600_000 };

describe("the gallery", { concurrency: true }, () => {
  let gallery;
  let apartFromEnded;
  before(async () => {
    gallery = await createGallery({ connectionStateRecovery: LASTING });
    apartFromEnded = watchEndedSessions(gallery.io);
  });
  after(() => gallery.close());

  for (const { name, skip, launch } of browsers) {
    test(`is live in ${name}`, { skip }, async (t) => {
      const browser = await launch();
      t.after(() => browser.close());
      const page = await browser.open(gallery.url, { width: 1280, height: 800 });
      for (const use of USES) {
        await page.evaluate((id) => document.getElementById(id).scrollIntoView(), use.name);
        await page.waitFor(
          ({ id, content }) =>
            ["connected", "recovered"].includes(document.getElementById(id).dataset.state) &&
            document.querySelector(`#${id} .stage :is(${content})`),
          { id: use.name, content: CONTENTS[use.name] },
        );
      }
      await page.click("#sports li:first-child button:first-child");
      await page.waitFor(() =>
        [...document.querySelectorAll("#sports .matches button")].some(
          ({ textContent }) => textContent !== "♥ 0",
        ),
      );
      // A binary event in each direction.
      const text = `// ${name}`;
      await page.evaluate((line) => {
        const field = document.querySelector("#code textarea");
        field.value = `${line}\n${field.value}`;
        field.dispatchEvent(new Event("input"));
      }, text);
      await page.evaluate(() => document.querySelector("#cut").click());
      await page.waitFor(() => document.querySelector("#poll").dataset.state === "recovered");
      await page.reload();
      await page.evaluate(() => document.querySelector("#code").scrollIntoView());
      await page.waitFor(
        (line) => document.querySelector("#code textarea")?.value.includes(line),
        text,
      );
      assert.deepEqual(apartFromEnded(page.complaints), []);
    });
  }
});
