"use strict";

/**
 * Makes the folders to pack from the repository. The package.json of the repository is for
 * development: it has scripts and development dependencies. It cannot name the packages of the
 * platforms, because `npm ci` of a new version would look for them before they are published.
 */

const { cpSync, existsSync, mkdirSync, writeFileSync } = require("node:fs");
const path = require("node:path");
const { platforms, root } = require("./platforms.js");

/** Files that npm packs even if they are not listed. */
const ALWAYS = ["README.md", "LICENSE"];

/** Fields of package.json that are only used in a clone of the repository. */
const OF_THE_REPOSITORY = ["scripts", "devDependencies", "overrides", "napi"];

/**
 * Writes the main package. Its optional dependencies are the packages of the platforms, in exactly
 * its own version.
 *
 * @param {string} directory the folder to write
 * @throws {Error} if the package of a platform has another version
 */
function stageMain(directory) {
  const manifest = { ...require(path.join(root, "package.json")) };
  for (const field of OF_THE_REPOSITORY) delete manifest[field];
  const optionalDependencies = {};
  for (const platform of platforms) {
    checkVersion(platform, manifest.version);
    optionalDependencies[platform.manifest.name] = manifest.version;
  }
  copy(root, [...manifest.files, ...ALWAYS], directory);
  // The repository has no type, because the pages of examples/ are ES modules.
  writeManifest(directory, { ...manifest, type: "commonjs", optionalDependencies });
}

/**
 * Writes the package of a platform, with its addon.
 *
 * @param {import("./platforms.js").Platform} platform
 * @param {string} directory the folder to write
 * @throws {Error} if the addon is not built
 */
function stagePlatform({ directory: source, manifest, addon }, directory) {
  if (!existsSync(addon)) throw new Error(`${addon} is missing: npm run build`);
  copy(source, ["README.md"], directory);
  copy(root, ["LICENSE", "THIRD-PARTY-LICENSES"], directory);
  cpSync(addon, path.join(directory, manifest.main));
  writeManifest(directory, manifest);
}

function checkVersion({ manifest: { name, version } }, expected) {
  if (version === expected) return;
  throw new Error(`${name} has version ${version}, the main package ${expected}`);
}

function copy(source, names, directory) {
  mkdirSync(directory, { recursive: true });
  for (const name of names) {
    cpSync(path.join(source, name), path.join(directory, name), { recursive: true });
  }
}

function writeManifest(directory, manifest) {
  const text = JSON.stringify({ ...manifest, ...repository() }, null, 2);
  writeFileSync(path.join(directory, "package.json"), `${text}\n`);
}

/** Returns the repository of the running workflow, which npm's provenance requires. */
function repository() {
  const { GITHUB_REPOSITORY: name, GITHUB_SERVER_URL: server } = process.env;
  if (!name || !server) return {};
  return { repository: { type: "git", url: `git+${server}/${name}.git` } };
}

module.exports = { stageMain, stagePlatform };
