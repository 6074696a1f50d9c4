"use strict";

/** The platform, and the package with its addon. */

const { createRequire } = require("node:module");
const { MUSL, familySync } = require("detect-libc");
const { loadError, packageOf, unsupportedError } = require("./load-failure.js");
const { ownFile } = require("./location.js");

/**
 * Returns the name of this platform, such as `linux-x64-musl` or `darwin-arm64`: Node's names, with the
 * C library or ABI where there are several.
 */
function currentPlatform() {
  const name = `${process.platform}-${process.arch}`;
  if (process.platform === "linux") return `${name}-${familySync() === MUSL ? "musl" : "gnu"}`;
  return process.platform === "win32" ? `${name}-msvc` : name;
}

/** Returns the name of a platform's addon file. */
function fileOf(platform) {
  return `socket-io-turbo.${platform}.node`;
}

/**
 * Loads the addon of a platform from its package. The names are literals, so that bundlers and file
 * tracers find them, and stand in a `try`, by which these know that some may be missing.
 *
 * @param {string} platform
 * @returns {object}
 * @throws {NativeLoadError}
 */
function requirePackage(platform) {
  try {
    switch (platform) {
      case "darwin-arm64":
        return require("socket.io-turbo-darwin-arm64");
      case "darwin-x64":
        return require("socket.io-turbo-darwin-x64");
      case "linux-arm64-gnu":
        return require("socket.io-turbo-linux-arm64-gnu");
      case "linux-arm64-musl":
        return require("socket.io-turbo-linux-arm64-musl");
      case "linux-x64-gnu":
        return require("socket.io-turbo-linux-x64-gnu");
      case "linux-x64-musl":
        return require("socket.io-turbo-linux-x64-musl");
      case "win32-x64-msvc":
        return require("socket.io-turbo-win32-x64-msvc");
    }
  } catch (error) {
    // Rollup leaves `require` in the ES modules that it writes, where it is not defined.
    if (error instanceof ReferenceError) return requireOutside(platform);
    throw loadError(platform, error);
  }
  throw unsupportedError(platform);
}

/** Loads the package from the folder of the bundle. */
function requireOutside(platform) {
  try {
    return createRequire(ownFile)(packageOf(platform));
  } catch (error) {
    throw loadError(platform, error);
  }
}

module.exports = { currentPlatform, fileOf, requirePackage };
