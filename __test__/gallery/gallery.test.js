"use strict";

/** The gallery in `examples/gallery`: two people in Chromium, each with a page that has all tiles. */

const assert = require("node:assert/strict");
const { describe, before, after, test } = require("node:test");
const { createGallery } = require("../../examples/gallery/server.js");
const { personOf } = require("../../examples/gallery/people.js");
const { USES } = require("../../examples/gallery/uses.js");
const { launchChromium, skipWithoutChromium } = require("../support/chromium.js");
const { createGate } = require("../support/gate.js");

/** Secrets of two browsers, of which the server makes names that differ. */
const SECRETS = ["secret-of-ada", "secret-of-grace"];
const [ADA, GRACE] = SECRETS.map((secret) => personOf(secret).name);

/** A busy machine reaches the lost connection after the two minutes that the gallery keeps what it sends. */
const LASTING = { maxDisconnectionDuration: 3_600_000 };

/** Opens a browser profile that has a secret; errors of its pages are added to `complaints`. */
async function openProfile(browser, origin, secret, complaints) {
  const localStorage = [{ name: "visitor", value: secret }];
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    storageState: { cookies: [], origins: [{ origin, localStorage }] },
  });
  context.on("weberror", (error) => complaints.push(error.error().stack));
  context.on("console", (entry) => {
    if (entry.type() === "error") complaints.push(`${entry.text()} (${entry.location().url})`);
  });
  return context;
}

/** Scrolls to each tile, and waits until its namespace is connected. */
async function showAll(page) {
  for (const { name } of USES) {
    await page.locator(`#${name}`).scrollIntoViewIfNeeded();
    await page.locator(`#${name}[data-state]`).waitFor();
  }
}

/** Presses a place of a drawing of 480 × 300. */
async function press(drawing, { x, y }) {
  await drawing.scrollIntoViewIfNeeded();
  const position = await drawing.evaluate(
    (svg, at) => {
      const point = new DOMPoint(at.x, at.y).matrixTransform(svg.getScreenCTM());
      const { left, top } = svg.getBoundingClientRect();
      return { x: point.x - left, y: point.y - top };
    },
    { x, y },
  );
  await drawing.click({ position });
}

