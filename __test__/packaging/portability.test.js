"use strict";

/** The addon for Linux runs on systems older than the one that it was built on. */

const assert = require("node:assert/strict");
const { spawnSync } = require("node:child_process");
const { existsSync } = require("node:fs");
const { test } = require("node:test");
const { platforms } = require("../../packaging/platforms.js");
const { obstacles, requirements } = require("../../packaging/portability.js");

const built = platforms.filter(({ manifest, addon }) => manifest.libc && existsSync(addon));
const skipWithoutReadelf =
  process.env.CI !== "true" &&
  spawnSync("readelf", ["--version"], { stdio: "ignore" }).status !== 0 &&
  "no readelf (Debian: binutils)";
const ADVICE = "it was built for this system; CONTRIBUTING.md says how to build it for others";

for (const { name, manifest, addon } of built) {
  test(`${name} needs no newer glibc, and no library, than every Linux has`, {
    skip: skipWithoutReadelf,
  }, (t) => {
    const found = obstacles(addon, manifest.libc[0]);
    if (found.length > 0 && process.env.CI !== "true") t.skip(`${ADVICE}: ${found.join(", ")}`);
    else assert.deepEqual(found, []);
  });
}

const skip = skipWithoutReadelf || (built.length === 0 && "not Linux");
test("what a program needs is read from it", { skip }, () => {
  const { glibc, libraries } = requirements(process.execPath);
  assert.ok(libraries.includes("libstdc++.so.6"), libraries.join());
  assert.match(glibc, /^2\.\d+$/);
  const found = obstacles(process.execPath, "glibc");
  assert.ok(found.includes("it needs libstdc++.so.6"), found.join());
  assert.ok(
    found.some((obstacle) => /^it needs glibc 2\.\d+, and must run with 2\.17$/.test(obstacle)),
  );
  assert.ok(obstacles(process.execPath, "musl").includes("it needs glibc"));
});
