"use strict";

/** python-socketio with aiohttp, in one Python process for all clients of a driver. */

const { spawn, spawnSync } = require("node:child_process");
const { EventEmitter, once } = require("node:events");
const path = require("node:path");
const { createInterface } = require("node:readline");

const directory = path.join(__dirname, "../../python");
const interpreter = process.env.TURBO_TEST_PYTHON || "python3";

/**
 * The reason to skip the tests that need python-socketio. With `CI=true` they are never skipped.
 *
 * @type {string | false}
 */
const skipWithoutPython =
  process.env.CI !== "true" &&
  !hasModules() &&
  `no python-socketio for ${interpreter}; name a Python that has __test__/python/requirements.txt in the environment variable TURBO_TEST_PYTHON`;

/** @returns {boolean} */
function hasModules() {
  const modules = "aiohttp, requests, socketio, websocket, websockets";
  return spawnSync(interpreter, ["-c", `import ${modules}`]).status === 0;
}

/** @returns {import("./all.js").Driver} */
function driverOf(name, transports) {
  let child;
  let count = 0;
  const fates = new EventEmitter();
  const command = (value) => child.stdin.write(`${JSON.stringify(value)}\n`);
  return {
    name,
    skip: skipWithoutPython,
    // It enters a namespace only after the upgrade.
    startsOnPolling: false,
    recovers: false,
    // Its close frame overtakes its DISCONNECT packets.
    leavingReason: "transport close",
    reasons: {
      left: "client disconnect",
      disconnected: "server disconnect",
      closed: "transport error",
      ended: "transport error",
      reset: "transport error",
    },
    async start() {
      child = spawn(interpreter, [path.join(directory, "client.py")], {
        stdio: ["pipe", "pipe", "inherit"],
      });
      createInterface(child.stdout).on("line", (line) => {
        const { id, ...fate } = JSON.parse(line);
        for (const [event, value] of Object.entries(fate)) fates.emit(`${event} ${id}`, value);
      });
    },
    async stop() {
      child.stdin.end();
      await once(child, "exit");
    },
    async open(origin, { namespace = "/", auth = null } = {}) {
      const id = count++;
      const next = (event) => new Promise((resolve) => fates.once(`${event} ${id}`, resolve));
      const client = { disconnected: next("disconnected"), refused: next("refused") };
      command({ id, open: { url: origin, namespace, auth, transports } });
      return { ...client, close: async () => command({ id, close: true }) };
    },
  };
}

/**
 * Starts a client of the package websockets, which sends messages to a server that echoes them.
 *
 * @param {string} url
 * @returns {Promise<Array<{ extensions: string[], echoed: boolean }>>} for each connection that it has
 *   opened, with its own parameters of permessage-deflate
 */
async function runWebSockets(url) {
  const child = spawn(interpreter, [path.join(directory, "websockets_client.py"), url], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = [];
  createInterface(child.stdout).on("line", (line) => lines.push(JSON.parse(line)));
  await once(child, "close");
  return lines;
}

const drivers = [
  driverOf("python-socketio", ["polling", "websocket"]),
  driverOf("python-socketio with WebSocket only", ["websocket"]),
];

module.exports = { drivers, interpreter, runWebSockets, skipWithoutPython };
