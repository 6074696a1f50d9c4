"use strict";

const { existsSync } = require("node:fs");
const path = require("node:path");
const { InvalidOptionError, NativeLoadError } = require("../errors.js");
const {
  loadError,
  missingFileError,
  namedFileError,
  replacedError,
  versionError,
} = require("./load-failure.js");
const { ownFile } = require("./location.js");
const { currentPlatform, fileOf, requirePackage } = require("./platform.js");
const { version } = require("../../package.json");

const directory = path.dirname(ownFile);

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

/**
 * What `npm run build` has left in a clone of the repository comes first, which no package has; then the
 * package of the platform; and where there is neither, the file that NAPI_RS_NATIVE_LIBRARY_PATH names.
 * That is the convention of napi-rs, for all its addons alike, so that it may well be another's.
 */
function loadAddon() {
  const platform = currentPlatform();
  const built = path.join(directory, "../..", fileOf(platform));
  if (existsSync(built)) return checked(platform, loadFile(platform, built));
  const named = process.env.NAPI_RS_NATIVE_LIBRARY_PATH;
  try {
    return checked(platform, loadPackage(platform));
  } catch (error) {
    if (!named) throw error;
    return loadNamed(platform, path.resolve(named), error);
  }
}

/** @throws {NativeLoadError} unless it is the addon, in the version of this package */
function checked(platform, binding) {
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
  if (typeof name !== "string" || !name.endsWith(".node")) return found;
  const file = path.resolve(directory, name);
  if (!existsSync(file)) throw missingFileError(platform, file);
  return loadFile(platform, file);
}

/** @throws {NativeLoadError} that says why neither the package nor this file can be loaded */
function loadNamed(platform, file, packageError) {
  try {
    return checked(platform, loadFile(platform, file));
  } catch (error) {
    throw namedFileError(packageError, file, error);
  }
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
  hasEngine: binding?.Workers !== undefined,
  /** Whether it can reach Redis, which it can where it has an engine, unless it was built without. */
  hasCluster: binding?.RedisLink !== undefined,
};
