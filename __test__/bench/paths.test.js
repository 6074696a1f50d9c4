"use strict";

const assert = require("node:assert/strict");
const { spawnSync } = require("node:child_process");
const { mkdtempSync, rmSync } = require("node:fs");
const { tmpdir } = require("node:os");
const path = require("node:path");
const { describe, test } = require("node:test");
const { changeTable, pathTable } = require("../../bench/suite/path-table.js");

const root = path.join(__dirname, "../..");

/** @param {Record<string, number>} counts by path */
const counted = (counts) => ({
  paths: Object.entries(counts).map(([path, instructions]) => ({ path, instructions })),
});

/** @returns {string[][]} the cells of a Markdown table, without its header */
const rowsOf = (table) =>
  table
    .split("\n")
    .slice(2)
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );

describe("the table of the hot paths", () => {
  test("says by how much a path has changed", () => {
    const before = counted({ slower: 100, faster: 100, same: 100_000 });
    const now = counted({ slower: 103, faster: 75, same: 99_999, other: 1 });
    assert.deepEqual(rowsOf(changeTable(now, before)), [
      ["slower", "103", "+3.0"],
      ["faster", "75", "-25.0"],
      ["same", "99999", "0.0"],
      ["other", "1", "-"],
    ]);
  });

  test("has no change where there is nothing to compare with", () => {
    assert.deepEqual(rowsOf(changeTable(counted({ path: 7 }))), [["path", "7", "-"]]);
    assert.deepEqual(rowsOf(pathTable(counted({ path: 7 }))), [["path", "7"]]);
  });
});

describe("the benchmark of the hot paths", () => {
  test("says that valgrind is missing", (t) => {
    const empty = mkdtempSync(path.join(tmpdir(), "socket-io-turbo-"));
    t.after(() => rmSync(empty, { recursive: true }));
    const env = { ...process.env, PATH: empty };
    const options = { cwd: root, env, encoding: "utf8" };
    const { status, stderr } = spawnSync(process.execPath, ["bench/run.js", "paths"], options);
    assert.equal(status, 2);
    assert.match(stderr, /^benchmark "paths" cannot run: valgrind is not installed/m);
  });
});
