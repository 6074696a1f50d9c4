"use strict";

/**
 * WebKitGTK, by Selenium. It has no headless mode, so it gets an X server without a screen; and each
 * page is a session with a driver and a browser process of its own, because a driver has one session
 * and switches between its windows.
 */

const { spawn } = require("node:child_process");
const { once } = require("node:events");
const { createServer } = require("node:net");
const path = require("node:path");
const { setTimeout: delay } = require("node:timers/promises");
const { listen } = require("../tcp-server.js");
const { SIZE, modules, skipWithout } = require("./availability.js");

const driverPath = process.env.WEBKIT_DRIVER || "/usr/bin/WebKitWebDriver";
const seleniumPath = path.join(modules, "selenium-webdriver");

/** Of functions in the page, in milliseconds. */
const SCRIPT_TIMEOUT = 60_000;

/**
 * Of a driver and its browser to start, in milliseconds, and how often they may. The driver takes a port
 * that is free, on which its browser listens a second later. If another program was faster, the driver is
 * connected to that one, and waits for ever.
 */
const START_TIMEOUT = 60_000;
const STARTS = 3;

/** In the page: calls a function and reports its result. */
const CALL = `
  Promise.resolve().then(() => fn(arg))
    .then((value) => done({ value }), (error) => done({ error: String(error) + error?.stack }));`;

/** In the page: calls a function each 20 ms until it returns a true value. */
const WAIT = `
  const look = async () => ((await fn(arg)) ? done({}) : setTimeout(look, 20));
  look().catch((error) => done({ error: String(error) + error?.stack }));`;

/** In the page: fills in an element as a user does. The keys of Selenium lack emoji. */
function fillIn([selector, text]) {
  const element = document.querySelector(selector);
  element.focus();
  element.select?.();
  document.execCommand("insertText", false, text);
}

/** @returns {Promise<import("./index.js").Browser>} */
async function launch() {
  const x = startProcess("Xvfb", "-displayfd", "3", "-screen", "0", "1600x1200x24");
  const ended = once(x.child, "exit").then(([code]) => {
    throw new Error(`Xvfb has ended with ${code}`);
  });
  const [number] = await Promise.race([once(x.child.stdio[3], "data"), x.failed, ended]);
  // Without a language, `navigator.language` is "C", which `Intl` refuses.
  const env = {
    ...process.env,
    LANG: "en_US.UTF-8",
    LC_ALL: "",
    DISPLAY: `:${String(number).trim()}`,
  };
  const sessions = new Set();
  const open = async (url, size = SIZE) => {
    const session = await openSession(env);
    sessions.add(session);
    return openPage(session, url, size);
  };
  // The driver reports the version of the session alone.
  const { version, end } = await openSession(env);
  await end();
  return {
    version,
    open,
    close: async () => {
      await Promise.all([...sessions].map((session) => session.end()));
      await x.end();
    },
  };
}

/** Starts a driver and its browser. */
async function openSession(env, starts = STARTS) {
  const { driver: process, url } = await startDriver(env);
  try {
    const driver = await newSession(url);
    const version = (await driver.getCapabilities()).get("browserVersion");
    let ended;
    const quit = () => driver.quit().finally(process.end);
    const end = () => {
      ended ??= quit();
      return ended;
    };
    return { driver, version, end };
  } catch (error) {
    await process.end();
    if (starts === 1) throw error;
    return openSession(env, starts - 1);
  }
}

async function newSession(url) {
  const { Builder, Capabilities } = require(seleniumPath);
  const options = { "webkitgtk:browserOptions": { args: ["--automation"] } };
  const capabilities = new Capabilities({ browserName: "MiniBrowser", ...options });
  const builder = new Builder().usingServer(url).withCapabilities(capabilities);
  const late = delay(START_TIMEOUT, undefined, { ref: false }).then(() => {
    throw new Error(`WebKit has not started within ${START_TIMEOUT} ms`);
  });
  const driver = await Promise.race([builder.build(), late]);
  await driver.manage().setTimeouts({ script: SCRIPT_TIMEOUT });
  return driver;
}

/** Starts a driver on a port that was free, and on another if a program was faster. */
async function startDriver(env) {
  for (;;) {
    const reserved = createServer();
    const { port, origin: url } = await listen(reserved);
    await once(reserved.close(), "close");
    const driver = startProcess(driverPath, `--port=${port}`, { env });
    while (!driver.hasEnded()) {
      const isReady = await fetch(`${url}/status`, { signal: AbortSignal.timeout(1000) }).then(
        ({ ok }) => ok,
        () => false,
      );
      if (isReady && !driver.hasEnded()) return { driver, url };
      await Promise.race([delay(20), driver.failed]);
    }
  }
}

/** Starts a program, which ends with this process at the latest. `failed` rejects without it. */
function startProcess(file, ...args) {
  const { env } = typeof args.at(-1) === "object" ? args.pop() : process;
  const child = spawn(file, args, { env, stdio: ["ignore", "ignore", "ignore", "pipe"] });
  const failed = once(child, "error").then(([error]) => Promise.reject(error));
  failed.catch(() => {});
  const kill = () => child.kill();
  process.once("exit", kill);
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  const end = async () => {
    process.off("exit", kill);
    if (hasEnded()) return;
    kill();
    await once(child, "exit");
  };
  return { child, failed, hasEnded, end };
}

async function openPage({ driver, end }, url, { width, height }) {
  const { By } = require(seleniumPath);
  const run = async (script, fn, arg = null) => {
    // The function is a part of the text, because pages may forbid `eval()`.
    const text = `const [arg, done] = arguments; const fn = ${fn};${script}`;
    const { value, error } = await driver.executeAsyncScript(text, arg);
    if (error !== undefined) throw new Error(error);
    return value;
  };
  const evaluate = (fn, arg) => run(CALL, fn, arg);
  const element = (selector) => driver.findElement(By.css(selector));
  await driver.get(url);
  // The size of a window has its frame and bars in it.
  const bars = await evaluate(() => [
    window.outerWidth - window.innerWidth,
    window.outerHeight - window.innerHeight,
  ]);
  await driver
    .manage()
    .window()
    .setRect({ width: width + bars[0], height: height + bars[1] });
  return {
    complaints: [],
    evaluate,
    waitFor: (fn, arg) => run(WAIT, fn, arg),
    click: (selector) => element(selector).click(),
    fill: async (selector, text) => {
      await element(selector);
      await evaluate(fillIn, [selector, text]);
    },
    reload: () => driver.navigate().refresh(),
    screenshot: async () => Buffer.from(await driver.takeScreenshot(), "base64"),
    close: end,
  };
}

/** @type {import("./index.js").BrowserKind} */
const webkit = {
  name: "WebKit",
  skip: skipWithout({
    "apt-get install webkit2gtk-driver, or name one in the environment variable WEBKIT_DRIVER":
      driverPath,
    "apt-get install xvfb": "/usr/bin/Xvfb",
    "npm ci --ignore-scripts --prefix __test__/browsers": seleniumPath,
  }),
  launch,
};

module.exports = { webkit };
