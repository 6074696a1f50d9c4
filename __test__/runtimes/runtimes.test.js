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
const { hasEngine } = require("../../lib/native.js");

const conversation = path.join(__dirname, "conversation.cjs");
const OTHER_WS = "the runtime has a ws of its own in the place of the package";
const NO_DESCRIPTOR = "the socket has no descriptor";

/** How each runs a program, and why connections are left to ws there. */
const RUNTIMES = [
  { name: "Bun", command: ["bun/bin/bun"], reason: "otherWs", words: OTHER_WS },
  {
    name: "Deno",
    command: ["deno/deno", "run", "-A"],
    reason: "noDescriptor",
    words: NO_DESCRIPTOR,
  },
];

/** What a server says to its clients, and what it says of itself. */
async function converse([executable, ...args], engine, env = {}) {
  const options = { env: { ...process.env, NO_COLOR: "1", ...env }, timeout: 60_000 };
  const file = path.join(__dirname, "node_modules", executable);
  const { stdout } = await promisify(execFile)(file, [...args, conversation, engine], options);
  return JSON.parse(stdout);
}

for (const { name, command, reason, words } of RUNTIMES) {
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
        // One of the three clients is refused, and one polls.
        connections: { native: 0, opened: 0, fallback: { [reason]: 3 }, ended: {} },
        warnings: [["TURBO_FALLBACK", `a WebSocket connection is left to ws: ${words}`]],
      });
    });

    test("runs on the official packages with TURBO_NATIVE=0, without a warning", async () => {
      const { transcript } = await converse(command, "stock");
      assert.deepEqual(await converse(command, "turbo", { TURBO_NATIVE: "0" }), {
        transcript,
        native: false,
        error: "the native addon is not loaded: it is switched off by TURBO_NATIVE=0",
        connections: { native: 0, opened: 0, fallback: { addon: 3 }, ended: {} },
        warnings: [],
      });
    });
  });
}
