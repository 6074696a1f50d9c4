"use strict";

const { existsSync } = require("node:fs");
const { installPackages, run } = require("./machine.js");

/**
 * Has the kernel start programs for arm64 by QEMU, which the tests' own processes need, too.
 * It is told so once after each start of the machine.
 */
function enableArm64() {
  installPackages(["qemu-user-static", "binfmt-support"]);
  if (existsSync("/proc/sys/fs/binfmt_misc/qemu-aarch64")) return;
  run("update-binfmts", ["--enable", "qemu-aarch64"]);
}

module.exports = { enableArm64 };
