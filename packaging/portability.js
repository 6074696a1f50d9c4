"use strict";

/** Reads which glibc and which shared libraries an addon for Linux needs. */

const { execFileSync } = require("node:child_process");

/** The glibc of RHEL 7, as for Node.js 18 and Rust. RHEL 8, Debian 11 and Ubuntu 20.04 have later ones. */
const OLDEST_GLIBC = "2.17";

/** Bytes of output about one file. The output about Node.js has about 20 MiB. */
const MAX_OUTPUT = 256 * 1024 * 1024;

/** Libraries that every Linux has. musl has different names in Alpine and in Zig. */
const LIBRARIES = {
  glibc: /^(libc\.so\.6|libm\.so\.6|libdl\.so\.2|libpthread\.so\.0|librt\.so\.1|ld-linux-.*)$/,
  musl: /^(libc\.so|libc\.musl-.*|libgcc_s\.so\.1)$/,
};

/**
 * @param {string} file an addon for Linux
 * @returns {{ glibc: string | null, libraries: string[] }} the oldest glibc that has all symbols
 *   that it needs, and the shared libraries that it is linked with
 * @throws {Error} if `readelf`, of GNU binutils or LLVM, is missing or does not recognise the file
 */
function requirements(file) {
  const args = ["--wide", "--dynamic", "--version-info", file];
  const env = { ...process.env, LC_ALL: "C" };
  const text = execFileSync("readelf", args, { encoding: "utf8", env, maxBuffer: MAX_OUTPUT });
  const versions = [...text.matchAll(/Name: GLIBC_([\d.]+)/g)].map(([, version]) => version);
  const libraries = [...text.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, library]) => library);
  return { glibc: versions.sort(compareVersions).at(-1) ?? null, libraries };
}

function compareVersions(a, b) {
  return a.localeCompare(b, "en", { numeric: true });
}

/**
 * @param {string} file an addon for Linux
 * @param {"glibc" | "musl"} libc the C library that it is for
 * @returns {string[]} the reasons why it would not run on every supported system; empty if it would
 */
function obstacles(file, libc) {
  const { glibc, libraries } = requirements(file);
  const found = libraries
    .filter((library) => !LIBRARIES[libc].test(library))
    .map((library) => `it needs ${library}`);
  if (glibc !== null && libc === "musl") found.push("it needs glibc");
  else if (glibc !== null && compareVersions(glibc, OLDEST_GLIBC) > 0) {
    found.push(`it needs glibc ${glibc}, and must run with ${OLDEST_GLIBC}`);
  }
  return found;
}

/** `node packaging/portability.js socket-io-turbo.linux-x64-gnu.node` fails if there is an obstacle. */
if (require.main === module) {
  const [file] = process.argv.slice(2);
  const found = obstacles(file, file.includes("musl") ? "musl" : "glibc");
  for (const obstacle of found) console.error(`${file}: ${obstacle}`);
  process.exitCode = found.length > 0 ? 1 : 0;
}

module.exports = { OLDEST_GLIBC, obstacles, requirements };
