"use strict";

/**
 * Bun and Deno: what a server with `turbo()` says there is what the stock one says, and what is left
 * out is counted and warned of.
 */

const assert = require("node:assert/strict");
const { execFile } = require("node:child_process");
const { existsSync } = require("node:fs");
const path = require("node:path");
const { describe, test } = require("node:test");
const { promisify } = require("node:util");
const { hasCluster, hasEngine } = require("../../lib/addon/index.js");
const { RedisServer, skipWithoutRedis } = require("../support/redis/server.js");

const OTHER_WS = "the runtime replaces the package ws with its own implementation";
const HIDDEN = "the runtime does not expose the file descriptors of its sockets";

/** How each runs a program, and why connections are left to ws there. */
const RUNTIMES = [
  { name: "Bun", command: ["bun/bin/bun"], reason: "otherWs", words: OTHER_WS },
  {
    name: "Deno",
    command: ["deno/deno", "run", "-A"],
    reason: "hiddenDescriptor",
    words: HIDDEN,
    isListenerNative: true,
  },
];

/** Runs a program of this folder. @returns {Promise<object>} what it has printed */
async function start([executable, ...args], program, argument = "", env = {}) {
  const options = { env: { ...process.env, NO_COLOR: "1", ...env }, timeout: 60_000 };
  const file = path.join(__dirname, "node_modules", executable);
  const all = [...args, path.join(__dirname, program), argument];
  return JSON.parse((await promisify(execFile)(file, all, options)).stdout);
}

/** Returns a server's messages to its clients, and its report of itself. */
const converse = (command, engine, env) => start(command, "conversation.cjs", engine, env);

for (const { name, command, reason, words, isListenerNative = false } of RUNTIMES) {
  const isMissing = !existsSync(path.join(__dirname, "node_modules", command[0]));
  const advice = "npm ci --prefix __test__/runtimes (Linux x64 only)";
  const skip = process.env.CI !== "true" && isMissing && `${name} is not installed: ${advice}`;

  describe(name, { skip }, () => {
    test("has the parser, leaves connections to ws, and says so once", async () => {
      const { transcript } = await converse(command, "stock");
      assert.deepEqual(await converse(command, "turbo"), {
        transcript,
        native: hasEngine,
        error: null,
        // One that is refused, two of the three others, of which one polls, and one without Socket.IO.
        connections: { native: 0, handshakes: 4, opened: 0, fallback: { [reason]: 4 }, ended: {} },
        warnings: [["TURBO_FALLBACK", `a WebSocket connection is left to ws: ${words}`]],
      });
    });

    if (isListenerNative) {
      test("serves clients of createServer() natively, and passes all others", {
        skip: !hasEngine && "there is no engine",
      }, async () => {
        const { transcript } = await converse(command, "stock");
        const { connections, served, ...said } = await converse(command, "server");
        assert.deepEqual(said, {
          transcript,
          native: true,
          error: null,
          // The WebSocket server without Socket.IO has a server of its own.
          warnings: [["TURBO_FALLBACK", `a WebSocket connection is left to ws: ${words}`]],
        });
        assert.deepEqual([connections.opened, connections.fallback], [4, { [reason]: 1 }]);
        const { sessions, passed, fallback } = served;
        assert.deepEqual([sessions, passed, fallback], [4, { request: 1 }, {}]);
      });
    } else {
      test("accepts the connections of createServer() itself, and says so once", {
        skip: !hasEngine && "without the engine, there is another reason",
      }, async () => {
        const { body, warnings, server } = await start(command, "listener.cjs");
        assert.equal(body, "answer");
        assert.deepEqual([server.accepted, server.fallback], [0, { noDescriptor: 1 }]);
        const text =
          "Node.js accepts the connections of a server: " +
          "the runtime does not expose the file descriptor of the listening socket";
        assert.deepEqual(warnings, [["TURBO_FALLBACK", text]]);
      });
    }

    const skip = hasCluster ? skipWithoutRedis : "the addon does not reach Redis";
    test("is a node of a cluster over Redis", { skip }, async (t) => {
      const redis = new RedisServer();
      t.after(() => redis.end());
      await redis.start();
      const heard = [2_000, [0, 255]];
      assert.deepEqual(await start(command, "cluster.cjs", redis.url), {
        said: [heard, heard],
        states: ["ready", "ready"],
      });
    });

    test("runs on the official packages with TURBO_NATIVE=0, without a warning", async () => {
      const { transcript } = await converse(command, "stock");
      assert.deepEqual(await converse(command, "turbo", { TURBO_NATIVE: "0" }), {
        transcript,
        native: false,
        error: "the native addon is not loaded: it is switched off by TURBO_NATIVE=0",
        connections: { native: 0, handshakes: 4, opened: 0, fallback: { addon: 4 }, ended: {} },
        warnings: [],
      });
    });

    if (name !== "Deno") return;
    test("falls back where it may not load addons, and says what to allow", async () => {
      const [deno] = command;
      const allowed = [deno, "run", "--no-prompt", "--allow-net", "--allow-read", "--allow-env"];
      const { transcript } = await converse(allowed, "stock");
      const { error, warnings, ...said } = await converse(allowed, "turbo");
      const connections = {
        native: 0,
        handshakes: 4,
        opened: 0,
        fallback: { addon: 4 },
        ended: {},
      };
      assert.deepEqual(said, { transcript, native: false, connections });
      assert.match(error, /Requires ffi access .* run again with the --allow-ffi flag$/);
      const text = `the official packages are used and nothing is accelerated, because ${error}`;
      assert.deepEqual(warnings, [["TURBO_NOT_NATIVE", text]]);
    });
  });
}
