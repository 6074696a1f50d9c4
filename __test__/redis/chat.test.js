/** The example in `examples/chat` on two nodes over Redis: plain clients, and pages in Chromium. */

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const { once } = require("node:events");
const path = require("node:path");
const { createInterface } = require("node:readline");
const { after, before, describe, test } = require("node:test");
const { setImmediate: nextTurn } = require("node:timers/promises");
const { io: connect } = require("socket.io-client");
const { createChat } = require("../../examples/chat/server.js");
const { hasCluster } = require("../../lib/addon/index.js");
const {
  delivered,
  enter: enterPage,
  hasPeople,
  message,
  openPage,
  say,
} = require("../support/chat-page.js");
const { launchChromium, skipWithoutChromium } = require("../support/chromium.js");
const { watchEndedSessions } = require("../support/ended-sessions.js");
const { RedisServer, skipWithoutRedis } = require("../support/redis/server.js");

const PASSPHRASE = "correct horse";
const PNG = Buffer.from("89504e470d0a1a0a0000000d", "hex");
const SERVER = path.join(__dirname, "../../examples/chat/server.js");

describe("the chat on two nodes", { skip: skipWithoutRedis }, () => {
  const redis = new RedisServer();
  before(() => redis.start());
  after(() => redis.end());

  const startNode = (options) =>
    createChat({ passphrase: PASSPHRASE, redis: redis.url, deliveryTimeout: 1000, ...options });

  /** Starts two nodes that are closed after the test, with functions that connect clients. */
  async function startCluster(t) {
    const nodes = [];
    const clients = [];
    t.after(async () => {
      for (const client of clients) client.disconnect();
      await Promise.all(nodes.map((node) => node.close()));
    });
    const addNode = async () => {
      nodes.push(await startNode());
      return nodes.at(-1);
    };
    const open = (node, path, auth) => {
      const options = { auth, forceNew: true, reconnection: false, transports: ["websocket"] };
      const client = connect(node.url + path, options);
      clients.push(client);
      return client;
    };
    const enter = async (node, name, room) => {
      const client = open(node, "/", { name, page: `page-of-${name}` });
      const [welcome] = await once(client, "welcome");
      if (room !== undefined) await join(client, room);
      return Object.assign(client, { welcome });
    };
    return { a: await addNode(), b: await addNode(), addNode, open, enter };
  }

  const join = (client, room, after) => client.emitWithAck("join", { room, after });

  /** Waits until the other nodes have received a node's messages: its request arrives behind them. */
  const isKnown = ({ io }) => io.serverSideEmitWithAck("history", "lobby");

  /** Records the values of an event from now on, and acknowledges it. */
  function record(client, event) {
    const values = [];
    client.on(event, (value, ack) => {
      values.push(value);
      ack?.();
    });
    return values;
  }

  let lastId = 10_000_000;
  const newId = () => `${++lastId}`;

  test("shows on each node the people of a room, and all rooms", async (t) => {
    const { a, b, enter } = await startCluster(t);
    const [ada, grace] = [await enter(a, "Ada", "lobby"), await enter(b, "Grace")];
    await isKnown(a);
    const joined = once(ada, "joined");
    const { people } = await join(grace, "lobby");
    assert.deepEqual(people.sort(), ["Ada", "Grace"]);
    assert.deepEqual((await joined)[0], { room: "lobby", name: "Grace" });

    const opened = once(ada, "rooms");
    await join(grace, "short lived");
    assert.deepEqual((await opened)[0], ["lobby", "random", "help", "short-lived"]);
    const eve = await enter(a, "Eve", "short lived");
    assert.equal(eve.welcome.rooms.at(-1), "short-lived");
    await isKnown(a);

    const left = once(ada, "left");
    grace.disconnect();
    assert.deepEqual((await left)[0], { room: "lobby", name: "Grace" });
    // Eve is still there.
    assert.deepEqual((await enter(b, "Hedy")).welcome.rooms.at(-1), "short-lived");
    const closed = once(ada, "rooms");
    eve.disconnect();
    assert.deepEqual((await closed)[0], ["lobby", "random", "help"]);
  });

  test("gives a name to one page in the whole cluster, and to that page again", async (t) => {
    const { a, b, open, enter } = await startCluster(t);
    const ada = await enter(a, "Ada", "lobby");
    const watcher = await enter(a, "Watcher", "lobby");
    const [error] = await once(open(b, "/", { name: "ADA", page: "elsewhere" }), "connect_error");
    assert.equal(error.message, "The name ADA is taken");

    const changes = [];
    watcher.on("left", ({ name }) => changes.push(`${name} left`));
    watcher.on("joined", ({ name }) => changes.push(`${name} joined`));
    const replaced = once(ada, "disconnect");
    const returned = await enter(b, "Ada");
    assert.equal((await replaced)[0], "io server disconnect");
    const back = once(watcher, "joined");
    await join(returned, "lobby");
    await back;
    assert.deepEqual(changes, ["Ada left", "Ada joined"]);
  });

  test("gives a name to one of several pages that ask for it at the same moment", async (t) => {
    const { a, b, open } = await startCluster(t);
    for (let round = 0; round < 10; round++) {
      const name = `Ada ${round}`;
      const rivals = [a, b, a, b].map((node, index) =>
        open(node, "/", { name, page: `page-${round}-${index}` }),
      );
      const outcomes = await Promise.all(
        rivals.map((rival) =>
          Promise.race(
            ["welcome", "connect_error", "disconnect"].map(async (event) => {
              await once(rival, event);
              return event;
            }),
          ),
        ),
      );
      assert.ok(outcomes.includes("welcome"));
      const holders = await a.io.in(`person:ada ${round}`).fetchSockets();
      assert.equal(holders.length, 1);
    }
  });

  test("delivers a message once, and keeps it on each node", async (t) => {
    const { a, b, enter } = await startCluster(t);
    const ada = await enter(a, "Ada", "lobby");
    const grace = await enter(b, "Grace", "lobby");
    const heard = record(grace, "message");
    const text = { id: newId(), room: "lobby", text: "once" };
    const image = { id: newId(), room: "lobby", image: { name: "a.png", data: PNG } };
    const answer = await ada.emitWithAck("message", text);
    await ada.emitWithAck("message", image);
    while (heard.length < 2) await once(grace, "message");
    assert.deepEqual(heard[1].image, { name: "a.png", type: "image/png", data: PNG });

    // The page returns to the other node, and does not know that its message was delivered.
    const returned = await enter(b, "Ada", "lobby");
    assert.deepEqual(await returned.emitWithAck("message", text), answer);
    assert.equal((await grace.emitWithAck("message", text)).error, "The id is in use");
    await returned.emitWithAck("message", { ...text, id: newId(), text: "last" });
    while (heard.length < 3) await once(grace, "message");
    assert.deepEqual(
      heard.map((message) => message.text),
      ["once", undefined, "last"],
    );

    const ofB = (await join(await enter(b, "Bob"), "lobby")).messages;
    assert.deepEqual(ofB, heard);
    const ofA = (await join(await enter(a, "Alan"), "lobby")).messages;
    assert.deepEqual(ofA, heard);
    const { messages } = await join(await enter(a, "Eve"), "lobby", image.id);
    assert.deepEqual(messages, heard.slice(2));
  });

  test("delivers a private message to another node, and reports failure", async (t) => {
    const { a, b, enter } = await startCluster(t);
    const [ada, grace] = [await enter(a, "Ada"), await enter(b, "Grace")];
    const eve = await enter(b, "Eve");
    eve.on("message", () => assert.fail("Eve reads along"));
    const heard = record(grace, "message");
    const image = { name: "a.png", data: PNG };
    const answer = await ada.emitWithAck("message", { id: newId(), to: "grace", image });
    assert.equal(answer.ok, true);
    assert.deepEqual(
      heard.map(({ from, image: { data } }) => [from, data]),
      [["Ada", PNG]],
    );
    const lost = await ada.emitWithAck("message", { id: newId(), to: "Nobody", text: "hello" });
    assert.equal(lost.error, "Nobody is not here");
    // This page has no listener.
    await enter(b, "Deaf");
    const unheard = await ada.emitWithAck("message", { id: newId(), to: "Deaf", text: "hello" });
    assert.equal(unheard.error, "Deaf did not answer");
  });

  test("shows on each node that a person is writing", async (t) => {
    const { a, b, enter } = await startCluster(t);
    const ada = await enter(a, "Ada", "lobby");
    const grace = await enter(b, "Grace", "lobby");
    for (const destination of [{ room: "lobby" }, { to: "Grace" }]) {
      const heard = once(grace, "typing");
      await ada.emitWithAck("typing", { ...destination, typing: true });
      const { room } = destination;
      assert.deepEqual((await heard)[0], { from: "Ada", typing: true, ...(room && { room }) });
    }
  });

  test("announces to the people of all nodes", async (t) => {
    const { a, b, enter, open } = await startCluster(t);
    const people = [await enter(a, "Ada"), await enter(b, "Grace"), await enter(b, "Eve")];
    const announced = people.map((client) => once(client, "announcement"));
    const staff = open(a, "/staff", { passphrase: PASSPHRASE });
    const answer = await staff.emitWithAck("announce", { text: "hear" });
    assert.deepEqual(answer, { ok: true, people: 3 });
    for (const [{ text }] of await Promise.all(announced)) assert.equal(text, "hear");
  });

  test("gives a node that starts the messages before", async (t) => {
    const { a, addNode, enter } = await startCluster(t);
    const ada = await enter(a, "Ada", "lobby");
    await join(ada, "cellar");
    for (const room of ["lobby", "cellar"]) {
      await ada.emitWithAck("message", { id: newId(), room, text: `said in the ${room}` });
    }
    const late = await enter(await addNode(), "Late");
    const inLobby = await join(late, "lobby");
    assert.deepEqual(inLobby.people.sort(), ["Ada", "Late"]);
    assert.equal(inLobby.messages[0].text, "said in the lobby");
    while (true) {
      const { messages } = await join(late, "cellar");
      if (messages.length === 0) continue;
      assert.equal(messages[0].text, "said in the cellar");
      break;
    }
  });

  test("removes the people of a node that has become silent", async (t) => {
    t.mock.timers.enable({ apis: ["setInterval", "Date"] });
    const { a, b, enter } = await startCluster(t);
    const ada = await enter(b, "Ada", "lobby");
    const presence = [
      ["lobby", { since: 0, names: ["Ghost"] }],
      ["crypt", { since: 1, names: ["Ghost"] }],
    ];
    const joined = once(ada, "joined");
    const opened = once(ada, "rooms");
    const asked = once(a.io.of("/"), "history");
    a.io.serverSideEmit("presence", "node-of-the-ghost", presence);
    assert.deepEqual((await joined)[0], { room: "lobby", name: "Ghost" });
    assert.equal((await opened)[0].at(-1), "crypt");
    assert.equal((await asked)[0], "crypt");
    const left = once(ada, "left");
    const closed = once(ada, "rooms");
    t.mock.timers.tick(60_000);
    assert.deepEqual((await left)[0], { room: "lobby", name: "Ghost" });
    assert.deepEqual((await closed)[0], ["lobby", "random", "help"]);
  });

  // The fallback emits "ready" only once.
  const skipOutage = !hasCluster && "without the addon nothing reports that Redis is back";
  const outage = "goes on without Redis, and delivers the messages later";
  test(outage, { skip: skipOutage }, async (t) => {
    const { a, b, enter } = await startCluster(t);
    const errors = t.mock.method(console, "error", () => {});
    const ada = await enter(a, "Ada", "lobby");
    const grace = await enter(a, "Grace", "lobby");
    const eve = await enter(b, "Eve", "lobby");
    const heard = { grace: record(grace, "message"), eve: record(eve, "message") };
    await redis.kill();
    const onThisNode = once(grace, "message");
    await ada.emitWithAck("message", { id: newId(), room: "lobby", text: "is it dark?" });
    assert.equal((await onThisNode)[0].text, "is it dark?");
    const answer = await ada.emitWithAck("message", { id: newId(), to: "Grace", text: "psst" });
    assert.equal(answer.ok, true);
    await redis.restart();
    while (heard.eve.length < 1) await once(eve, "message");
    const printed = () => errors.mock.calls.map(({ arguments: [line] }) => line);
    while (printed().filter((line) => line === "Redis:       connected again").length < 2)
      await nextTurn();
    await ada.emitWithAck("message", { id: newId(), room: "lobby", text: "light" });
    while (heard.eve.at(-1).text !== "light") await once(eve, "message");
    assert.deepEqual(
      heard.eve.map(({ text }) => text),
      ["is it dark?", "light"],
    );
    assert.match(printed()[0], /^Redis: {7}\S/);
  });

  test("is started by --redis, on other ports", async (t) => {
    const [a, b] = [await startProcess(t, redis.url), await startProcess(t, redis.url)];
    assert.match(a.output, /^Cluster: .*--port 1 and the same --redis$/m);
    const [ada, grace] = ["Ada", "Grace"].map((name, index) => {
      const auth = { name, page: `page-of-${name}` };
      const client = connect([a, b][index].url, { auth, transports: ["websocket"] });
      t.after(() => client.disconnect());
      return client;
    });
    await Promise.all([once(ada, "welcome"), once(grace, "welcome")]);
    await join(ada, "lobby");
    await join(grace, "lobby");
    const heard = once(grace, "message");
    await ada.emitWithAck("message", { id: newId(), room: "lobby", text: "hello" });
    assert.equal((await heard)[0].text, "hello");
  });

  test("two pages chat, each on its node", { skip: skipWithoutChromium }, async (t) => {
    let [opened, open] = [Promise.resolve()];
    const [a, b] = [
      await startNode(),
      await startNode({ allowRequest: (_request, allow) => opened.then(() => allow(null, true)) }),
    ];
    const apartFromEnded = watchEndedSessions(a.io, b.io);
    const browser = await launchChromium();
    t.after(async () => {
      await browser.close();
      await Promise.all([a.close(), b.close()]);
    });
    const complaints = [];
    const ada = await openPage(browser, a.url, complaints);
    const grace = await openPage(browser, b.url, complaints);

    await t.test("under names that the other node does not give again", async () => {
      await enterPage(ada, "Ada");
      await ada.locator("#transport", { hasText: "websocket" }).waitFor();
      await enterPage(grace, "Ada");
      await grace.getByText("The name Ada is taken").waitFor();
      await enterPage(grace, "Grace");
      await grace.locator("#transport", { hasText: "websocket" }).waitFor();
      await hasPeople(ada, ["Ada", "Grace"]);
      await hasPeople(grace, ["Grace", "Ada"]);
    });

    await t.test("in rooms, with images and with a tick", async () => {
      await say(ada, "Hello from the first");
      await message(grace, "Hello from the first").waitFor();
      await delivered(ada, "Hello").waitFor();
      const buffer = await ada.screenshot({ clip: { x: 0, y: 0, width: 320, height: 200 } });
      const file = { name: "window.png", mimeType: "image/png", buffer };
      await ada.locator("#image").setInputFiles(file);
      const picture = grace.locator(".theirs").getByRole("img", { name: "window.png" });
      await picture.waitFor();
      const size = picture.evaluate(async (element) => {
        await element.decode();
        return [element.naturalWidth, element.naturalHeight];
      });
      assert.deepEqual(await size, [320, 200]);
    });

    await t.test("with a sign that the other is writing", async () => {
      const line = grace.locator("#typing", { hasText: "Ada is writing…" });
      // Volatile: any one of them may be lost.
      while (!(await line.isVisible())) await ada.locator("#text").pressSequentially("hm ");
      await ada.locator("#text").fill("");
      await line.waitFor({ state: "hidden" });
    });

    await t.test("in private", async () => {
      await ada.locator("#people").getByRole("button", { name: "Grace" }).click();
      await say(ada, "between us");
      await delivered(ada, "between us").waitFor();
      await grace.locator("#privates").getByRole("button", { name: "Ada" }).click();
      await message(grace, "between us").waitFor();
      for (const page of [ada, grace]) {
        await page.locator("#rooms").getByRole("button", { name: "lobby" }).click();
      }
    });

    await t.test("and receive announcements", async () => {
      await ada.getByRole("button", { name: "Staff" }).click();
      await ada.getByLabel("Pass phrase").fill(PASSPHRASE);
      await ada.getByRole("button", { name: "Sign in" }).click();
      await ada.getByLabel("Announcement").fill("Tea is ready");
      await ada.getByRole("button", { name: "Announce to everyone" }).click();
      await ada.getByText("Announced to 2 people").waitFor();
      await ada.getByRole("button", { name: "Close", exact: true }).click();
      await grace.locator("#announcement", { hasText: "Tea is ready" }).waitFor();
    });

    await t.test("and miss nothing while one of them is away", async () => {
      opened = new Promise((resolve) => {
        open = resolve;
      });
      for (const client of Object.values(b.io.engine.clients)) client.close();
      await grace.locator("#transport", { hasText: "offline" }).waitFor();
      await hasPeople(ada, ["Ada"]);
      await say(ada, "while you were away");
      await say(grace, "while I was away");
      open();
      await message(grace, "while you were away").waitFor();
      await message(ada, "while I was away").waitFor();
      await hasPeople(ada, ["Ada", "Grace"]);
      for (const page of [ada, grace]) {
        const texts = await page.locator(".message .text").allTextContents();
        assert.deepEqual(texts.toSorted(), [
          "Hello from the first",
          "while I was away",
          "while you were away",
        ]);
      }
    });

    await t.test("the browser had nothing to complain about", () => {
      assert.deepEqual(apartFromEnded(complaints), []);
    });
  });
});

