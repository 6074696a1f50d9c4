"use strict";

/** The race in `examples/race`: its parts, its servers and clients, and its page in Chromium. */

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const { once } = require("node:events");
const { readFileSync } = require("node:fs");
const path = require("node:path");
const { createInterface } = require("node:readline");
const { text } = require("node:stream/consumers");
const { after, before, describe, test } = require("node:test");
const { setTimeout: sleep } = require("node:timers/promises");
const { io: connect } = require("socket.io-client");
const { Encoder } = require("socket.io-parser");
const { Broadcaster } = require("../../examples/race/broadcaster.js");
const { createRace } = require("../../examples/race/race.js");
const { Recent } = require("../../examples/race/recent.js");
const { LIMITS, readSettings } = require("../../examples/race/settings.js");
const { skipWithoutCargo } = require("../support/cargo.js");
const { launchChromium, skipWithoutChromium } = require("../support/chromium.js");

const RUN = path.join(__dirname, "../../examples/race/run.js");

/** A small load, for a machine that runs other tests, too. */
const SETTINGS = { clients: 100, rate: 5, payload: 128 };

/** Settings that are refused, and the texts of the errors. */
const REFUSED = [
  [undefined, /must be an object/],
  [null, /must be an object/],
  [7, /must be an object/],
  ["clients", /must be an object/],
  [[100], /must be an object/],
  [{}, /are empty/],
  [{ speed: 1 }, /no setting "speed"/],
  [{ clients: 200, speed: 1 }, /no setting "speed"/],
  [JSON.parse('{"__proto__": 1}'), /no setting "__proto__"/],
  [{ toString: 1 }, /no setting "toString"/],
  [{ clients: "200" }, /clients must be an integer/],
  [{ clients: 200.5 }, /clients must be an integer/],
  [{ clients: null }, /clients must be an integer/],
  [{ clients: 99 }, /clients must be from 100 to 5000, and is 99/],
  [{ clients: 5_001 }, /clients must be from 100 to 5000/],
  [{ rate: 0 }, /rate must be from 1 to 50/],
  [{ rate: 51 }, /rate must be from 1 to 50/],
  [{ rate: Number.POSITIVE_INFINITY }, /rate must be an integer/],
  [{ rate: Number.NaN }, /rate must be an integer/],
  [{ payload: 63 }, /payload must be from 64 to 8192/],
  [{ payload: 8_193 }, /payload must be from 64 to 8192/],
  [{ payload: -128 }, /payload must be from 64 to 8192/],
];

describe("the settings of the race", () => {
  test("have bounds, which are allowed", () => {
    for (const bound of ["min", "max"]) {
      const settings = Object.fromEntries(
        Object.entries(LIMITS).map(([name, limits]) => [name, limits[bound]]),
      );
      assert.deepEqual(readSettings(settings), settings);
    }
    assert.deepEqual(readSettings({ rate: 7 }), { rate: 7 });
  });

  test("are refused with the reason if they are anything else", () => {
    for (const [input, reason] of REFUSED) {
      assert.throws(() => readSettings(input), reason, JSON.stringify(input));
    }
  });
});

