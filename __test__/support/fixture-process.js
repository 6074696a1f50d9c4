"use strict";

/** Processes of `__test__/fixtures/`, which report by lines of JSON on their standard output. */

const { spawn } = require("node:child_process");
const { once } = require("node:events");
const path = require("node:path");
const { createInterface } = require("node:readline");

/**
 * Starts a fixture, which is killed after the test if it is still there.
 *
 * @param {{ after: (fn: () => unknown) => void }} t
 * @param {string} name of a file in `__test__/fixtures/`
 * @param {string[]} args
 * @param {{ execArgv?: string[] }} [options] arguments of Node.js itself
 * @returns {{ next: () => Promise<object>, exited: Promise<object> }} the next report, and how the
 *   process ended: `{ code, signal, reports }`, with all reports
 */
function startFixture(t, name, args, { execArgv = [] } = {}) {
  const file = path.join(__dirname, "../fixtures", name);
  const child = spawn(process.execPath, [...execArgv, file, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const reports = [];
  const waiting = [];
  let taken = 0;
  createInterface(child.stdout).on("line", (line) => {
    reports.push(JSON.parse(line));
    if (waiting.length > 0) waiting.shift()(reports[taken++]);
  });
  const exited = once(child, "close").then(([code, signal]) => ({ code, signal, reports }));
  t.after(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  return {
    next() {
      if (taken < reports.length) return Promise.resolve(reports[taken++]);
      return new Promise((resolve) => waiting.push(resolve));
    },
    exited,
  };
}

/** In a fixture: reports to the test. */
function report(value) {
  console.log(JSON.stringify(value));
}

/** In a fixture: reports what is left when nothing is left to do, but for the standard streams. */
function reportWhatIsLeft() {
  process.once("beforeExit", () => {
    const left = process.getActiveResourcesInfo().filter((name) => name !== "PipeWrap");
    report({ left });
  });
}

module.exports = { report, reportWhatIsLeft, startFixture };
