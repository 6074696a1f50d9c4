"use strict";

/**
 * The addon for other platforms: Debian's Rust compiles the standard library along with it, from
 * Debian's sources, and Zig compiles the C in ring, and links. Warnings are errors.
 */

const path = require("node:path");
const { folder, installPackages, pythonTools, root, run } = require("./machine.js");

const PACKAGES = ["rustc-web", "cargo-web", "rust-web-src"];

/** Debug builds, fast enough for the tests: a release build takes several times as long. */
const PROFILE = { CARGO_PROFILE_DEV_OPT_LEVEL: "1", CARGO_PROFILE_DEV_DEBUG: "0" };

/**
 * Runs cargo for targets, at once for all: much of one has to wait for its standard library.
 *
 * @param {string[]} targets of Rust; with Zig, the oldest glibc may follow: `…-gnu.2.17`
 * @param {string} command of cargo
 * @param {{ cargo?: string, args?: string[], flags?: string[], env?: Record<string, string> }} [options] `cargo`
 *   is cargo-zigbuild, unless the target has a linker of its own; `args` are its own, `flags` those of rustc
 */
function cargo(
  targets,
  command,
  { cargo = "cargo-zigbuild", args = [], flags = [], env = {} } = {},
) {
  installPackages(PACKAGES);
  // As napi-rs builds it: a shared library cannot have musl inside. Others have no libc inside anyway.
  const hasMusl = targets.some((target) => target.endsWith("-musl"));
  const ofLibc = hasMusl ? ["-Ctarget-feature=-crt-static"] : [];
  const options = ["--quiet", "--lib", "--locked", "-Zbuild-std=std,panic_abort", ...args];
  run(cargo, [command, ...options, ...targets.flatMap((target) => ["--target", target])], {
    env: {
      // Debian's Rust comes before rustup's.
      PATH: `${pythonTools()}:/usr/bin:${process.env.PATH}`,
      // The stable compiler allows -Zbuild-std with it.
      RUSTC_BOOTSTRAP: "1",
      RUSTFLAGS: ["-Dwarnings", ...ofLibc, ...flags].join(" "),
      CARGO_TARGET_DIR: folder,
      ...PROFILE,
      ...env,
    },
  });
}

/** Compiles the crate for targets, without linking it. The standard library is as small as it can be. */
function check(targets) {
  cargo(targets, "check", {
    args: ["-Zbuild-std-features="],
    env: { CARGO_PROFILE_DEV_OPT_LEVEL: "0" },
  });
}

/**
 * Builds the shared library.
 *
 * @param {string} target as for `cargo()`
 * @param {string} file that cargo calls it
 * @param {Parameters<typeof cargo>[2]} [options]
 * @returns {string} the library
 */
function build(target, file, options) {
  cargo([target], "build", options);
  return path.join(folder, target.replace(/\.\d[\d.]*$/, ""), "debug", file);
}

/** @returns {string[]} the targets that there are packages for */
function publishedTargets() {
  return require(path.join(root, "package.json")).napi.targets;
}

module.exports = { build, cargo, check, publishedTargets };