describe("the broadcasts of the race", () => {
  /** A broadcaster that has begun, and the events that it has sent. */
  function begin(settings) {
    const sent = [];
    const broadcaster = new Broadcaster({ emit: (...event) => sent.push(event) });
    broadcaster.set({ offset: 0, ...settings });
    return { broadcaster, sent };
  }

  test("are as long as the payload says, whatever their number", async () => {
    for (const payload of [LIMITS.payload.min, 1_000, LIMITS.payload.max]) {
      const { broadcaster, sent } = begin({ rate: 50, payload });
      while (sent.length < 12) {
        broadcaster.handleHave(sent.length - 1);
        await sleep(5);
      }
      for (const event of sent) assert.equal(packetLength(event), payload);
    }
  });

  test("stop while two are under way, are counted, and go on when all clients have one", async () => {
    const { broadcaster, sent } = begin({ rate: 50, payload: 64 });
    let leftOut = 0;
    await until(() => {
      leftOut += broadcaster.take().leftOut;
      return sent.length >= 2 && leftOut >= 3;
    });
    assert.equal(sent.length, 2);
    broadcaster.handleHave(0);
    await until(() => sent.length === 3 && broadcaster.take().leftOut > 0);
    assert.deepEqual(
      sent.map(([, number]) => number),
      [0, 1, 2],
    );
  });

  test("do not wait for clients that are gone when they begin again", async () => {
    const { broadcaster, sent } = begin({ rate: 50, payload: 64 });
    await until(() => sent.length === 2 && broadcaster.take().leftOut > 0);
    broadcaster.set({ offset: 0, rate: 50, payload: 64 });
    await until(() => sent.length === 4);
  });

  test("begin after their offset, and end at a pause", async () => {
    const { broadcaster, sent } = begin({ rate: 50, payload: 64, offset: 0.5 });
    assert.equal(sent.length, 0);
    await until(() => sent.length > 0);
    broadcaster.handleHave(0);
    broadcaster.pause();
    broadcaster.take();
    await sleep(100);
    assert.deepEqual(broadcaster.take(), { sent: 0, leftOut: 0 });
  });

  test("do not listen to a client that says nonsense", async () => {
    const { broadcaster, sent } = begin({ rate: 50, payload: 64 });
    await until(() => sent.length === 2);
    for (const number of [2, 99, -1, 1.5, "3", null, undefined, {}]) {
      broadcaster.handleHave(number);
    }
    broadcaster.take();
    await until(() => broadcaster.take().leftOut > 0);
    assert.equal(sent.length, 2);
  });

  test("are left out where the event loop was blocked past their time", async () => {
    const { broadcaster, sent } = begin({ rate: 50, payload: 64 });
    broadcaster.take();
    const end = performance.now() + 200;
    while (performance.now() < end);
    broadcaster.handleHave(0);
    await until(() => sent.length >= 2);
    assert.ok(broadcaster.take().leftOut >= 8);
  });
});

describe("the recent reports of the race", () => {
  test("make rates of the last two seconds", () => {
    const recent = new Recent();
    assert.equal(recent.perSecond("sent"), null);
    assert.equal(
      recent.largest(({ sent }) => sent),
      null,
    );
    for (const sent of [100, 1, 2, 3, 4]) recent.add({ seconds: 0.5, sent });
    assert.equal(recent.perSecond("sent"), 5);
    assert.equal(
      recent.largest(({ sent }) => sent),
      4,
    );
    assert.equal(recent.last.sent, 4);
  });

  test("keep one that is longer than that", () => {
    const recent = new Recent();
    recent.add({ seconds: 1, sent: 1 });
    recent.add({ seconds: 10, sent: 20 });
    assert.equal(recent.perSecond("sent"), 2);
  });
});

