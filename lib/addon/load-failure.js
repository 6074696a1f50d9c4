"use strict";

/** Explains why the addon could not be loaded, in one message: what is missing, and what to do. */

const { existsSync } = require("node:fs");
const { createRequire } = require("node:module");
const { versionSync } = require("detect-libc");
const { NativeLoadError } = require("../errors.js");
const { isBundled, ownFile } = require("./location.js");
const { version } = require("../../package.json");

/** The platforms with a package: one folder in `npm/` each. */
const PLATFORMS = [
  "darwin-arm64",
  "darwin-x64",
  "linux-arm64-gnu",
  "linux-arm64-musl",
  "linux-x64-gnu",
  "linux-x64-musl",
  "win32-x64-msvc",
];

const NAME_IT = "set the environment variable NAPI_RS_NATIVE_LIBRARY_PATH to its path";

const REINSTALL = "Remove node_modules and install again";

/**
 * Messages of the platforms' dynamic linkers for a file that they cannot load. Windows translates its
 * message except for "Win32"; "Bad EXE format" is Wine's.
 */
const DAMAGED =
  /invalid ELF|file too short|wrong ELF class|Exec format|cannot read file data|truncated|[Mm]ach-[Oo]|Bad EXE format|\bWin32\b/;

/** Their messages where the addon was linked with another C library. */
const OTHER_LIBC = /ld-linux|libc\.musl|ld-musl|symbol not found|libc\.so(\.6)?: (cannot|invalid)/i;

/** Returns the name of a platform's package. */
function packageOf(platform) {
  return `socket.io-turbo-${platform}`;
}

/** Returns the error for a platform without a package. */
function unsupportedError(platform) {
  return new NativeLoadError(
    `there is no prebuilt addon for ${platform}, only for ${PLATFORMS.join(", ")}. ` +
      "CONTRIBUTING.md in the repository explains how to build it",
  );
}

/**
 * Returns the error for an addon that could not be loaded.
 *
 * @param {string} platform
 * @param {Error & { code?: string }} error what `require()` or `process.dlopen()` threw; the `cause`
 * @returns {NativeLoadError}
 */
function loadError(platform, error) {
  return new NativeLoadError(explanation(platform, error), { cause: error });
}

/** Returns the error for a bundle that has neither the addon nor the name of its file. */
function replacedError(platform) {
  return new NativeLoadError(
    `a bundler has replaced ${packageOf(platform)} with something that is not the addon. Let it copy ` +
      ".node files, as esbuild does with --loader:.node=copy, or exclude the packages " +
      '"socket.io-turbo-*" from the bundle',
  );
}

/**
 * Returns the error for a bundle that has the name of the addon's file, but not the file.
 *
 * @param {string} platform
 * @param {string} file
 * @returns {NativeLoadError}
 */
function missingFileError(platform, file) {
  return new NativeLoadError(
    `${file}, by which the bundler has replaced ${packageOf(platform)}, does not exist. ` +
      `Copy the file along with the bundle, or ${NAME_IT}`,
  );
}

/**
 * Returns the error where neither the package nor the file that is named can be loaded.
 *
 * @param {NativeLoadError} packageError why the addon could not be loaded from its package
 * @param {string} file that NAPI_RS_NATIVE_LIBRARY_PATH names
 * @param {NativeLoadError} fileError why it could not be loaded from there
 * @returns {NativeLoadError}
 */
function namedFileError(packageError, file, fileError) {
  const reasonOf = ({ message }) => message.slice(message.indexOf(": ") + 2);
  const { cause } = fileError;
  const fileReason = cause === undefined ? reasonOf(fileError) : inOneLine(cause.message);
  return new NativeLoadError(
    `${reasonOf(packageError)}. ${file}, which NAPI_RS_NATIVE_LIBRARY_PATH names, ` +
      `cannot be loaded either: ${fileReason}`,
    { cause: fileError },
  );
}

/**
 * Returns the error for an addon of another version.
 *
 * @param {string} what was loaded, in words
 * @param {string} found its version
 * @param {string} expected the version of this package
 * @returns {NativeLoadError}
 */
