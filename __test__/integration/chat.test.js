/** The example in `examples/chat`: its server with plain clients, and its page in Chromium. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { readFile } = require("node:fs/promises");
const { describe, test } = require("node:test");
const { setImmediate: nextTurn } = require("node:timers/promises");
const { io: connect } = require("socket.io-client");
const { createChat } = require("../../examples/chat/server.js");
const { delivered, enter, hasPeople, message, openPage, say } = require("../support/chat-page.js");
const { launchChromium, skipWithoutChromium } = require("../support/chromium.js");
const { watchEndedSessions } = require("../support/ended-sessions.js");
const { createGate } = require("../support/gate.js");

const PASSPHRASE = "correct horse";
const PNG = Buffer.from("89504e470d0a1a0a0000000d", "hex");

describe("the chat's server", () => {
  /** Starts a chat that is closed after the test, with a function that connects clients to it. */
  async function startChat(t) {
    const chat = await createChat({ passphrase: PASSPHRASE });
    const clients = [];
    t.after(async () => {
      for (const client of clients) client.disconnect();
      await chat.close();
    });
    const open = (path, auth) => {
      const client = connect(chat.url + path, {
        auth,
        forceNew: true,
        reconnection: false,
        // A server that closes a polling client between two polls keeps the process for 30 s.
        transports: ["websocket"],
      });
      clients.push(client);
      return client;
    };
    const enter = async (name) => {
      const client = open("/", { name, page: `page-of-${name}` });
      const [welcome] = await once(client, "welcome");
      return Object.assign(client, { welcome });
    };
    return { chat, open, enter };
  }

  const MALFORMED = [
    ["join", undefined],
    ["join", null],
    ["join", "lobby"],
    ["join", { room: 1 }],
    ["join", { room: "" }],
    ["join", { room: "a".repeat(25) }],
    ["join", { room: "../lobby" }],
    ["leave", {}],
    ["message", []],
    ["message", { id: "12345678", room: "lobby", text: "I have not joined" }],
    ["message", { id: "12345678", to: "Nobody", text: "hello" }],
    ["message", { id: "12345678", to: "Ada", text: "hello, me" }],
    ["message", { id: "12345678", to: { toString: 1 }, text: "hello" }],
    ["message", { id: "short", room: "lobby", text: "hello" }],
    ["message", { id: "12345678", room: "lobby", text: "   " }],
    ["message", { id: "12345678", room: "lobby", text: "a".repeat(2001) }],
    ["message", { id: "12345678", room: "lobby", text: ["hello"] }],
    ["message", { id: "12345678", room: "lobby", image: null }],
    ["message", { id: "12345678", room: "lobby", image: { name: "a.png", data: "text" } }],
    ["message", { id: "12345678", room: "lobby", image: { name: 1, data: PNG } }],
    [
      "message",
      { id: "12345678", room: "lobby", image: { name: "a", data: Buffer.from("<svg>") } },
    ],
    ["typing", { room: null }],
  ];

  test("answers malformed input with an error and goes on", async (t) => {
    const { enter } = await startChat(t);
    const ada = await enter("Ada");
    for (const [event, input] of MALFORMED) {
      const answer = await ada.emitWithAck(event, input);
      assert.equal(answer.ok, false, `${event} ${JSON.stringify(input)}`);
      assert.equal(typeof answer.error, "string");
      ada.emit(event, input);
      ada.emit(event);
    }
    assert.equal((await ada.emitWithAck("join", { room: "lobby" })).ok, true);
  });

  test("closes the connection that sends a broken packet, and no other", async (t) => {
    const { enter } = await startChat(t);
    const [ada, grace] = [await enter("Ada"), await enter("Grace")];
    ada.io.engine.write("9 is no packet type");
    await once(ada, "disconnect");
    assert.equal((await grace.emitWithAck("join", { room: "lobby" })).ok, true);
  });

  test("refuses an image over the limit and keeps the connection", async (t) => {
    const { enter } = await startChat(t);
    const ada = await enter("Ada");
    await ada.emitWithAck("join", { room: "lobby" });
    const data = Buffer.concat([PNG, Buffer.alloc(ada.welcome.limits.image - PNG.length + 1)]);
    const image = { name: "large.png", data };
    const answer = await ada.emitWithAck("message", { id: "12345678", room: "lobby", image });
    assert.deepEqual(answer, { ok: false, error: "The image is larger than 2 MiB" });
    image.data = data.subarray(0, -1);
    assert.equal(
      (await ada.emitWithAck("message", { id: "12345678", room: "lobby", image })).ok,
      true,
    );
  });

  test("gives a name to one page at a time, and to that page again", async (t) => {
    const { open, enter } = await startChat(t);
    const ada = await enter("Ada");
    const [error] = await once(open("/", { name: "ada", page: "another-page" }), "connect_error");
    assert.equal(error.message, "The name ada is taken");
    const [nameless] = await once(open("/", {}), "connect_error");
    assert.equal(nameless.message, "The name must be text");
    const replaced = once(ada, "disconnect");
    await enter("Ada");
    assert.equal((await replaced)[0], "io server disconnect");
  });

  test("keeps private messages from a room that is named like a socket", async (t) => {
    const { enter } = await startChat(t);
    const [ada, grace, eve] = [await enter("Ada"), await enter("Grace"), await enter("Eve")];
    await eve.emitWithAck("join", { room: grace.id });
    eve.on("message", () => assert.fail("Eve reads along"));
    grace.on("message", (_message, ack) => ack());
    const answer = await ada.emitWithAck("message", { id: "12345678", to: "Grace", text: "psst" });
    assert.equal(answer.ok, true);
    assert.equal((await eve.emitWithAck("join", { room: "lobby" })).ok, true);
  });

  test("forwards a message once, even if it is sent again", async (t) => {
    const { enter } = await startChat(t);
    const [ada, grace] = [await enter("Ada"), await enter("Grace")];
    await ada.emitWithAck("join", { room: "lobby" });
    await grace.emitWithAck("join", { room: "lobby" });
    const received = [];
    grace.on("message", ({ text }) => received.push(text));
    const first = { id: "12345678", room: "lobby", text: "once" };
    const answer = await ada.emitWithAck("message", first);
    assert.deepEqual(await ada.emitWithAck("message", first), answer);
    assert.equal((await grace.emitWithAck("message", first)).error, "The id is in use");
    assert.deepEqual(received, ["once"]);
  });

  test("keeps a bounded history, and sends the part after a known message", async (t) => {
    const { enter } = await startChat(t);
    const [ada, grace] = [await enter("Ada"), await enter("Grace")];
    await ada.emitWithAck("join", { room: "lobby" });
    for (let number = 1000; number < 1120; number++) {
      await ada.emitWithAck("message", {
        id: `message-${number}`,
        room: "lobby",
        text: `${number}`,
      });
    }
    const { messages, people } = await grace.emitWithAck("join", { room: "lobby" });
    assert.deepEqual([messages.length, messages[0].text, people], [100, "1020", ["Ada", "Grace"]]);
    const later = await grace.emitWithAck("join", { room: "lobby", after: "message-1117" });
    assert.deepEqual(
      later.messages.map(({ text }) => text),
      ["1118", "1119"],
    );
  });

  test("closes a room when the last member leaves", async (t) => {
    const { enter } = await startChat(t);
    const [ada, grace] = [await enter("Ada"), await enter("Grace")];
    const opened = once(grace, "rooms");
    await ada.emitWithAck("join", { room: "Short Lived" });
    assert.deepEqual((await opened)[0].at(-1), "short-lived");
    const closed = once(grace, "rooms");
    ada.disconnect();
    assert.deepEqual((await closed)[0], ["lobby", "random", "help"]);
  });

  test("refuses clients without the pass phrase in the staff's namespace", async (t) => {
    const { open, enter } = await startChat(t);
    const ada = await enter("Ada");
    for (const passphrase of ["wrong", "", undefined, null, {}, [PASSPHRASE]]) {
      const [error] = await once(open("/staff", { passphrase }), "connect_error");
      assert.equal(error.message, "The pass phrase is wrong");
    }
    const staff = open("/staff", { passphrase: PASSPHRASE });
    const announced = once(ada, "announcement");
    assert.deepEqual(await staff.emitWithAck("announce", { text: "hear" }), {
      ok: true,
      people: 1,
    });
    assert.equal((await announced)[0].text, "hear");
    assert.equal((await staff.emitWithAck("announce", { text: 1 })).ok, false);
  });

  test("serves the page's files and nothing else", async (t) => {
    const { chat } = await startChat(t);
    const statusOf = async (path, init) => {
      const response = await fetch(chat.url + path, init);
      await response.arrayBuffer();
      return response.status;
    };
    assert.equal(await statusOf("/"), 200);
    assert.equal(await statusOf("/chat.js?version=1"), 200);
    assert.equal(await statusOf("/socket.io/socket.io.js"), 200);
    assert.equal(await statusOf("/server.js"), 404);
    assert.equal(await statusOf("/..%2fserver.js"), 404);
    assert.equal(await statusOf("/", { method: "POST" }), 405);
  });
});