describe("the race", { skip: skipWithoutCargo }, () => {
  let race;
  let control;
  /** The last moment that the control server told. */
  let moment;

  before(async () => {
    race = await createRace({ settings: SETTINGS });
    control = connect(race.url, { transports: ["websocket"], forceNew: true });
    control.on("sample", (sample) => {
      moment = sample;
    });
  });

  after(async () => {
    control.disconnect();
    await race.close();
  });

  /** Waits for a moment at which a condition holds for both servers. */
  const untilBoth = (condition) =>
    until(() => moment !== undefined && Object.values(moment.lanes).every(condition));

  test("runs a stock server and a turbo one, which deliver", async () => {
    await untilBoth(({ deliveries, clients }) => deliveries > 0 && clients === SETTINGS.clients);
    assert.deepEqual(Object.keys(moment.lanes), ["ws", "turbo"]);
    await untilBoth(({ lag, cpu, rss, loop }) => [lag, cpu, rss, loop].every((it) => it > 0));
  });

  test("refuses what cannot be set, and says why", async () => {
    for (const [input, reason] of REFUSED) {
      // Values that JSON does not have cannot arrive, either.
      const answer = await control.emitWithAck("set", input);
      assert.equal(answer.ok, false, JSON.stringify(input));
      if (input !== undefined && !Object.values(input ?? {}).some(isNoJson)) {
        assert.match(answer.error, reason);
      }
    }
    control.emit("set");
    control.emit("set", { rate: 9 }, "no function");
    control.emit("set", { rate: -9 });
    assert.equal((await control.emitWithAck("set", SETTINGS)).ok, true);
  });

  test("lets both servers follow the settings", async () => {
    const settings = { clients: 200, rate: 20, payload: 1_000 };
    const told = once(control, "settings");
    assert.deepEqual(await control.emitWithAck("set", settings), { ok: true });
    assert.deepEqual(await told, [settings]);
    await untilBoth(({ clients, sent, leftOut }) => clients === 200 && isNear(sent + leftOut, 20));
    for (const { port } of race.lanes) {
      const [, number, due, filler] = await nextBroadcast(port);
      assert.equal(packetLength(["race", number, due, filler]), 1_000);
    }
    assert.deepEqual(await control.emitWithAck("set", SETTINGS), { ok: true });
    await untilBoth(({ clients, sent, leftOut }) => clients === 100 && isNear(sent + leftOut, 5));
    assert.deepEqual(moment.settings, SETTINGS);
  });

  test("lets all clients of both reconnect at once, and goes on", async () => {
    control.emit("reconnect");
    await untilBoth(({ back }) => back === null);
    await untilBoth(({ back, clients }) => back > 0 && clients === SETTINGS.clients);
    await untilBoth(({ sent, leftOut }) => isNear(sent + leftOut, SETTINGS.rate));
    await untilBoth(({ deliveries }) => deliveries > 0);
    assert.deepEqual(
      race.lanes.map(({ ended }) => ended),
      [null, null],
    );
  });

  describe("on its page", { skip: skipWithoutChromium }, () => {
    let browser;
    let page;
    const complaints = [];

    before(async () => {
      browser = await launchChromium();
      page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
      page.on("pageerror", (error) => complaints.push(error.stack));
      page.on("console", (entry) => complaints.push(entry.text()));
      await page.goto(race.url);
    });

    after(() => browser?.close());

    const lane = (name) => page.locator(`.lane[data-lane="${name}"]`);
    const figure = async (metric, name) => {
      const text = await page.locator(`[data-metric="${metric}"] .figure.${name}`).innerText();
      return Number.parseFloat(text.replaceAll(",", ""));
    };
    const ticks = async (name) =>
      Number(await lane(name).locator("canvas").getAttribute("data-ticks"));

    test("shows figures and a chart of each metric for both servers", async () => {
      for (const metric of ["lag", "cpu", "deliveries", "memory"]) {
        for (const name of ["ws", "turbo"]) {
          await until(async () => (await figure(metric, name)) > 0);
        }
        await page.locator(`[data-metric="${metric}"] .chart canvas`).waitFor();
      }
      await until(async () => (await figure("deliveries", "ws")) > 100);
    });

    test("draws charts that move", async () => {
      const chart = page.locator('[data-metric="deliveries"] .chart');
      const before = await chart.screenshot();
      await until(async () => !before.equals(await chart.screenshot()));
    });

    test("moves the runner of each server by that server's ticks", async () => {
      for (const name of ["ws", "turbo"]) {
        const ticksBefore = await ticks(name);
        const before = await lane(name).locator("canvas").screenshot();
        await until(async () => (await ticks(name)) > ticksBefore + 10);
        assert.ok(!before.equals(await lane(name).locator("canvas").screenshot()));
      }
    });

    test("has sliders that set the load of both servers", async () => {
      await page.getByLabel("Clients").fill("300");
      await page.getByLabel("Broadcasts per second").fill("10");
      await page.getByLabel("Payload").fill("9");
      await until(() => moment.settings.payload === 512);
      assert.deepEqual(moment.settings, { clients: 300, rate: 10, payload: 512 });
      for (const name of ["ws", "turbo"]) {
        await lane(name).getByText("300 clients").waitFor();
        await until(async () => (await figure("deliveries", name)) > 1_000);
      }
      assert.deepEqual(await page.locator("output").allInnerTexts(), ["300", "10", "512\u2009B"]);
    });

    test("has a button that lets all clients reconnect", async () => {
      const backOf = (name) => moment.lanes[name].back;
      const names = ["ws", "turbo"];
      const before = names.map(backOf);
      await page.getByRole("button", { name: "Reconnect all clients" }).click();
      await until(() =>
        names.every((name, index) => ![null, before[index]].includes(backOf(name))),
      );
      for (const name of names) {
        await lane(name)
          .getByText(/reconnected in [\d.]+ s/)
          .waitFor();
      }
    });

    test("follows the sliders of another page", async () => {
      assert.equal((await control.emitWithAck("set", SETTINGS)).ok, true);
      await until(async () => (await page.getByLabel("Clients").inputValue()) === "100");
      for (const name of ["ws", "turbo"])
        await lane(name)
          .getByText(/^100 clients/)
          .waitFor();
    });

    test("says what the control server does not accept", async () => {
      await page.getByLabel("Clients").evaluate((slider) => {
        slider.max = 9_000;
      });
      await page.getByLabel("Clients").fill("9000");
      await page.getByText("clients must be from 100 to 5000, and is 9000").waitFor();
    });

    test("fits a phone and a desktop", async () => {
      for (const width of [390, 1280]) {
        await page.setViewportSize({ width, height: 844 });
        const overflow = () => document.documentElement.scrollWidth - innerWidth;
        await until(async () => (await page.evaluate(overflow)) <= 0);
      }
    });

    test("gives the browser nothing to complain about", () => {
      assert.deepEqual(complaints, []);
    });

    test("says so when a server dies, and goes on with the other", async () => {
      const told = once(control, "lanes");
      process.kill(race.lanes[0].pid, "SIGKILL");
      await lane("ws").getByText("The server has ended (SIGKILL)").waitFor();
      assert.deepEqual(
        (await told)[0].map(({ ended }) => ended !== null),
        [true, false],
      );
      const before = await ticks("turbo");
      await until(async () => (await ticks("turbo")) > before + 10);
      await until(() => moment.lanes.ws === null && moment.lanes.turbo.deliveries > 0);
      await page.reload();
      await lane("ws").getByText("The server has ended (SIGKILL)").waitFor();
    });
  });
});

