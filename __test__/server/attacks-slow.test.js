"use strict";

/** Thousands of peers that never end the heads of their requests, while others are served. */

const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const { platform } = require("node:process");
const { describe, test } = require("node:test");
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

const PEERS = 10_000;
/** Descriptors that a process needs besides those of its peers. */
const OTHERS = 200;

/** As Node.js answers requests that do not come. */
const TIMED_OUT = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n";

/** The bytes that peers send. After each, a server waits for more. */
const BEGINNINGS = [
  "",
  "G",
  "GET /socket.io/",
  HANDSHAKE.slice(0, -2),
  "GET / HTTP/1.1\r\nHost: a\r\n",
  "POST /socket.io/?EIO=4&transport=polling&sid=nobody HTTP/1.1\r\nHost: a\r\nContent-Le",
];

const kinds = hasEngine ? [false, true] : [false];
const skip = platform !== "linux" && "looks into /proc";

const limit = () => Number(execFileSync("sh", ["-c", "ulimit -n"], { encoding: "utf8" })) || PEERS;

for (const isOurs of kinds) {
  const title = isOurs ? "createServer()" : "http.createServer()";
  describe(`slow peers of a server of ${title}`, { timeout: 180_000, skip }, () => {
    test("leave others served, and are answered when their time is over", async (t) => {
      const count = Math.min(isOurs ? PEERS : PEERS / 10, limit() - OTHERS);
      const serverOptions = {
        headersTimeout: 15_000,
        requestTimeout: 15_000,
        connectionsCheckingInterval: 500,
      };
      const server = await startAttacked(t, { isOurs, serverOptions });
      const client = connectClient(`http://127.0.0.1:${server.port}`);
      assert.equal(await client.emitWithAck("echo", "first"), "first");
      const before = await server.report();
      const peers = [];
      await repeat(count, 200, async (index) => {
        const peer = new Attacker(server.port);
        peers.push(peer);
        await peer.send(BEGINNINGS[index % BEGINNINGS.length]);
      });
      const answers = Promise.all(peers.map(({ ended }) => ended));
      for (let i = 0; i < 20; i++) {
        assert.equal(await client.emitWithAck("echo", i), i);
        await get(server.port, "/nothing");
        const newcomer = connectClient(`http://127.0.0.1:${server.port}`);
        assert.equal(await newcomer.emitWithAck("echo", i), i);
        newcomer.disconnect();
      }
      assert.deepEqual(new Set(await answers), new Set([TIMED_OUT]));
      client.disconnect();
      await allGone(server, before);
    });
  });
}
