"use strict";

/** An application in a folder of its own, with dependencies that a package manager has installed. */

const { cpSync, mkdirSync, symlinkSync, writeFileSync } = require("node:fs");
const path = require("node:path");
const { run } = require("./command.js");

const root = path.join(__dirname, "../..");
const tools = path.join(__dirname, "node_modules");

/** The application's dependencies beside socket.io-turbo, in the versions that we test with. */
const DEPENDENCIES = {
  "@socket.io/sticky": tools,
  "@types/node": path.join(root, "node_modules"),
  "socket.io": path.join(root, "node_modules"),
  "socket.io-client": path.join(root, "node_modules"),
  ws: path.join(root, "node_modules"),
};

/**
 * @typedef {object} Manager a package manager, in which lifecycle scripts are switched off
 * @property {string} name
 * @property {string} program a file of JavaScript
 * @property {string[]} args
 * @property {Record<string, string>} [files] settings, by the name of the file
 * @property {string[]} [node] what runs a file of the application, if it is not Node.js itself
 */

/**
 * @param {string} registry its URL
 * @returns {Record<string, Manager>}
 */
function managers(registry) {
  const yarn = path.join(tools, "@yarnpkg/cli-dist/bin/yarn.js");
  const npmrc = { ".npmrc": `registry=${registry}\nignore-scripts=true\n` };
  return {
    npm: {
      name: "npm 11",
      program: path.join(tools, "npm/bin/npm-cli.js"),
      args: ["install", "--no-audit"],
      files: npmrc,
    },
    pnpm: {
      name: "pnpm 10",
      program: path.join(tools, "pnpm/bin/pnpm.cjs"),
      args: ["install"],
      files: npmrc,
    },
    yarn1: {
      name: "Yarn 1",
      program: path.join(tools, "yarn/bin/yarn.js"),
      args: ["install", "--ignore-scripts", "--non-interactive"],
      files: { ".yarnrc": `registry "${registry}"\n` },
    },
    yarn4: {
      name: "Yarn 4 with Plug'n'Play",
      program: yarn,
      args: ["install"],
      files: {
        ".yarnrc.yml": [
          `npmRegistryServer: "${registry}"`,
          'unsafeHttpWhitelist: ["127.0.0.1"]',
          "enableScripts: false",
          "enableTelemetry: false",
          "nodeLinker: pnp",
          "pnpEnableEsmLoader: true",
          "npmMinimalAgeGate: 0",
          "",
        ].join("\n"),
      },
      node: [yarn, "node"],
    },
  };
}

/** An application and the package manager that installs it. */
class Installation {
  /**
   * @param {string} directory becomes the application
   * @param {Manager} manager
   */
  constructor(directory, manager) {
    this.directory = directory;
    this.manager = manager;
    const bin = path.join(directory, "bin");
    const home = path.join(directory, "home");
    cpSync(path.join(__dirname, "app"), directory, { recursive: true });
    for (const folder of [bin, home]) mkdirSync(folder);
    symlinkSync(process.execPath, path.join(bin, "node"));
    for (const [file, text] of Object.entries(manager.files)) this.write(file, text);
    this.write("package.json", JSON.stringify({ private: true, dependencies: dependencies() }));
    /** Nothing but Node.js is in PATH: no compiler, no cargo. */
    this.env = { PATH: bin, HOME: home, XDG_CACHE_HOME: home, XDG_DATA_HOME: home, CI: "false" };
  }

  write(file, text) {
    writeFileSync(path.join(this.directory, file), text);
  }

  async install() {
    await this.#run([this.manager.program, ...this.manager.args]);
  }

  /**
   * Runs a file of the application.
   *
   * @param {string} file
   * @param {{ executable?: string, args?: string[], env?: object }} [options] `executable`: a
   *   Node.js other than this one
   * @returns {Promise<object[]>} what it has printed, lines of JSON
   */
  async start(file, { executable, args = [], env = {} } = {}) {
    const output = await this.#run([...(this.manager.node ?? []), file, ...args], executable, env);
    return output.trim().split("\n").map(JSON.parse);
  }

  #run(args, executable = process.execPath, env = {}) {
    return run(executable, args, { cwd: this.directory, env: { ...this.env, ...env } });
  }
}

function dependencies() {
  const versions = { "socket.io-turbo": require(path.join(root, "package.json")).version };
  for (const [name, folder] of Object.entries(DEPENDENCIES)) {
    versions[name] = require(path.join(folder, name, "package.json")).version;
  }
  return versions;
}

module.exports = { Installation, managers };
