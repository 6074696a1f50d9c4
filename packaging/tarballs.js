"use strict";

/** Packs the packages to publish. */

const { execFileSync } = require("node:child_process");
const { existsSync, mkdirSync, mkdtempSync, rmSync } = require("node:fs");
const { tmpdir } = require("node:os");
const path = require("node:path");
const { platforms, root } = require("./platforms.js");
const { stageMain, stagePlatform } = require("./staging.js");

/**
 * Packs the main package, and the packages of the platforms whose addons are built.
 *
 * @param {string} destination a folder for the tarballs
 * @param {{ isComplete?: boolean }} [options] true if every platform is required (default: false)
 * @returns {string[]} the tarballs; the main package, which depends on the others, is the last
 * @throws {Error} if a required addon is missing, or a version differs
 */
function packAll(destination, { isComplete = false } = {}) {
  const built = platforms.filter(({ addon }) => isComplete || existsSync(addon));
  return [...built.map((platform) => packPlatform(destination, platform)), packMain(destination)];
}

/**
 * Packs the main package.
 *
 * @param {string} destination a folder for the tarball
 * @returns {string} the tarball
 */
function packMain(destination) {
  return pack(destination, stageMain);
}

/**
 * Packs the package of a platform.
 *
 * @param {string} destination a folder for the tarball
 * @param {import("./platforms.js").Platform} platform
 * @returns {string} the tarball
 */
function packPlatform(destination, platform) {
  return pack(destination, (directory) => stagePlatform(platform, directory));
}

/** @returns {string} the tarball of the folder that `stage` writes */
function pack(destination, stage) {
  mkdirSync(destination, { recursive: true });
  const directory = mkdtempSync(path.join(tmpdir(), "socket-io-turbo-"));
  try {
    stage(directory);
    const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", destination];
    const stdio = ["ignore", "pipe", "inherit"];
    const output = execFileSync("npm", [...args, "--loglevel=error"], {
      cwd: directory,
      encoding: "utf8",
      stdio,
      shell: process.platform === "win32",
    });
    const [{ filename }] = Object.values(JSON.parse(output));
    return path.join(destination, filename);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** `npm run pack`, or `npm run pack -- --complete` to require every platform. */
if (require.main === module) {
  const isComplete = process.argv.includes("--complete");
  for (const file of packAll(path.join(root, "dist"), { isComplete })) console.log(file);
}

module.exports = { packMain, packPlatform };
