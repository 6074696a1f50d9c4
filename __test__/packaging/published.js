"use strict";

/** The packed packages, published to a registry of their own, and applications that install them. */

const { mkdirSync, writeFileSync } = require("node:fs");
const path = require("node:path");
const { currentPlatform } = require("../../lib/addon/platform.js");
const { platforms } = require("../../packaging/platforms.js");
const { packMain, packPlatform } = require("../../packaging/tarballs.js");

/**
 * Packs and publishes all packages. Those of other platforms have a stand-in for the addon, which must
 * never be installed.
 *
 * @param {string} directory an empty folder
 * @returns {Promise<{ install: (manager: string) => Promise<import("./installation.js").Installation>,
 *   stop: () => Promise<void> }>} `install` makes an application in the folder that is named as the
 *   package manager, one of `managers()`
 */
async function publishPackages(directory) {
  const { startRegistry } = require("./registry.js");
  const { Installation, managers } = require("./installation.js");
  const storage = path.join(directory, "registry");
  mkdirSync(storage);
  const registry = await startRegistry(storage);
  const standIn = path.join(directory, "stand-in.node");
  writeFileSync(standIn, "not an addon");
  const tarballs = platforms.map((platform) => {
    const addon = platform.name === currentPlatform() ? platform.addon : standIn;
    return packPlatform(directory, { ...platform, addon });
  });
  await Promise.all([...tarballs, packMain(directory)].map(registry.publish));
  return {
    async install(manager) {
      const app = new Installation(path.join(directory, manager), managers(registry.url)[manager]);
      await app.install();
      return app;
    },
    stop: registry.stop,
  };
}

module.exports = { publishPackages };
