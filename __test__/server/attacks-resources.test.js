"use strict";

/** Resources of a server of `createServer()`: they are released, and where none are left, clients wait. */

const assert = require("node:assert/strict");
const { execFileSync, spawnSync } = require("node:child_process");
const { once } = require("node:events");
const { readdirSync } = require("node:fs");
const { platform } = require("node:process");
const { describe, test } = require("node:test");
const { createServer } = require("../..");
const { hasEngine } = require("../../lib/addon/index.js");
const {
  Attacker,
  HANDSHAKE,
  allGone,
  get,
  repeat,
  startAttacked,
} = require("../support/attackers.js");
const { connectClient } = require("../support/socket-io-client.js");

/** TURBO_SOAK=1 makes it 20,000. */
const CONNECTIONS = process.env.TURBO_SOAK === "1" ? 20_000 : 2_000;
const WIDTH = 50;
/** The heap grows by compiled code, too: a leak grows with each round. */
const HEAP_BOUND = 512 * 1024;
const MOST_ROUNDS = 6;

const OPEN = '"maxPayload":1000000}';
const kinds = hasEngine ? [false, true] : [false];
const skip = platform !== "linux" && "looks into /proc";
const lacksPrlimit = spawnSync("prlimit", ["--version"]).error !== undefined && "needs prlimit";

const countIn = (directory) => readdirSync(`/proc/self/${directory}`).length;

test("a server listens 1,000 times, and leaves no descriptor and no thread", { skip }, async () => {
  const server = createServer();
  const cycle = async () => {
    await once(server.listen(0, "127.0.0.1"), "listening");
    await new Promise((resolve) => server.close(resolve));
  };
  for (let i = 0; i < 10; i++) await cycle();
  const [descriptors, threads] = [countIn("fd"), countIn("task")];
  for (let i = 0; i < 1_000; i++) await cycle();
  assert.ok(countIn("fd") <= descriptors, `${countIn("fd")} of ${descriptors}`);
  assert.ok(countIn("task") <= threads, `${countIn("task")} of ${threads}`);
});

for (const isOurs of kinds) {
  const title = isOurs ? "createServer()" : "http.createServer()";
  describe(`a server of ${title}`, { timeout: 240_000, skip }, () => {
    test(`keeps nothing of ${CONNECTIONS} sessions`, async (t) => {
      const server = await startAttacked(t, { isOurs });
      const before = await server.report();
      const round = async () => {
        await repeat(CONNECTIONS, WIDTH, async (index) => {
          const peer = new Attacker(server.port);
          await peer.send(HANDSHAKE);
          await peer.hasReceived(OPEN);
          if (index % 2 === 0) await peer.reset();
          else peer.socket.destroy();
        });
        return allGone(server, before);
      };
      let last = await round();
      for (let i = 0; ; i++) {
        const now = await round();
        assert.ok(now.threads <= last.threads);
        if (now.heap - last.heap < HEAP_BOUND) break;
        assert.ok(i < MOST_ROUNDS, `${last.heap} bytes became ${now.heap}`);
        last = now;
      }
    });

    test("serves all clients that came while its JavaScript stood still", async (t) => {
      const server = await startAttacked(t, { isOurs });
      await server.report();
      const isOver = get(server.port, "/block/2000");
      const peers = Array.from({ length: 1_000 }, () => new Attacker(server.port));
      await Promise.all(peers.map((peer) => peer.send(HANDSHAKE)));
      await Promise.all(peers.map((peer) => peer.hasReceived(OPEN)));
      await isOver;
      assert.equal((await server.report()).clients, 1_000);
    });

    test("serves again after descriptors had run out", { skip: lacksPrlimit }, async (t) => {
      const server = await startAttacked(t, { isOurs });
      const client = connectClient(`http://127.0.0.1:${server.port}`);
      assert.equal(await client.emitWithAck("echo", 1), 1);
      const before = await server.report();
      const most = readdirSync(`/proc/${server.pid}/fd`).length + 50;
      execFileSync("prlimit", ["--pid", `${server.pid}`, `--nofile=${most}:${most}`]);
      const peers = Array.from({ length: 200 }, () => new Attacker(server.port));
      await Promise.all(peers.map((peer) => peer.send(HANDSHAKE.slice(0, -2))));
      assert.equal(await client.emitWithAck("echo", 2), 2);
      await Promise.all(peers.map((peer) => peer.reset()));
      const newcomer = connectClient(`http://127.0.0.1:${server.port}`, { reconnection: true });
      assert.equal(await newcomer.emitWithAck("echo", 3), 3);
      for (const each of [client, newcomer]) each.disconnect();
      await allGone(server, before);
    });
  });
}
