"use strict";

const { execFileSync } = require("node:child_process");
const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { cpus, release, totalmem } = require("node:os");
const path = require("node:path");
const { version } = require("../..");
// By their paths, for not all export it.
const {
  version: redisAdapter,
} = require("../../node_modules/@socket.io/redis-adapter/package.json");
const { version: engineIo } = require("../../node_modules/engine.io/package.json");
const { version: nodeRedis } = require("../../node_modules/redis/package.json");
const { version: socketIo } = require("../../node_modules/socket.io/package.json");
const { version: socketIoParser } = require("../../node_modules/socket.io-parser/package.json");
const { contenders } = require("../processes/contenders.js");
const { redisVersion } = require("../processes/redis-process.js");

/**
 * @returns {Record<string, string | number>} what is measured, and on what; the versions of Bun and
 *   of Redis are there where these are
 */
function machine() {
  return {
    version,
    node: process.version,
    v8: process.versions.v8,
    ...bun(),
    socketIo,
    engineIo,
    // The one that engine.io gets, which need not be ours.
    ws: createRequire(require.resolve("engine.io"))("ws/package.json").version,
    socketIoParser,
    socketioxide: socketioxide(),
    ...redis(),
    platform: `${process.platform}-${process.arch}`,
    kernel: release(),
    cpu: cpus()[0].model,
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  };
}

function bun() {
  const { executable, missing } = contenders.bun;
  if (missing() !== undefined) return {};
  return { bun: execFileSync(executable(), ["--version"], { encoding: "utf8" }).trim() };
}

/** @returns {string} the version that is built */
function socketioxide() {
  const lock = readFileSync(path.join(__dirname, "../socketioxide/Cargo.lock"), "utf8");
  return lock.match(/^name = "socketioxide"\nversion = "(.*)"$/m)[1];
}

function redis() {
  const version = redisVersion();
  return version === undefined ? {} : { redis: version, nodeRedis, redisAdapter };
}

module.exports = { machine };
