"use strict";

/**
 * Peers that never end their requests, while others are served: thousands that never end the heads, and
 * those whose bodies stop, or come a byte at a time.
 */

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
  textOf,
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

const POLLING = "/socket.io/?EIO=4&transport=polling";

/** Bodies that never end: headers and what comes first, and what comes again and again, if anything. */
const BODIES = {
  "of a known length, which stops": ["Content-Length: 100000\r\n\r\n42"],
  "of a known length, a byte at a time": ["Content-Length: 100000\r\n\r\n", "4"],
  "in chunks, which stop": ["Transfer-Encoding: chunked\r\n\r\n2\r\n42\r\n"],
  "in chunks, a byte at a time": ["Transfer-Encoding: chunked\r\n\r\n", "1\r\n4\r\n"],
  "whose head comes alone": ["Content-Length: 100000\r\n\r\n"],
};

/** Peers with each of these bodies. */
const PEERS_OF_A_KIND = 20;

/** In milliseconds. */
const BETWEEN_BYTES = 200;

/** Sends a request whose body never ends. Returns what it has received, when the server has ended it. */
async function sendBody(port, path, [beginning, more]) {
  const peer = new Attacker(port);
  await peer.send(`POST ${path} HTTP/1.1\r\nHost: a\r\n${beginning}`);
  const sending = more && setInterval(() => peer.socket.write(more), BETWEEN_BYTES);
  const received = await peer.ended;
  clearInterval(sending);
  return received;
}

/** Opens a session that polls. Returns the path of its requests. */
async function openSession(port) {
  const { sid } = JSON.parse((await textOf(port, POLLING)).slice(1));
  return `${POLLING}&sid=${sid}`;
}

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

    test("whose bodies never end are answered when their time is over, as their sessions are", async (t) => {
      const serverOptions = {
        headersTimeout: 5000,
        requestTimeout: 5000,
        connectionsCheckingInterval: 200,
      };
      const server = await startAttacked(t, { isOurs, serverOptions });
      const { port } = server;
      const origin = `http://127.0.0.1:${port}`;
      const others = ["websocket", "polling"].map((name) =>
        connectClient(origin, { transports: [name] }),
      );
      for (const other of others) await other.emitWithAck("echo", "first");
      const before = await server.report();
      const answers = [];
      const polls = [];
      await repeat(PEERS_OF_A_KIND, 4, async () => {
        for (const body of Object.values(BODIES)) {
          const path = await openSession(port);
          polls.push(textOf(port, path));
          answers.push(sendBody(port, path, body), sendBody(port, "/body", body));
        }
      });
      for (let i = 0; i < 20; i++) {
        for (const other of others) assert.equal(await other.emitWithAck("echo", i), i);
        assert.equal(await textOf(port, "/body", { method: "POST", body: "whole" }), "null");
        const path = await openSession(port);
        assert.equal(await textOf(port, path, { method: "POST", body: "1" }), "ok");
      }
      assert.deepEqual(new Set(await Promise.all(answers)), new Set([TIMED_OUT]));
      // engine.io closes a session whose request is cut off.
      assert.deepEqual(new Set(await Promise.all(polls)), new Set(["1"]));
      for (const other of others) assert.equal(await other.emitWithAck("echo", "last"), "last");
      for (const other of others) other.disconnect();
      await allGone(server, before);
    });
  });
}
