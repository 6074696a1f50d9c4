"use strict";

/** A registry of npm packages for the time of the tests. */

const { execFileSync, fork } = require("node:child_process");
const { once } = require("node:events");
const { writeFileSync } = require("node:fs");
const path = require("node:path");
const { run } = require("./command.js");

/** The npm configuration of this machine. */
function npmSetting(key) {
  const value = execFileSync("npm", ["config", "get", key], { encoding: "utf8" }).trim();
  return value === "null" || value === "undefined" ? "" : value;
}

/**
 * Starts a registry.
 *
 * @param {string} directory an empty folder of its own
 * @returns {Promise<{ url: string, publish: (tarball: string) => Promise<void>, stop: () => Promise<void> }>}
 */
async function startRegistry(directory) {
  const file = path.join(__dirname, "registry-process.js");
  const args = [directory, npmSetting("registry"), npmSetting("cafile")];
  const child = fork(file, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const [port] = await once(child, "message");
  const host = `127.0.0.1:${port}`;
  const userConfig = path.join(directory, "npmrc");
  // Anybody may publish, but npm wants to be somebody.
  writeFileSync(userConfig, `registry=http://${host}/\n//${host}/:_authToken=anybody\n`);
  return {
    url: `http://${host}/`,
    async publish(tarball) {
      const npm = path.join(__dirname, "node_modules/npm/bin/npm-cli.js");
      const args = [npm, "publish", tarball, "--ignore-scripts", "--access", "public"];
      await run(process.execPath, args, { env: { npm_config_userconfig: userConfig } });
    },
    async stop() {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}

module.exports = { startRegistry };
