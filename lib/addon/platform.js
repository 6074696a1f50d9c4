"use strict";

/** Which platform this is, and which of our packages has its addon. */

const { createRequire } = require("node:module");
const { MUSL, familySync } = require("detect-libc");
const { loadError, packageOf, unsupportedError } = require("./load-failure.js");
const { ownFile } = require("./location.js");

/**
 * @returns {string} this platform by Node's names, with the C library or ABI where several are
 *   in use: `linux-x64-musl`, `darwin-arm64`
 */
function currentPlatform() {
  const name = `${process.platform}-${process.arch}`;
  if (process.platform === "linux") return `${name}-${familySync() === MUSL ? "musl" : "gnu"}`;
  return process.platform === "win32" ? `${name}-msvc` : name;
}

/**
 * @param {string} platform
 * @returns {string} the name of the addon's file
 */
function fileOf(platform) {
  return `socket-io-turbo.${platform}.node`;
}

/**
 * Loads the addon of a platform from its package. Names are literals for the sake of bundlers and
 * file tracers, which find them so, and stand in a `try`, by which those know that some are missing.
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
    // Rollup leaves `require` as it is where it makes an ES module, which has none.
    if (error instanceof ReferenceError) return requireOutside(platform);
    throw loadError(platform, error);
  }
  throw unsupportedError(platform);
}

/** Requires the package from where the bundle is. */
function requireOutside(platform) {
  try {
    return createRequire(ownFile)(packageOf(platform));
  } catch (error) {
    throw loadError(platform, error);
  }
}

module.exports = { currentPlatform, fileOf, requirePackage };
