"use strict";

/** Loading the addon, and what happens without it (rule R8). */

const assert = require("node:assert/strict");
const { spawnSync } = require("node:child_process");
const { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } = require("node:fs");
const { tmpdir } = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const turbo = require("..");

const root = path.join(__dirname, "..");

/** What a fresh process says of the package in `directory`. */
function report(directory, environment = {}) {
  const script = `
    const { native, nativeError, parser, turbo } = require(${JSON.stringify(directory)});
    const isOfficial = parser.Encoder === require("socket.io-parser").Encoder;
    const decoded = [];
    for (const options of [{}, { maxAttachments: 1 }]) {
      const { Encoder, Decoder } = turbo(options).parser;
      const decoder = new Decoder();
      decoder.on("decoded", ({ data }) => decoded.push(data));
      const packet = { type: 2, nsp: "/", data: ["e", Buffer.of(1)] };
      for (const message of new Encoder().encode(packet)) decoder.add(message);
    }
    console.log(JSON.stringify({ native, error: nativeError?.message ?? null, isOfficial, decoded }));
  `;
  const { stdout, stderr, status } = spawnSync(process.execPath, ["-e", script], {
    cwd: directory,
    env: { ...process.env, TURBO_NATIVE: undefined, ...environment },
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  return { ...JSON.parse(stdout), warnings: stderr };
}

/** A copy of the package without the addon, for the time of a test. */
function withoutAddon(t) {
  const directory = mkdtempSync(path.join(tmpdir(), "socket-io-turbo-"));
  t.after(() => rmSync(directory, { recursive: true }));
  for (const file of ["package.json", "index.js", "lib", "binding.js"]) {
    cpSync(path.join(root, file), path.join(directory, file), { recursive: true });
  }
  symlinkSync(path.join(root, "node_modules"), path.join(directory, "node_modules"));
  return directory;
}

const event = { type: "Buffer", data: [1] };
const decoded = [
  ["e", event],
  ["e", event],
];

test("the addon is loaded", () => {
  assert.equal(turbo.nativeError, null);
  assert.equal(turbo.native, true);
});

test("a process with the addon warns of nothing", () => {
  const expected = { native: true, error: null, isOfficial: false, decoded, warnings: "" };
  assert.deepEqual(report(root), expected);
});

test("without the addon everything works on the official packages, with one warning", (t) => {
  const { warnings, error, ...rest } = report(withoutAddon(t));
  assert.deepEqual(rest, { native: false, isOfficial: true, decoded });
  assert.match(error, /^Cannot find module '.*socket-io-turbo[.-]/);
  assert.equal(warnings.match(/SocketIoTurboWarning/g).length, 1);
  assert.match(warnings, /\[TURBO_NOT_NATIVE\] SocketIoTurboWarning: the native addon could not/);
});

test("an addon that does not load is named as the reason", (t) => {
  const directory = withoutAddon(t);
  for (const file of readdirSync(root).filter((name) => name.endsWith(".node"))) {
    writeFileSync(path.join(directory, file), "not an addon");
  }
  const { native, error } = report(directory);
  assert.equal(native, false);
  assert.match(error, /socket-io-turbo\.[a-z0-9-]+\.node: /);
});

test("TURBO_NATIVE=0 leaves the addon out without a warning", () => {
  const { warnings, error, ...rest } = report(root, { TURBO_NATIVE: "0" });
  assert.deepEqual(rest, { native: false, isOfficial: true, decoded });
  assert.match(error, /switched off by TURBO_NATIVE=0/);
  assert.equal(warnings, "");
});