describe("the chat's command line", { concurrency: true }, () => {
  for (const [args, text] of [
    [["--radish", "redis://127.0.0.1"], /Unknown option '--radish'/],
    [["--redis"], /'--redis <value>' argument missing/],
    [["--redis", ""], /url/],
    [["--redis", "http://127.0.0.1"], /url|Invalid protocol/],
  ]) {
    test(`refuses ${JSON.stringify(args)}`, async () => {
      const child = spawn(process.execPath, [SERVER, ...args], {
        env: { ...process.env, PORT: "0" },
      });
      const errors = [];
      child.stderr.on("data", (data) => errors.push(data));
      const [code] = await once(child, "close");
      assert.equal(code, 1);
      const lines = String(Buffer.concat(errors)).trim().split("\n");
      assert.match(lines[0], text);
      assert.equal(lines.length, 1);
    });
  }

  test("prints that Redis is not there, and starts the chat", async (t) => {
    const server = await startProcess(t, "redis://127.0.0.1:1");
    assert.match(server.errors, /^Redis: {7}\S/);
    assert.equal((await fetch(server.url)).status, 200);
  });
});

/** Runs the chat as a process on a free port, until the end of the test. */
async function startProcess(t, redis) {
  const env = { ...process.env, PORT: "0" };
  const child = spawn(process.execPath, [SERVER, "--redis", redis], { env });
  t.after(async () => {
    child.kill("SIGKILL");
    await once(child, "close");
  });
  const errors = [];
  child.stderr.on("data", (data) => errors.push(data));
  const lines = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (line.startsWith("Cluster:")) break;
  }
  child.stdout.resume();
  const [url] = lines[0].match(/http:.*/);
  return { url, output: lines.join("\n"), errors: String(Buffer.concat(errors)) };
}
