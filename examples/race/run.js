"use strict";

/** `npm run race`: runs the race until it is interrupted, or takes a picture of it. */

const { parseArgs } = require("node:util");
const { createRace } = require("./race.js");
const { DEFAULTS, readSettings } = require("./settings.js");

const USAGE = `usage: npm run race [-- --clients N --rate N --payload BYTES --screenshot FILE]

  --clients, --rate, --payload   where the sliders are at the beginning
  --screenshot FILE              takes a picture after half a minute, and ends

  PORT (3000) and HOST (127.0.0.1) in the environment say where the page is.`;

/**
 * @returns {object} what the command line and the environment ask for
 * @throws {Error} if something of it is wrong
 */
function readArguments() {
  const { values } = parseArgs({
    options: {
      clients: { type: "string" },
      rate: { type: "string" },
      payload: { type: "string" },
      screenshot: { type: "string" },
    },
  });
  const { screenshot, ...given } = values;
  const numbers = Object.entries(given).map(([name, value]) => [name, Number(value)]);
  const settings = readSettings({ ...DEFAULTS, ...Object.fromEntries(numbers) });
  const { PORT = "3000", HOST } = process.env;
  const port = Number(PORT);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new RangeError(`PORT must be an integer from 0 to 65535, and is ${PORT}`);
  }
  return { screenshot, options: { port, host: HOST || undefined, settings } };
}

/** Runs the race until somebody interrupts it. */
async function watch(options) {
  console.log("The servers start, and their clients connect…");
  const race = await createRace(options);
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => race.close());
  console.log(`The race: ${race.url} (Ctrl+C ends it)`);
}

/** Runs what the command line asks for. */
async function main() {
  let asked;
  try {
    asked = readArguments();
  } catch (error) {
    throw new Error(`${error.message}\n\n${USAGE}`);
  }
  const { screenshot, options } = asked;
  if (screenshot === undefined) return watch(options);
  const { takeScreenshot } = require("./screenshot.js");
  await takeScreenshot(screenshot, options);
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
