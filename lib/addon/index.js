"use strict";

/** Loads the addon, once. No other file of the package does. */

const { existsSync } = require("node:fs");
const path = require("node:path");
const { InvalidOptionError, NativeLoadError, warn } = require("../errors.js");
const {
  loadError,
  missingFileError,
  namedFileError,
  replacedError,
  versionError,
} = require("./load-failure.js");
const { isBundled, ownFile } = require("./location.js");
const { currentPlatform, fileOf, requirePackage } = require("./platform.js");
const { version } = require("../../package.json");

const directory = path.dirname(ownFile);

/**
 * Loads the addon as the environment variable TURBO_NATIVE says: with `0` not at all, so that
 * everything runs on the official JavaScript packages; with `require` without falling back to them.
 *
 * @returns {{ binding: object | null, error: NativeLoadError | null }} exactly one is null
 * @throws {InvalidOptionError} if TURBO_NATIVE has another value
 * @throws {NativeLoadError} if the addon is required and cannot be loaded
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
    const consequence = "the official packages are used and nothing is accelerated";
    warn("TURBO_NOT_NATIVE", `${consequence}, because ${error.message}`);
    return { binding: null, error };
  }
}

/**
 * Returns the addon: from a clone of the repository what `npm run build` made there, else the package of
 * the platform, else the file that NAPI_RS_NATIVE_LIBRARY_PATH names. That variable comes last because
 * all addons of napi-rs share it: it may name the addon of another package.
 *
 * @throws {NativeLoadError}
 */
function loadAddon() {
  const platform = currentPlatform();
  // Above a bundle, too, so that one in a folder of the clone finds it.
  const built = path.join(directory, isBundled ? ".." : "../..", fileOf(platform));
  if (existsSync(built)) return checked(platform, loadFile(platform, built));
  const named = process.env.NAPI_RS_NATIVE_LIBRARY_PATH;
  try {
    return checked(platform, loadPackage(platform));
  } catch (error) {
    if (!named) throw error;
    return loadNamed(platform, path.resolve(named), error);
  }
}

/**
 * Returns `binding`, which has to be the addon in the version of this package.
 *
 * @throws {NativeLoadError} if it is not
 */
function checked(platform, binding) {
  if (typeof binding?.version !== "function") throw replacedError(platform);
  const found = binding.version();
  if (found !== version) throw versionError(`the addon for ${platform}`, found, version);
  return binding;
}

/**
 * Loads the package of a platform. In a bundle, `require()` returns what the bundler has replaced the
 * addon with; with esbuild's loader `file` and webpack's assets that is the name of a copy, relative to
 * the bundle.
 */
function loadPackage(platform) {
  const found = requirePackage(platform);
  const name = found?.default ?? found;
  if (typeof name !== "string" || !name.endsWith(".node")) return found;
  const file = path.resolve(directory, name);
  if (!existsSync(file)) throw missingFileError(platform, file);
  return loadFile(platform, file);
}

/**
 * Loads a file in place of the package.
 *
 * @throws {NativeLoadError} with both reasons, if it cannot be loaded either
 */
function loadNamed(platform, file, packageError) {
  try {
    return checked(platform, loadFile(platform, file));
  } catch (error) {
    throw namedFileError(packageError, file, error);
  }
}

/** Loads a file as `require()` does. Bundlers reject a `require()` of a file that they do not know. */
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
  /** True if connections can live on workers: the addon has no engine on Windows. */
  hasEngine: binding?.Workers !== undefined,
  /** True if the addon can connect to Redis: if it has an engine and was built with the feature. */
  hasCluster: binding?.RedisLink !== undefined,
};