describe("the process of the race", { skip: skipWithoutCargo }, () => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"]) {
    test(`leaves nothing running after ${signal}`, async (t) => {
      const { run, children, stderr } = await startRun(t);
      assert.equal(children.length, 4);
      run.kill(signal);
      const [code] = await once(run, "exit");
      assert.equal(code, signal === "SIGKILL" ? null : 0);
      await until(() => !children.some(isRunning));
      assert.doesNotMatch(await stderr, /warning/i);
    });
  }

  test("says what is wrong with its arguments", async () => {
    for (const [args, env, reason] of [
      [["--clients", "10"], {}, /clients must be from 100 to 5000, and is 10\n\nusage/],
      [["--rate", "fast"], {}, /rate must be an integer\n\nusage/],
      [["--speed", "9"], {}, /Unknown option '--speed'/],
      [[], { PORT: "http" }, /PORT must be an integer from 0 to 65535, and is http/],
    ]) {
      const { code, stderr } = await runToEnd(args, env);
      assert.equal(code, 1);
      assert.match(stderr, reason);
    }
  });

  test("says that cargo is missing", async () => {
    const { code, stderr } = await runToEnd([], { PATH: "" });
    assert.equal(code, 1);
    assert.match(stderr, /cargo, which is missing: install Rust/);
  });
});

/** A race of its own process, when its page can be opened, its four processes' ids, and their errors. */
async function startRun(t) {
  const run = spawn(process.execPath, [RUN, "--clients", "100", "--rate", "2"], {
    env: { ...process.env, PORT: "0" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const stderr = text(run.stderr);
  t.after(() => run.kill("SIGKILL"));
  for await (const line of createInterface(run.stdout)) {
    if (line.startsWith("The race: http://127.0.0.1:")) break;
  }
  return { run, children: childrenOf(run.pid), stderr };
}

/** Runs the race with what makes it end at once. */
async function runToEnd(args, env) {
  const run = spawn(process.execPath, [RUN, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const [stderr, [code]] = await Promise.all([text(run.stderr), once(run, "close")]);
  return { code, stderr };
}

/** @returns {number[]} the ids of a process's children */
function childrenOf(pid) {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean);
}

/** Returns whether a process runs, and is not a zombie. */
function isRunning(pid) {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

/** The event that comes next to a client of a racing server: its name and what it holds. */
async function nextBroadcast(port) {
  const client = connect(`http://127.0.0.1:${port}`, { transports: ["websocket"], forceNew: true });
  const broadcast = await once(client, "race");
  client.disconnect();
  return ["race", ...broadcast];
}

/** @returns {number} the bytes of the Socket.IO packet of an event */
function packetLength(event) {
  const [packet] = new Encoder().encode({ type: 2, nsp: "/", data: event });
  return Buffer.byteLength(packet);
}

/** Returns whether JSON changes a value. */
function isNoJson(value) {
  return typeof value === "number" && !Number.isFinite(value);
}

/** Returns whether a rate is close to the requested one. */
function isNear(rate, asked) {
  return Math.abs(rate - asked) <= 0.2 * asked;
}

/** Waits until a condition holds; so long that it will never do so where this gives up. */
async function until(condition) {
  const end = performance.now() + 60_000;
  while (!(await condition())) {
    assert.ok(performance.now() < end, `waited in vain until ${condition}`);
    await sleep(20);
  }
}
