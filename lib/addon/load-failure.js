"use strict";

/** Why the addon could not be loaded, in one message: what is missing, and how to mend it. */

const { existsSync } = require("node:fs");
const { createRequire } = require("node:module");
const { versionSync } = require("detect-libc");
const { NativeLoadError } = require("../errors.js");
const { isBundled, ownFile } = require("./location.js");
const { version } = require("../../package.json");

/** The platforms that there are packages for: one folder in `npm/` each. */
const PLATFORMS = [
  "darwin-arm64",
  "darwin-x64",
  "linux-arm64-gnu",
  "linux-arm64-musl",
  "linux-x64-gnu",
  "linux-x64-musl",
  "win32-x64-msvc",
];

const NAME_IT = "name it in the environment variable NAPI_RS_NATIVE_LIBRARY_PATH";

const REINSTALL = "Remove node_modules and install again";

/**
 * What the dynamic linkers of the platforms say of a file that is no addon of theirs. Windows
 * translates it, all but "Win32"; Wine says "Bad EXE format".
 */
const DAMAGED =
  /invalid ELF|file too short|wrong ELF class|Exec format|cannot read file data|truncated|[Mm]ach-[Oo]|Bad EXE format|\bWin32\b/;

/** What they say where the C library is not that which the addon was linked with. */
const OTHER_LIBC = /ld-linux|libc\.musl|ld-musl|symbol not found|libc\.so(\.6)?: (cannot|invalid)/i;

/**
 * @param {string} platform
 * @returns {string} the name of its package
 */
function packageOf(platform) {
  return `socket.io-turbo-${platform}`;
}

/**
 * @param {string} platform for which there is no package
 * @returns {NativeLoadError}
 */
function unsupportedError(platform) {
  return new NativeLoadError(
    `there is no prebuilt addon for ${platform}, only for ${PLATFORMS.join(", ")}. ` +
      "CONTRIBUTING.md in the repository says how to build it",
  );
}

/**
 * @param {string} platform of which the addon was to be loaded
 * @param {Error & { code?: string }} error what `require()` or `process.dlopen()` threw
 * @returns {NativeLoadError} with that as its `cause`
 */
function loadError(platform, error) {
  return new NativeLoadError(explanation(platform, error), { cause: error });
}

/**
 * @param {string} platform of which the addon was to be loaded
 * @returns {NativeLoadError} for a bundle that has neither the addon nor the name of its file
 */
function replacedError(platform) {
  return new NativeLoadError(
    `a bundler has put something else in the place of ${packageOf(platform)}. Have it copy .node ` +
      'files, as esbuild does with --loader:.node=copy, or leave "socket.io-turbo-*" outside of the bundle',
  );
}

/**
 * @param {string} platform of which the addon was to be loaded
 * @param {string} file that the bundler names in its place, which does not exist
 * @returns {NativeLoadError}
 */
function missingFileError(platform, file) {
  return new NativeLoadError(
    `${file}, which the bundler names in the place of ${packageOf(platform)}, does not exist. ` +
      `Copy the file along with the bundle, or ${NAME_IT}`,
  );
}

/**
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
      `does not replace it: ${fileReason}`,
    { cause: fileError },
  );
}

/**
 * @param {string} what was loaded, in words
 * @param {string} found its version
 * @param {string} expected that of this package
 * @returns {NativeLoadError}
 */
function versionError(what, found, expected) {
  return new NativeLoadError(
    `${what} is of version ${found}, socket.io-turbo of ${expected}; the two have to be the same. ` +
      `${REINSTALL}; in a clone of the repository, run "npm run build"`,
  );
}

function explanation(platform, error) {
  switch (error.code) {
    case "MODULE_NOT_FOUND":
      return isInstalled(packageOf(platform)) ? withoutFile(platform) : notInstalled(platform);
    case "ERR_DLOPEN_DISABLED":
      return `${error.message.replace(/\.$/, "")}. Start Node.js without --no-addons, or with --allow-addons where permissions are on`;
    case "ERR_UNKNOWN_BUILTIN_MODULE":
      return (
        "in a single executable, require() loads no addons. Bundle the name of the addon's file, as " +
        "esbuild does with --loader:.node=file, and put the file beside the executable, or " +
        NAME_IT
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
      `${wanted}, only that for ${others.join(", ")}: node_modules was made on or for another ` +
      "platform. Run the install on this one instead of copying node_modules"
    );
  }
  if (isBundled) {
    return (
      `${wanted} where the bundle is, nor is its addon in the bundle. Install it there, have the ` +
      `bundler copy .node files, or copy the file yourself and ${NAME_IT}`
    );
  }
  return (
    `${wanted}. Looked for version ${version} of it in ${foldersOf(packageOf(platform))}. ` +
    `"npm view ${packageOf(platform)}@${version}" says whether your registry has it. If not, have it ` +
    "mirrored, or install from one that has. If so, the install left it out: because of " +
    "--omit=optional or --no-optional, or of a lock file that was made on another platform without it. " +
    "Remove node_modules and such a lock file, and install again without these options"
  );
}

/** @returns {string} the folders in which a package is looked for; those that exist, if some do */
function foldersOf(name) {
  const folders = createRequire(__filename).resolve.paths(name) ?? [];
  const found = folders.filter((folder) => existsSync(folder));
  return (found.length > 0 ? found : folders).join(", ");
}

function withoutFile(platform) {
  return `${packageOf(platform)} is installed, but its file is not there. ${REINSTALL}`;
}

function linkFailure(platform, message) {
  const glibc = /`?(GLIBC_[\d.]+)'? not found/.exec(message);
  if (glibc !== null) {
    return `${packageOf(platform)} needs ${glibc[1].replace("_", " ")}, and this system has ${versionSync()}. Use a newer system: ${message}`;
  }
  if (OTHER_LIBC.test(message)) {
    return `${packageOf(platform)} is for another C library (glibc or musl) than that of this system. ${REINSTALL} on this system: ${message}`;
  }
  if (DAMAGED.test(message)) {
    return `the file of ${packageOf(platform)} is damaged or for another platform. ${REINSTALL}: ${message}`;
  }
  return `${packageOf(platform)} does not load: ${message}`;
}

/** On Windows, the message has a second line: the path, which may stand in the first, too. */
function inOneLine(message) {
  const [first, ...rest] = message.trim().split(/\s*[\r\n]\s*/);
  return [first, ...rest.filter((line) => !first.includes(line))].join(" ");
}

/** Not by our own `require`, with which bundlers would want to know the names. */
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
