"use strict";

/** Programs of Node.js in processes of their own; fixtures report by lines of JSON. */

const { spawn } = require("node:child_process");
const { once } = require("node:events");
const path = require("node:path");
const { createInterface } = require("node:readline");

/**
 * Starts a program, which is killed after the test if it still runs.
 *
 * @param {{ after: (fn: () => unknown) => void }} t
 * @param {string} file
 * @param {string[]} [args]
 * @param {{ execArgv?: string[], env?: object }} [options] arguments of Node.js itself; variables
 *   beside those of this process
 * @returns {{ child: import("node:child_process").ChildProcess, next: () => Promise<string>,
 *   exited: Promise<{ code: number | null, signal: string | null, lines: string[] }> }} `next()`
 *   resolves with the next line of the standard output; `lines` are all of them
 */
function startProgram(t, file, args = [], { execArgv = [], env } = {}) {
  const child = spawn(process.execPath, [...execArgv, file, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = [];
  const waiting = [];
  let taken = 0;
  createInterface(child.stdout).on("line", (line) => {
    lines.push(line);
    if (waiting.length > 0) waiting.shift()(lines[taken++]);
  });
  const exited = once(child, "close").then(([code, signal]) => ({ code, signal, lines }));
  t.after(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  const next = () =>
    new Promise((resolve) => {
      if (taken < lines.length) resolve(lines[taken++]);
      else waiting.push(resolve);
    });
  return { child, next, exited };
}

/**
 * Starts a fixture.
 *
 * @param {{ after: (fn: () => unknown) => void }} t
 * @param {string} name of a file in `__test__/fixtures/`
 * @param {string[]} args
 * @param {object} [options] of `startProgram()`
 * @returns {{ child: object, next: () => Promise<object>, exited: Promise<object> }} the next report, and how the
 *   process ended: `{ code, signal, reports }`, with all reports
 */
function startFixture(t, name, args, options) {
  const program = startProgram(t, path.join(__dirname, "../fixtures", name), args, options);
  const parse = (line) => JSON.parse(line);
  return {
    child: program.child,
    next: () => program.next().then(parse),
    exited: program.exited.then(({ lines, ...end }) => ({ ...end, reports: lines.map(parse) })),
  };
}

/** In a fixture: sends a report to the test. */
function report(value) {
  console.log(JSON.stringify(value));
}

/** In a fixture: reports the resources left when the process ends by itself, but for the streams. */
function reportWhatIsLeft() {
  process.once("beforeExit", () => {
    const left = process.getActiveResourcesInfo().filter((name) => name !== "PipeWrap");
    report({ left });
  });
}

module.exports = { report, reportWhatIsLeft, startFixture, startProgram };
