"use strict";

/**
 * Gives every file the version that package.json has, as `npm version` calls it: after it has
 * written package.json and package-lock.json, and before it commits and tags. With `--check`, before
 * it has written anything, it only looks whether there is something to release.
 */

const { execFileSync } = require("node:child_process");
const { readFileSync, writeFileSync } = require("node:fs");
const path = require("node:path");

const root = path.join(__dirname, "..");

/** Where Cargo has the version of our crate: after its name. */
const CRATE = /(name = "socket-io-turbo"\n(?:description = .*\n)?version = )".*"/;

const CARGO_FILES = [
  "Cargo.toml",
  "Cargo.lock",
  "bench/load/Cargo.lock",
  "bench/paths/Cargo.lock",
  "fuzz/Cargo.lock",
];

/** The examples have a link to this folder, with its version. */
const EXAMPLES = "examples/package-lock.json";

const LINK = /("name": "socket\.io-turbo",\n\s*"version": )".*"/;

const CHANGELOG = "CHANGELOG.md";

/** The heading under which changes are gathered, and what is there up to the next version. */
const UNRELEASED = /^## Unreleased\n([\s\S]*?)(?=^## |(?![\s\S]))/m;

/** @throws {Error} where `pattern` is not in the file */
function replace(file, pattern, replacement) {
  const absolute = path.join(root, file);
  const text = readFileSync(absolute, "utf8");
  if (!pattern.test(text)) throw new Error(`${file} has no ${pattern}`);
  writeFileSync(absolute, text.replace(pattern, replacement));
}

/** @throws {Error} where no change is listed */
function checkChangelog() {
  const text = readFileSync(path.join(root, CHANGELOG), "utf8");
  const changes = UNRELEASED.exec(text)?.[1] ?? "";
  if (!/^- /m.test(changes)) throw new Error(`${CHANGELOG} lists no change under "Unreleased"`);
}

/** Sets the version everywhere, and hands the files to the commit that is to follow. */
function setVersion() {
  const { version } = require(path.join(root, "package.json"));
  for (const file of CARGO_FILES) replace(file, CRATE, `$1"${version}"`);
  replace(EXAMPLES, LINK, `$1"${version}"`);
  const today = new Date().toISOString().slice(0, 10);
  replace(
    CHANGELOG,
    UNRELEASED,
    (_all, changes) => `## Unreleased\n\n## ${version} - ${today}\n${changes}`,
  );
  const napi = path.join(root, "node_modules/@napi-rs/cli/dist/cli.js");
  execFileSync(process.execPath, [napi, "version"], { cwd: root, stdio: "inherit" });
  execFileSync("git", ["add", CHANGELOG, EXAMPLES, ...CARGO_FILES, "npm"], {
    cwd: root,
    stdio: "inherit",
  });
}

if (process.argv.includes("--check")) checkChangelog();
else setVersion();
