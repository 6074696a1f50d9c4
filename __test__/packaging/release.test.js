"use strict";

/** `npm run release`, in a copy of the repository. */

const assert = require("node:assert/strict");
const { execFileSync, spawnSync } = require("node:child_process");
const {
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} = require("node:fs");
const { tmpdir } = require("node:os");
const path = require("node:path");
const { test } = require("node:test");

const root = path.join(__dirname, "../..");
const VERSION = "98.7.6";

/** Where the version has to change, and nothing else. */
const CHANGED = [
  "CHANGELOG.md",
  "Cargo.lock",
  "Cargo.toml",
  "bench/load/Cargo.lock",
  "bench/paths/Cargo.lock",
  "examples/package-lock.json",
  "fuzz/Cargo.lock",
  "npm/darwin-arm64/package.json",
  "npm/darwin-x64/package.json",
  "npm/linux-arm64-gnu/package.json",
  "npm/linux-arm64-musl/package.json",
  "npm/linux-x64-gnu/package.json",
  "npm/linux-x64-musl/package.json",
  "npm/win32-x64-msvc/package.json",
  "package-lock.json",
  "package.json",
];

const skip = process.env.CI !== "true" && spawnSync("git", ["--version"]).status !== 0 && "no git";

/** A repository with the files of this one, as they are now, and one commit. */
function copyRepository(t) {
  const directory = mkdtempSync(path.join(tmpdir(), "socket-io-turbo-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const args = ["-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard"];
  const files = execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim().split("\n");
  for (const file of files) cpSync(path.join(root, file), path.join(directory, file));
  symlinkSync(path.join(root, "node_modules"), path.join(directory, "node_modules"), "junction");
  // The link is not a folder, which is what .gitignore speaks of.
  writeFileSync(path.join(directory, ".git-exclude"), "node_modules\n.git-exclude\n");
  const git = (...gitArgs) => execFileSync("git", gitArgs, { cwd: directory, encoding: "utf8" });
  git("init", "--quiet");
  for (const [key, value] of [
    ["user.name", "Somebody"],
    ["user.email", "somebody@example.com"],
    ["core.excludesFile", path.join(directory, ".git-exclude")],
  ]) {
    git("config", key, value);
  }
  git("add", "--all");
  git("commit", "--quiet", "--message", "Start");
  return { directory, git, read: (file) => readFileSync(path.join(directory, file), "utf8") };
}

/** Releases. @returns {{ status: number, stderr: string }} */
function release(directory) {
  const args = ["run", "release", "--", VERSION];
  return spawnSync("npm", args, { cwd: directory, encoding: "utf8" });
}

/** Returns the section under a heading of the change log. */
function section(text, heading) {
  return text.split(/^## /m).find((part) => part.startsWith(heading)) ?? "";
}

test("one command sets the version, dates the change log, commits and tags", { skip }, (t) => {
  const { directory, git, read } = copyRepository(t);
  const before = read("CHANGELOG.md");
  const { status, stderr } = release(directory);
  assert.equal(status, 0, stderr);

  assert.equal(git("log", "-1", "--format=%s").trim(), `Release ${VERSION}`);
  assert.equal(git("describe", "--exact-match").trim(), `v${VERSION}`);
  assert.equal(git("status", "--porcelain"), "");
  const changed = git("diff", "--name-only", "HEAD^", "HEAD").trim().split("\n");
  assert.deepEqual(changed.sort(), CHANGED);

  for (const file of CHANGED.filter((name) => /^(npm|package)/.test(name))) {
    assert.equal(JSON.parse(read(file)).version, VERSION, file);
  }
  assert.equal(JSON.parse(read("examples/package-lock.json")).packages[".."].version, VERSION);
  for (const file of CHANGED.filter((name) => name.includes("Cargo."))) {
    assert.match(
      read(file),
      new RegExp(`name = "socket-io-turbo"\\n(.*\\n)?version = "${VERSION}"`),
    );
  }
  const diff = git("diff", "--numstat", "HEAD^", "HEAD", "--", "Cargo.lock", "package.json");
  assert.deepEqual(diff.match(/^\d+\t\d+/gm), ["1\t1", "1\t1"], "one line in each");

  const after = read("CHANGELOG.md");
  assert.equal(section(after, "Unreleased").trim(), "Unreleased");
  assert.equal(
    section(after, `${VERSION} - 2`).replace(/^.*\n/, ""),
    section(before, "Unreleased").replace(/^.*\n/, ""),
  );
  assert.match(after, new RegExp(`^## ${VERSION} - \\d{4}-\\d{2}-\\d{2}$`, "m"));
});

test("nothing is touched where the change log lists no change", { skip }, (t) => {
  const { directory, git, read } = copyRepository(t);
  writeFileSync(
    path.join(directory, "CHANGELOG.md"),
    "# Changelog\n\n## Unreleased\n\n## 0.0.1\n\n- It\n",
  );
  git("commit", "--quiet", "--all", "--message", "Leave nothing to release");
  const { status, stderr } = release(directory);
  assert.notEqual(status, 0);
  assert.match(stderr, /CHANGELOG\.md lists no change under "Unreleased"/);
  assert.equal(git("status", "--porcelain"), "");
  assert.equal(git("tag"), "");
  assert.equal(JSON.parse(read("package.json")).version, require("../../package.json").version);
});
