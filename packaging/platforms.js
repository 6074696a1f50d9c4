"use strict";

/** The platforms that have a package: the folders in `npm/`. */

const { readdirSync } = require("node:fs");
const path = require("node:path");

const root = path.join(__dirname, "..");
const folder = path.join(root, "npm");

/** The folder of the addons to pack: those of `npm run build`, or others that were built before. */
const addons = path.resolve(root, process.env.TURBO_ADDONS || ".");

/**
 * @typedef {object} Platform
 * @property {string} name such as `linux-x64-gnu`
 * @property {string} directory of its package
 * @property {Record<string, unknown>} manifest its package.json
 * @property {string} addon the absolute path of its addon, which may not exist
 */

/** @type {Platform[]} */
const platforms = readdirSync(folder)
  .sort()
  .map((name) => {
    const directory = path.join(folder, name);
    const manifest = require(path.join(directory, "package.json"));
    return { name, directory, manifest, addon: path.join(addons, manifest.main) };
  });

module.exports = { platforms, root };
