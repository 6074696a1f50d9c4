"use strict";

/**
 * macOS: compiled and linked, and not run. Apple's frameworks are stand-ins without symbols, so that
 * the library says only that everything compiles, and that nothing else is missing.
 */

const { mkdirSync, writeFileSync } = require("node:fs");
const path = require("node:path");
const { folder } = require("./machine.js");
const { build } = require("./rust.js");

const FRAMEWORKS = ["CoreFoundation", "Security"];

/** @returns {string} a folder with the frameworks as text stubs for linkers */
function standInFrameworks() {
  const directory = path.join(folder, "frameworks");
  for (const name of FRAMEWORKS) {
    const framework = path.join(directory, `${name}.framework`);
    mkdirSync(framework, { recursive: true });
    const lines = [
      "--- !tapi-tbd",
      "tbd-version: 4",
      "targets: [ arm64-macos, x86_64-macos ]",
      `install-name: '/System/Library/Frameworks/${name}.framework/Versions/A/${name}'`,
      "current-version: 1",
      "exports: []",
      "...",
    ];
    writeFileSync(path.join(framework, `${name}.tbd`), `${lines.join("\n")}\n`);
  }
  return directory;
}

/** @returns {import("./platform-test.js").Platform} */
function platform(target) {
  return {
    target,
    build() {
      const flags = ["-C", `link-arg=-F${standInFrameworks()}`, "-C", "strip=none"];
      return build(target, "libsocket_io_turbo.dylib", {
        flags,
        env: { MACOSX_DEPLOYMENT_TARGET: "11.0" },
      });
    },
  };
}

module.exports = {
  "darwin-arm64": platform("aarch64-apple-darwin"),
  "darwin-x64": platform("x86_64-apple-darwin"),
};