describe("the gallery", { skip: skipWithoutChromium }, () => {
  const gate = createGate();
  const complaints = [];
  let gallery;
  let browser;
  let contexts;
  let ada;
  let grace;

  /** Waits until the shared code has a text. */
  const hasCode = (page, text) =>
    page.waitForFunction(
      (wanted) => document.querySelector("#code textarea").value.includes(wanted),
      text,
    );

  /** The tile of a use, on each page. */
  const tiles = (use) => [ada, grace].map((page) => page.locator(`#${use}`));

  before(async () => {
    assert.notEqual(ADA, GRACE);
    gallery = await createGallery({
      allowRequest: gate.allowRequest,
      connectionStateRecovery: LASTING,
    });
    browser = await launchChromium();
    contexts = await Promise.all(
      SECRETS.map((secret) => openProfile(browser, gallery.url, secret, complaints)),
    );
    [ada, grace] = await Promise.all(contexts.map((context) => context.newPage()));
    await Promise.all([ada, grace].map((page) => page.goto(gallery.url)));
    await Promise.all([ada, grace].map(showAll));
  });
  after(async () => {
    await browser?.close();
    await gallery?.close();
  });

  test("has a tile, a page and the source of each use", async () => {
    assert.equal(USES.length, 15);
    assert.equal(await ada.locator(".tile").count(), 15);
    for (const { name, files, lines } of USES) {
      assert.equal(lines.length, 3);
      for (const path of [`/use/${name}`, `/source/${name}`]) {
        const text = await (await fetch(gallery.url + path)).text();
        assert.ok(text.includes(path.startsWith("/use") ? `id="${name}"` : files[0]), path);
      }
    }
    const statusOf = async (path) => (await fetch(gallery.url + path)).status;
    assert.equal(await statusOf("/chat"), 200);
    assert.equal(await statusOf("/gallery/..%2fserver.js"), 404);
  });

  test("chat: a message reaches the other page", async () => {
    const [mine, theirs] = tiles("chat");
    await theirs.getByRole("listitem").filter({ hasText: "Visitor" }).nth(1).waitFor();
    await mine.getByLabel("Message", { exact: true }).fill("Hello there");
    await mine.getByRole("button", { name: "Send" }).click();
    await theirs.getByText("Hello there").waitFor();
  });

  test("game: a ship goes where its player points", async () => {
    const [mine] = tiles("game");
    const target = { x: 100, y: 200 };
    await press(mine.getByRole("img"), target);
    await grace.waitForFunction(
      ({ name, x, y }) => {
        const ship = document.querySelector(`#game .ship[data-name="${name}"]`);
        const matrix = new DOMMatrix(ship.style.transform);
        return Math.hypot(matrix.e - x, matrix.f - y) < 8;
      },
      { name: ADA, ...target },
    );
  });

  test("spreadsheet: cells are shared, presence is shown, a conflict is refused", async () => {
    const [mine, theirs] = tiles("sheet");
    const cell = (tile, name) => tile.getByLabel(name, { exact: true });
    await cell(mine, "B2").fill("5");
    await theirs.locator(`[data-by="${ADA}"]`).waitFor();
    await cell(mine, "B2").press("Enter");
    const hasValue = (name, value) =>
      grace.waitForFunction(
        ([label, text]) => document.querySelector(`#sheet [aria-label=${label}]`).value === text,
        [name, value],
      );
    await hasValue("D2", "425");
    await hasValue("D7", "1870");
    await theirs.locator(`[data-by="${ADA}"]`).waitFor({ state: "detached" });
    await cell(theirs, "B3").fill("9");
    await cell(mine, "B3").fill("4");
    await cell(mine, "B3").press("Enter");
    // Grace's page has got it, but the cell that is being written keeps what is written.
    await hasValue("D3", "560");
    await cell(theirs, "B3").press("Enter");
    await theirs.getByText(`${ADA} has just written “4” into B3`).waitFor();
    await hasValue("B3", "4");
  });

  test("feed: a post is seen, and its author notified of a like", async () => {
    const [mine, theirs] = tiles("feed");
    await mine.getByLabel("Post", { exact: true }).fill("Good morning");
    await mine.getByRole("button", { name: "Post", exact: true }).click();
    await theirs.getByRole("button", { name: "Like “Good morning”" }).click();
    await mine.getByText(/ likes “Good morning” \(\d+\)/).waitFor();
    await mine
      .getByRole("button", { name: "Like “Good morning”" })
      .filter({ hasText: /[1-9]/ })
      .waitFor();
  });

  test("devices: a command is acknowledged, and a device is offline while it restarts", async () => {
    const [mine, theirs] = tiles("iot");
    const pump = theirs.locator('[data-device="pump"]');
    await pump.and(theirs.locator('[data-state="online"]')).waitFor();
    await mine.getByRole("button", { name: "Switch the lamp" }).click();
    await theirs.getByText(`${ADA} has switched the lamp off`).waitFor();
    await theirs.getByRole("button", { name: "Switch the lamp", pressed: false }).waitFor();
    await pump.evaluate((row) => {
      window.states = [];
      const note = () => window.states.push(row.dataset.state);
      new MutationObserver(note).observe(row, { attributeFilter: ["data-state"] });
    });
    await mine.getByRole("button", { name: "Restart the pump" }).click();
    await grace.waitForFunction(() => {
      const offline = window.states.indexOf("offline");
      return offline >= 0 && window.states.includes("online", offline);
    });
  });

  test("tracking: pins are shared, and an area that is switched off is not sent", async () => {
    const [mine, theirs] = tiles("map");
    await press(mine.getByRole("img"), { x: 380, y: 60 });
    await theirs.locator(`.pin[data-name="${ADA}"]`).waitFor();
    await theirs.getByRole("button", { name: "South-east" }).click();
    await theirs.getByRole("button", { name: "South-east", pressed: false }).waitFor();
    const watching = await gallery.io.of("/map").in("area:3").fetchSockets();
    assert.deepEqual(
      watching.map(({ data }) => data.person.name),
      [ADA],
    );
    await theirs.locator(".bus").first().waitFor();
  });

  test("stocks: a trade is seen, and each page has the ticks of its share", async () => {
    const [mine, theirs] = tiles("stocks");
    await mine.getByRole("button", { name: /^RUST/ }).click();
    await mine.getByRole("button", { name: "Buy 100" }).click();
    await theirs.getByText(`${ADA} bought 100 RUST`).waitFor();
    await theirs.locator(".chart canvas").waitFor();
    const watching = await gallery.io.of("/stocks").in("RUST").fetchSockets();
    assert.deepEqual(
      watching.map(({ data }) => data.person.name),
      [ADA],
    );
  });

  test("auction: the server says who leads", async () => {
    const [mine, theirs] = tiles("auction");
    // The lot may be sold meanwhile, and then another is opened.
    const bidUntilSeen = async (bidder, name, watcher) => {
      const seen = watcher.getByRole("listitem").filter({ hasText: name });
      while ((await seen.count()) === 0) {
        await bidder.getByRole("button", { name: "Bid 50 more" }).click();
      }
    };
    await bidUntilSeen(mine, ADA, theirs);
    await bidUntilSeen(theirs, GRACE, mine);
  });

  test("whiteboard: strokes are seen, and can be undone", async () => {
    const [mine, theirs] = tiles("whiteboard");
    const board = mine.getByRole("img");
    await board.scrollIntoViewIfNeeded();
    const box = await board.boundingBox();
    await ada.mouse.move(box.x + 80, box.y + 80);
    await ada.mouse.down();
    for (let step = 1; step <= 10; step++) await ada.mouse.move(box.x + 80 + 8 * step, box.y + 80);
    await theirs.locator(`polyline[data-name="${ADA}"]`).waitFor({ state: "attached" });
    await ada.mouse.up();
    await mine.locator(`polyline[data-name="${ADA}"]`).waitFor({ state: "attached" });
    await mine.getByRole("button", { name: "Undo my last stroke" }).click();
    await theirs.locator(`polyline[data-name="${ADA}"]`).waitFor({ state: "detached" });
    await press(board, { x: 60, y: 60 });
    await theirs.locator(`polyline[data-name="${ADA}"]`).waitFor({ state: "attached" });
  });

  test("poll: a vote is seen, and is that of all tabs of the person", async () => {
    const [mine, theirs] = tiles("poll");
    const second = await contexts[0].newPage();
    await second.goto(`${gallery.url}/use/poll`);
    await second.locator(".options button").nth(2).waitFor();
    await mine.locator(".options button").nth(2).click();
    await theirs.getByText(`${ADA} chose`).waitFor();
    await second.locator(".options button[aria-pressed=true]").waitFor();
    await second.locator("#figures", { hasText: "2 visiting" }).waitFor();
    await second.close();
  });

  test("rides: the first driver who accepts gets the ride", async () => {
    const [mine, theirs] = tiles("ride");
    await theirs.getByRole("button", { name: "Drive for others" }).click();
    await theirs.getByRole("button", { name: "Drive for others", pressed: true }).waitFor();
    await press(mine.getByRole("img"), { x: 120, y: 90 });
    await theirs.getByText(`${ADA} needs a ride`).waitFor();
    await theirs.getByRole("button", { name: "Accept" }).click();
    await mine.getByText(new RegExp(`${GRACE} is|Arrived`)).waitFor();
    await mine.locator(".car").first().waitFor();
  });

  test("support: an agent with the pass phrase answers a customer", async () => {
    const [mine, theirs] = tiles("support");
    await mine.getByLabel("Your question").fill("Where is the any key?");
    await mine.getByRole("button", { name: "Send" }).click();
    await theirs.getByRole("button", { name: "I help", exact: true }).click();
    const passPhrase = theirs.getByLabel("Say “open sesame”");
    await passPhrase.fill("please");
    await passPhrase.press("Enter");
    await theirs.getByText("That is not the pass phrase").waitFor();
    await passPhrase.fill("open sesame");
    await passPhrase.press("Enter");
    await theirs.getByRole("button", { name: ADA }).click();
    await theirs.getByText("Where is the any key?").waitFor();
    await theirs.getByLabel("Your reply").fill("Right beside the other one");
    await theirs.getByLabel("Your reply").press("Enter");
    await mine.getByText("Right beside the other one").waitFor();
  });

  test("webinar: each talk has its own listeners and questions", async () => {
    const [mine, theirs] = tiles("webinar");
    await theirs.getByText("2 listening").waitFor();
    await mine.getByLabel("Question", { exact: true }).fill("Will this be recorded?");
    await mine.getByRole("button", { name: "Ask" }).click();
    await theirs.getByText("Will this be recorded?").waitFor();
    await mine.getByRole("button", { name: "acks" }).click();
    await theirs.getByText("1 listening").waitFor();
    await mine.getByText("1 listening").waitFor();
    assert.equal(await mine.getByText("Will this be recorded?").count(), 0);
  });

  test("scores: a cheer is counted on all pages", async () => {
    const [mine, theirs] = tiles("sports");
    const count = theirs.getByRole("button", { name: "Cheer for the Otters" });
    const before = Number((await count.textContent()).slice(2));
    await mine.getByRole("button", { name: "Cheer for the Otters" }).click();
    await grace.waitForFunction((least) => {
      const button = document.querySelector('#sports [aria-label="Cheer for the Otters"]');
      return Number(button.textContent.slice(2)) > least;
    }, before);
  });

  test("code: text and cursors are shared", async () => {
    const [mine, theirs] = tiles("code");
    await mine.locator("textarea").focus();
    await ada.keyboard.press("Control+Home");
    await ada.keyboard.type("// Ada was here\n");
    await hasCode(grace, "// Ada was here\n// Edit me");
    await theirs.locator(`[data-by="${ADA}"]`).waitFor();
  });

  test("a reload keeps what belongs to the person and to all", async () => {
    await ada.reload();
    await showAll(ada);
    await hasCode(ada, "// Ada was here");
    const [chat, sheet, poll] = ["chat", "sheet", "poll"].map((use) => ada.locator(`#${use}`));
    await chat.getByText("Hello there").waitFor();
    await poll.locator(".options button[aria-pressed=true]").waitFor();
    assert.equal(await sheet.getByLabel("B3", { exact: true }).inputValue(), "4");
    await ada.locator("#support").getByText("Right beside the other one").waitFor();
    await ada.locator(`#whiteboard polyline[data-name="${ADA}"]`).waitFor({ state: "attached" });
  });

  test("after a lost connection a page has what it missed, and sends what it could not", async () => {
    const [mine, theirs] = [ada, grace];
    await theirs.locator(".options button").first().waitFor();
    gate.close();
    await theirs.getByRole("button", { name: "Lose the connection" }).click();
    await theirs.locator("#state", { hasText: "reconnecting" }).waitFor();
    await mine.locator("#feed").getByLabel("Post", { exact: true }).fill("While you were away");
    await mine.locator("#feed").getByRole("button", { name: "Post", exact: true }).click();
    await mine.locator("#feed .entries").getByText("While you were away").waitFor();
    await ada.locator("#code textarea").focus();
    await ada.keyboard.press("Control+Home");
    await ada.keyboard.type("// One\n");
    await grace.locator("#code textarea").focus();
    await grace.keyboard.press("Control+End");
    await grace.keyboard.type("// Two");
    await theirs.locator("#poll .options button").nth(3).click();
    const lastOf = (page) => page.locator("#sports .entries li").first().getAttribute("data-id");
    const seen = Number(await lastOf(theirs));
    await mine.waitForFunction(
      (before) => Number(document.querySelector("#sports .entries li").dataset.id) > before,
      seen,
    );
    gate.open();
    await theirs
      .locator("#feed")
      .getByText(/Recovered, with [1-9]\d* missed posts/)
      .waitFor();
    await theirs.locator("#feed").getByText("While you were away").waitFor();
    for (const page of [ada, grace]) {
      await hasCode(page, "// One\n");
      await hasCode(page, "// Two");
    }
    await mine.locator("#poll").getByText(`${GRACE} chose`).waitFor();
    const ids = await theirs
      .locator("#sports .entries li")
      .evaluateAll((items) => items.map(({ dataset }) => Number(dataset.id)));
    assert.deepEqual(
      ids,
      ids.map((_id, index) => ids[0] - index),
    );
    for (const { name } of USES) await theirs.locator(`#${name}[data-state=recovered]`).waitFor();
    await theirs.locator("#chat").getByLabel("Message", { exact: true }).fill("I am back");
    await theirs.locator("#chat").getByLabel("Message", { exact: true }).press("Enter");
    await mine.locator("#chat").getByText("I am back").waitFor();
    await mine.waitForFunction(() => document.querySelectorAll("#chat .chips li").length === 2);
  });

  test("the browser has reported no errors", () => {
    assert.deepEqual(complaints, []);
  });
});
