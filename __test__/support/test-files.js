"use strict";

/** The test files, by folder. */

const { readdirSync } = require("node:fs");
const path = require("node:path");

const FOLDER = "__test__";

/** @returns {string[]} all of them, relative to the root, sorted */
function testFiles() {
  return readdirSync(path.join(__dirname, ".."), { recursive: true })
    .filter((file) => file.endsWith(".test.js") && !file.includes("node_modules"))
    .map((file) => path.join(FOLDER, file))
    .sort();
}

/**
 * @param {string[]} paths folders and files in `__test__/`
 * @param {string[]} files
 * @returns {string[]} the files that are one of `paths`, or in one of them
 */
function filesIn(paths, files) {
  const isIn = (file) => (it) =>
    file === path.join(FOLDER, it) || file.startsWith(path.join(FOLDER, it, path.sep));
  return files.filter((file) => paths.some(isIn(file)));
}

module.exports = { filesIn, testFiles };