for (const { title, search, transport } of [
  { title: "by WebSocket after an upgrade", search: "", transport: "websocket" },
  { title: "by polling alone", search: "?transport=polling", transport: "polling" },
]) {
  test(`two pages chat ${title}`, { skip: skipWithoutChromium }, async (t) => {
    const gate = createGate();
    const chat = await createChat({
      passphrase: PASSPHRASE,
      allowRequest: gate.allowRequest,
      // The end of a page between two polls is detected before the browser gives up.
      pingInterval: 5000,
      pingTimeout: 15_000,
    });
    const apartFromEnded = watchEndedSessions(chat.io);
    let browser;
    t.after(async () => {
      await allReachable(chat);
      await browser?.close();
      await chat.close();
    });
    browser = await launchChromium();
    const complaints = [];
    const [ada, grace] = [
      await openPage(browser, chat.url + search, complaints),
      await openPage(browser, chat.url + search, complaints),
    ];

    await t.test("a name opens the chat", async () => {
      await enter(ada, "Ada");
      await enter(grace, "Grace");
      for (const page of [ada, grace]) {
        await page.locator("#transport", { hasText: transport }).waitFor();
      }
    });

    await t.test("a name that is taken does not open it", async () => {
      const eve = await openPage(browser, chat.url + search, complaints);
      await enter(eve, "Ada");
      await eve.getByText("The name Ada is taken").waitFor();
      await enter(eve, "Eve");
      await eve.locator("#transport", { hasText: transport }).waitFor();
      await allReachable(chat);
      await eve.close();
    });

    await t.test("the list shows the people present as they join and leave", async () => {
      await hasPeople(ada, ["Ada", "Grace"]);
      await hasPeople(grace, ["Grace", "Ada"]);
      await grace.getByRole("button", { name: "Leave" }).click();
      await hasPeople(ada, ["Ada"]);
      await room(grace, "lobby").click();
      await hasPeople(ada, ["Ada", "Grace"]);
    });

    await t.test("a message to the room arrives as text and is acknowledged", async () => {
      await say(ada, "Hello <img src=x onerror=alert(1)> & all");
      await message(grace, "Hello <img src=x onerror=alert(1)> & all").waitFor();
      await delivered(ada, "Hello").waitFor();
    });

    await t.test("a person is shown as writing until it stops", async () => {
      const line = grace.locator("#typing", { hasText: "Ada is writing…" });
      // Volatile: any of them may be lost.
      await repeatUntil(
        () => line.isVisible(),
        () => ada.locator("#text").pressSequentially("hm "),
      );
      await ada.locator("#text").fill("");
      await line.waitFor({ state: "hidden" });
    });

    await t.test("an image that was picked arrives intact", async () => {
      const image = await ada.screenshot({ clip: { x: 0, y: 0, width: 320, height: 200 } });
      const file = { name: "window.png", mimeType: "image/png", buffer: image };
      await ada.locator("#image").setInputFiles(file);
      await arrivesIntact(grace, "window.png", image);
      await ada.locator('.mine[data-state="delivered"]:has(img)').waitFor();
    });

    await t.test("an image that was pasted arrives intact", async () => {
      const image = await grace.screenshot({ clip: { x: 0, y: 0, width: 240, height: 120 } });
      await paste(grace, "pasted.png", image);
      await arrivesIntact(ada, "pasted.png", image);
    });

    await t.test("a file that is no image is refused with the reason", async () => {
      const file = { name: "fake.png", mimeType: "image/png", buffer: Buffer.from("no image") };
      await ada.locator("#image").setInputFiles(file);
      await ada.getByText("Only PNG, JPEG, GIF and WebP images can be sent").waitFor();
    });

    await t.test("a private message reaches one person and is acknowledged", async () => {
      await ada.locator("#people").getByRole("button", { name: "Grace" }).click();
      await say(ada, "between us");
      await delivered(ada, "between us").waitFor();
      await grace.locator("#privates").getByRole("button", { name: "Ada" }).click();
      await message(grace, "between us").waitFor();
      for (const page of [ada, grace]) {
        await room(page, "lobby").click();
        assert.equal(await message(page, "between us").count(), 0);
      }
    });

    await t.test("rooms keep their messages apart", async () => {
      for (const page of [ada, grace]) await room(page, "random").click();
      await say(ada, "something random");
      await message(grace, "something random").waitFor();
      await room(grace, "lobby").click();
      assert.equal(await message(grace, "something random").count(), 0);
      await message(grace, "Hello").waitFor();
      await room(ada, "lobby").click();
    });

    await t.test(
      "the staff's namespace refuses a wrong pass phrase and takes the right one",
      async () => {
        await ada.getByRole("button", { name: "Staff" }).click();
        await signIn(ada, "wrong");
        await ada.getByText("The pass phrase is wrong").waitFor();
        await signIn(ada, PASSPHRASE);
        await ada.getByLabel("Announcement").fill("Tea is ready");
        await ada.getByRole("button", { name: "Announce to everyone" }).click();
        await ada.getByText("Announced to 2 people").waitFor();
        await ada.getByRole("button", { name: "Close", exact: true }).click();
        await grace.locator("#announcement", { hasText: "Tea is ready" }).waitFor();
      },
    );

    await t.test("a lost connection is shown, and restored with all messages", async () => {
      gate.close();
      await allReachable(chat);
      for (const client of Object.values(chat.io.engine.clients)) client.close();
      for (const page of [ada, grace]) {
        await page.getByText(/Connection lost\. Reconnecting, attempt \d+…/).waitFor();
        await page.locator("#transport", { hasText: "offline" }).waitFor();
      }
      await say(ada, "written offline, first");
      await say(ada, "written offline, second");
      await ada.locator('.mine[data-state="pending"]', { hasText: "second" }).waitFor();
      gate.open();
      for (const page of [ada, grace]) {
        await page.locator("#banner").waitFor({ state: "hidden" });
        await page.locator("#transport", { hasText: transport }).waitFor();
      }
      await delivered(ada, "written offline, second").waitFor();
      await message(grace, "written offline, second").waitFor();
      const texts = await grace.locator(".message .text").allTextContents();
      assert.deepEqual(texts.slice(-2), ["written offline, first", "written offline, second"]);
      await hasPeople(ada, ["Ada", "Grace"]);
    });

    await t.test("a page that is closed leaves the list", async () => {
      await allReachable(chat);
      await grace.close();
      await hasPeople(ada, ["Ada"]);
    });

    await t.test("the browser has reported no errors", () => {
      assert.deepEqual(apartFromEnded(complaints), []);
    });
  });
}