function versionError(what, found, expected) {
  return new NativeLoadError(
    `${what} has version ${found}, but socket.io-turbo has version ${expected}; both must be the same. ` +
      `${REINSTALL}; in a clone of the repository, run "npm run build"`,
  );
}

function explanation(platform, error) {
  switch (error.code) {
    case "MODULE_NOT_FOUND":
      return isInstalled(packageOf(platform)) ? withoutFile(platform) : notInstalled(platform);
    case "ERR_DLOPEN_DISABLED":
      return `${error.message.replace(/\.$/, "")}. Start Node.js without --no-addons, or with --allow-addons if it uses the permission model`;
    case "ERR_UNKNOWN_BUILTIN_MODULE":
      return (
        "in a single executable application, require() cannot load addons. Let the bundler insert the " +
        "name of the addon's file, as esbuild does with --loader:.node=file, and put the file beside " +
        `the executable, or ${NAME_IT}`
      );
    default:
      return linkFailure(platform, inOneLine(error.message));
  }
}

function notInstalled(platform) {
  const others = PLATFORMS.filter((other) => isInstalled(packageOf(other)));
  const wanted = `the optional dependency ${packageOf(platform)} is not installed`;
  if (others.length > 0) {
    return (
      `${wanted}, only the one for ${others.join(", ")}: node_modules was installed on or for another ` +
      "platform. Install the packages on this platform instead of copying node_modules"
    );
  }
  if (isBundled) {
    return (
      `${wanted} where the bundle is, and the bundle does not contain the addon. Install it there, let ` +
      `the bundler copy .node files, or copy the file yourself and ${NAME_IT}`
    );
  }
  return (
    `${wanted}. Looked for version ${version} of it in ${foldersOf(packageOf(platform))}. ` +
    `"npm view ${packageOf(platform)}@${version}" tells whether your registry has it. If not, mirror it ` +
    "there, or install from a registry that has it. If so, the install skipped it, because of " +
    "--omit=optional, --no-optional or a lock file that was written on another platform without it. " +
    "Remove node_modules and such a lock file, and install again without these options"
  );
}

/** Returns the folders where Node.js looks for a package: the existing ones, if any exists. */
function foldersOf(name) {
  const folders = createRequire(__filename).resolve.paths(name) ?? [];
  const found = folders.filter((folder) => existsSync(folder));
  return (found.length > 0 ? found : folders).join(", ");
}

function withoutFile(platform) {
  return `${packageOf(platform)} is installed, but its addon file is missing. ${REINSTALL}`;
}

function linkFailure(platform, message) {
  const glibc = /`?(GLIBC_[\d.]+)'? not found/.exec(message);
  if (glibc !== null) {
    return `${packageOf(platform)} needs ${glibc[1].replace("_", " ")}, but this system has ${versionSync()}. Use a newer system: ${message}`;
  }
  if (OTHER_LIBC.test(message)) {
    return `${packageOf(platform)} was built for another C library (glibc or musl) than this system has. ${REINSTALL} on this system: ${message}`;
  }
  if (DAMAGED.test(message)) {
    return `the addon file of ${packageOf(platform)} is damaged or was built for another platform. ${REINSTALL}: ${message}`;
  }
  return `${packageOf(platform)} could not be loaded: ${message}`;
}

/** Joins the lines of a message. On Windows, the second is the path, which the first may contain, too. */
function inOneLine(message) {
  const [first, ...rest] = message.trim().split(/\s*[\r\n]\s*/);
  return [first, ...rest.filter((line) => !first.includes(line))].join(" ");
}

/** Returns whether a package is there. Bundlers reject a `require()` of names that they do not know. */
function isInstalled(name) {
  try {
    createRequire(ownFile).resolve(`${name}/package.json`);
    return true;
  } catch {
    return false;
  }
}

module.exports = {
  loadError,
  missingFileError,
  namedFileError,
  packageOf,
  replacedError,
  unsupportedError,
  versionError,
};
