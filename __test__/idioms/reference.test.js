"use strict";

/** `unref()` and `ref()` of a connection's `net.Socket`: whether the process stays for it. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { describe, test } = require("node:test");
const { io: connectClient } = require("socket.io-client");
const { engines } = require("../support/engines.js");
const { startFixture } = require("../support/fixture-process.js");
const { HANG_GUARD } = require("../support/observed.js");

const GUARD = { timeout: 2 * HANG_GUARD };

async function connect(t, engine, calls) {
  const server = startFixture(t, "unreferenced-server.js", [engine.name, ...calls]);
  const { port } = await server.next();
  const options = { transports: ["websocket"], reconnection: false };
  const client = connectClient(`http://127.0.0.1:${port}`, options);
  t.after(() => client.disconnect());
  const lost = once(client, "disconnect");
  return { server, client, lost, hasRef: (await server.next()).hasRef };
}

for (const engine of engines) {
  describe(`a process with one connection (${engine.name})`, () => {
    test("ends while the connection is open, after unref()", GUARD, async (t) => {
      const { server, lost, hasRef } = await connect(t, engine, ["unref"]);
      assert.equal(hasRef, false);
      assert.equal((await server.exited).code, 0);
      await lost;
    });

    test("ends after unref() twice", GUARD, async (t) => {
      const { server } = await connect(t, engine, ["unref", "unref"]);
      assert.equal((await server.exited).code, 0);
    });

    for (const calls of [[], ["unref", "ref"]]) {
      test(
        `stays until the client leaves, after ${calls.join(", ") || "nothing"}`,
        GUARD,
        async (t) => {
          const { server, client, hasRef } = await connect(t, engine, calls);
          assert.equal(hasRef, true);
          assert.equal(await client.emitWithAck("echo", "alive"), "alive");
          client.disconnect();
          assert.equal((await server.exited).code, 0);
        },
      );
    }
  });
}
