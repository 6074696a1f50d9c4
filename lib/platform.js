"use strict";

/** Which platform this is, and which of our packages has its addon. */

const { MUSL, familySync } = require("detect-libc");
const { loadError, unsupportedError } = require("./load-failure.js");

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
    throw loadError(platform, error);
  }
  throw unsupportedError(platform);
}

module.exports = { currentPlatform, fileOf, requirePackage };
