"use strict";

/**
 * Writes the version of package.json into all other files. `npm version` calls it after it has
 * written package.json and package-lock.json, and before it commits and tags. With `--check`, which
 * runs before anything is written, it only checks that there is something to release.
 */

const { execFileSync } = require("node:child_process");
const { readFileSync, writeFileSync } = require("node:fs");
const path = require("node:path");

const root = path.join(__dirname, "..");

/** The version of our crate in files of Cargo: after its name. */
const CRATE = /(name = "socket-io-turbo"\n(?:description = .*\n)?version = )".*"/;

const CARGO_FILES = [
  "Cargo.toml",
  "Cargo.lock",
  "bench/load/Cargo.lock",
  "bench/paths/Cargo.lock",
  "fuzz/Cargo.lock",
];

/** The lock file of the examples, which link to this folder with its version. */
const EXAMPLES = "examples/package-lock.json";

const LINK = /("name": "socket\.io-turbo",\n\s*"version": )".*"/;

const CHANGELOG = "CHANGELOG.md";

/** The heading of unreleased changes, and the text up to the next version. */
const UNRELEASED = /^## Unreleased\n([\s\S]*?)(?=^## |(?![\s\S]))/m;

/** Replaces a pattern in a file. @throws {Error} if the file does not contain it */
function replace(file, pattern, replacement) {
  const absolute = path.join(root, file);
  const text = readFileSync(absolute, "utf8");
  if (!pattern.test(text)) throw new Error(`${file} has no ${pattern}`);
  writeFileSync(absolute, text.replace(pattern, replacement));
}

/** @throws {Error} if no change is listed */
function checkChangelog() {
  const text = readFileSync(path.join(root, CHANGELOG), "utf8");
  const changes = UNRELEASED.exec(text)?.[1] ?? "";
  if (!/^- /m.test(changes)) throw new Error(`${CHANGELOG} lists no change under "Unreleased"`);
}

/** Writes the version into all files, and stages them for the commit that follows. */
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
