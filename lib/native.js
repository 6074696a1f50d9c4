"use strict";

const { existsSync } = require("node:fs");
const path = require("node:path");
const { InvalidOptionError, NativeLoadError } = require("./errors.js");
const { loadError, replacedError, versionError } = require("./load-failure.js");
const { currentPlatform, fileOf, requirePackage } = require("./platform.js");
const { version } = require("../package.json");

/**
 * Loads the addon, once, and says what came of it. The only file that does.
 *
 * TURBO_NATIVE=0 leaves the addon out; everything then runs on the official
 * JavaScript packages. With TURBO_NATIVE=require nothing falls back.
 *
 * @returns {{ binding: object | null, error: NativeLoadError | null }} exactly one is null
 * @throws {InvalidOptionError} if TURBO_NATIVE is something else
 * @throws {NativeLoadError} where the addon is required and cannot be loaded
 */
function load() {
  const setting = process.env.TURBO_NATIVE || undefined;
  switch (setting) {
    case "0":
      return { binding: null, error: new NativeLoadError("it is switched off by TURBO_NATIVE=0") };
    case "require":
      return { binding: loadAddon(), error: null };
    case undefined:
      return loadOrWarn();
    default:
      throw new InvalidOptionError(
        "the environment variable TURBO_NATIVE",
        '"0", "require" or unset',
        setting,
      );
  }
}

function loadOrWarn() {
  try {
    return { binding: loadAddon(), error: null };
  } catch (error) {
    process.emitWarning(`nothing is accelerated, for ${error.message}`, {
      type: "SocketIoTurboWarning",
      code: "TURBO_NOT_NATIVE",
    });
    return { binding: null, error };
  }
}

/** What `npm run build` has left in a clone of the repository comes first; no package has it. */
function loadAddon() {
  const platform = currentPlatform();
  const built = path.join(__dirname, "..", fileOf(platform));
  const binding = existsSync(built) ? loadFile(platform, built) : loadPackage(platform);
  if (typeof binding?.version !== "function") throw replacedError(platform);
  const found = binding.version();
  if (found !== version) throw versionError(`the addon for ${platform}`, found, version);
  return binding;
}

/**
 * In a bundle, `require()` gives what the bundler has made of the addon. With esbuild's loader `file`
 * and webpack's assets that is the name of a copy, relative to the bundle.
 */
function loadPackage(platform) {
  const found = requirePackage(platform);
  const name = found?.default ?? found;
  const isName = typeof name === "string" && name.endsWith(".node");
  return isName ? loadFile(platform, path.resolve(__dirname, name)) : found;
}

/** As `require()` does it, which bundlers would want to know the file for. */
function loadFile(platform, file) {
  const target = { exports: {} };
  try {
    process.dlopen(target, file);
  } catch (error) {
    throw loadError(platform, error);
  }
  return target.exports;
}

const { binding, error } = load();

module.exports = {
  binding,
  error,
  /** Whether connections can be taken over: the addon has no engine on Windows. */
  hasEngine: binding?.Engine !== undefined,
  /** Whether it can reach Redis, which it can where it has an engine, unless it was built without. */
  hasCluster: binding?.RedisLink !== undefined,
};