/** Waits until the server can reach every page, and would notice the end of one at once. */
async function allReachable({ io }) {
  // A page that polls cannot be reached between two polls.
  const isReachable = ({ transport }) => transport.writable;
  await repeatUntil(() => Object.values(io.engine.clients).every(isReachable), nextTurn);
}

/** Fills in the staff's pass phrase. */
async function signIn(page, passphrase) {
  await page.getByLabel("Pass phrase").fill(passphrase);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Returns the entry of a room in the list. */
function room(page, name) {
  return page.locator("#rooms").getByRole("button", { name });
}

/** Repeats a step until it has an effect; without a limit of its own. */
async function repeatUntil(isDone, step) {
  while (!(await isDone())) await step();
}

/** Pastes an image file into the message field. */
async function paste(page, name, image) {
  await page.locator("#text").evaluate(
    (field, [fileName, base64]) => {
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      const clipboardData = new DataTransfer();
      clipboardData.items.add(new File([bytes], fileName, { type: "image/png" }));
      field.dispatchEvent(new ClipboardEvent("paste", { clipboardData, cancelable: true }));
    },
    [name, image.toString("base64")],
  );
}

/** Compares an image as the page shows and saves it with the bytes that were sent. */
async function arrivesIntact(page, name, image) {
  const picture = page.locator(".theirs").getByRole("img", { name });
  await picture.waitFor();
  const [width, height] = await picture.evaluate(async (element) => {
    await element.decode();
    return [element.naturalWidth, element.naturalHeight];
  });
  assert.deepEqual([width, height], [image.readUInt32BE(16), image.readUInt32BE(20)]);
  const [download] = await Promise.all([page.waitForEvent("download"), picture.click()]);
  assert.equal(download.suggestedFilename(), name);
  assert.ok(image.equals(await readFile(await download.path())));
}
