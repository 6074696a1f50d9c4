"use strict";

/** The releases of Node.js that the tests run under. */

const { existsSync } = require("node:fs");
const path = require("node:path");

const MAJORS = [20, 22, 24, 26];

/** True under the Node.js of `npm test` itself, which runs the most tests. */
const isFirstNode = (process.env.npm_node_execpath ?? process.execPath) === process.execPath;

/** @returns {string | undefined} the executable of a major version: this one, or an installed one */
function nodeExecutable(major) {
  if (process.version.startsWith(`v${major}.`)) return process.execPath;
  const modules = path.join(__dirname, "../node-versions/node_modules");
  const executable = path.join(modules, `node-${major}/bin/node`);
  return existsSync(executable) ? executable : undefined;
}

/** @returns {{ major: number, executable: string }[]} the releases that are installed */
function nodeExecutables() {
  return MAJORS.map((major) => ({ major, executable: nodeExecutable(major) })).filter(
    ({ executable }) => executable !== undefined,
  );
}

module.exports = { MAJORS, isFirstNode, nodeExecutable, nodeExecutables };
