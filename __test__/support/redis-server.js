"use strict";

/** A Redis of a test's own, on a free port of 127.0.0.1; it keeps nothing on disk. */

const { spawn, spawnSync } = require("node:child_process");
const { once } = require("node:events");
const { mkdtempSync, rmSync } = require("node:fs");
const net = require("node:net");
const { tmpdir } = require("node:os");
const path = require("node:path");
const { createInterface } = require("node:readline");

/**
 * Why the tests that need Redis are left out, for the `skip` option of a test. Where `CI=true`
 * nothing is ever left out.
 *
 * @type {string | false}
 */
const skipWithoutRedis =
  process.env.CI !== "true" &&
  spawnSync("redis-server", ["--version"], { stdio: "ignore" }).status !== 0 &&
  "no redis-server";

/**
 * Starts one, which ends after the tests.
 *
 * @param {(end: () => Promise<void>) => void} after
 * @returns {Promise<string>} its URL
 */
async function startRedis(after) {
  const directory = mkdtempSync(path.join(tmpdir(), "socket-io-turbo-redis-"));
  const port = await freePort();
  const options = { bind: "127.0.0.1", port, save: "", appendonly: "no", dir: directory };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const redis = spawn("redis-server", args, { stdio: ["ignore", "pipe", "inherit"] });
  after(async () => {
    if (redis.exitCode === null) {
      redis.kill();
      await once(redis, "exit");
    }
    rmSync(directory, { recursive: true });
  });
  for await (const line of createInterface({ input: redis.stdout })) {
    if (line.includes("Ready to accept connections")) break;
  }
  redis.stdout.resume();
  return `redis://127.0.0.1:${port}`;
}

async function freePort() {
  const server = net.createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

module.exports = { skipWithoutRedis, startRedis };
