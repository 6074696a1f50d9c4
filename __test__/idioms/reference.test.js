"use strict";

/** `unref()` and `ref()` of a connection's `net.Socket`, and whether the process ends. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { describe, test } = require("node:test");
const { engines } = require("../support/engines.js");
const { startFixture } = require("../support/fixture-process.js");
const { HANG_GUARD } = require("../support/observed.js");
const { connectClient } = require("../support/socket-io-client.js");

const GUARD = { timeout: HANG_GUARD };

async function connect(t, engine, calls) {
  const server = startFixture(t, "unreferenced-server.js", [engine.name, ...calls]);
  const { port } = await server.next();
  const client = connectClient(`http://127.0.0.1:${port}`);
  t.after(() => client.disconnect());
  const lost = once(client, "disconnect");
  return { server, client, lost, hasRef: (await server.next()).hasRef };
}

for (const engine of engines) {
  describe(`a process with one connection (${engine.name})`, () => {
    for (const calls of [["unref"], ["unref", "unref"]]) {
      test(`ends while it is open, after ${calls.join(", ")}`, GUARD, async (t) => {
        const { server, lost, hasRef } = await connect(t, engine, calls);
        assert.equal(hasRef, false);
        assert.equal((await server.exited).code, 0);
        await lost;
      });
    }

    for (const calls of [[], ["unref", "ref"]]) {
      test(`keeps running, after ${calls.join(", ") || "nothing"}`, GUARD, async (t) => {
        const { client, hasRef } = await connect(t, engine, calls);
        assert.equal(hasRef, true);
        assert.equal(await client.emitWithAck("echo", "alive"), "alive");
      });
    }
  });
}
