"use strict";

/** Clients of other projects that compress: Socket.IO's, and those of WebSockets alone. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { createServer } = require("node:http");
const { after, before, describe, test } = require("node:test");
const { isDeepStrictEqual } = require("node:util");
const drivers = require("../support/clients/all.js");
const { runWebSockets, skipWithoutPython } = require("../support/clients/python.js");
const { launchChromium, skipWithoutChromium } = require("../support/chromium.js");
const {
  assertNativeCount,
  engines,
  hasNative,
  noConnectionsLeft,
} = require("../support/engines.js");
const { upgraded } = require("../support/socket-io-client.js");
const { startServer } = require("../support/socket-io-server.js");
const { listen } = require("../support/tcp-server.js");
const { echo } = require("../support/websocket/servers.js");

const GUARD = { timeout: 30_000 };
const LONG = "žluťoučký kůň ".repeat(1000);
const BYTES = Buffer.alloc(20_000, "attachment");

/** Emits, and returns the arguments of the acknowledgement. */
function ask(socket, ...args) {
  return new Promise((resolve) => socket.emit(...args, (...answer) => resolve(answer)));
}

/** Lets a client enter a server that compresses, and waits until it has a WebSocket. */
async function connect(t, engine, driver) {
  const server = await startServer(t, engine, {
    allowEIO3: true,
    perMessageDeflate: { threshold: 50 },
  });
  const connected = once(server.io, "connection");
  const client = await driver.open(server.origin);
  server.beforeClose(() => client.close());
  const [socket] = await connected;
  await upgraded(socket);
  await ask(socket, "heard", 0);
  return { io: server.io, socket };
}

/** Asserts that the client sends values back unchanged, in two ways. */
async function assertRelayed(socket, ...args) {
  const relayed = once(socket, "relayed");
  // Not deepEqual(): the difference of long texts takes minutes to print.
  assert.ok(isDeepStrictEqual(await ask(socket, "relay", ...args), args));
  assert.ok(isDeepStrictEqual(await relayed, args));
}

for (const engine of engines) {
  for (const driver of drivers) {
    describe(`${driver.name} with ${engine.name}`, { skip: driver.skip }, () => {
      before(() => driver.start());
      after(() => driver.stop());

      test("compresses, and exchanges events in both directions", GUARD, async (t) => {
        if (hasNative) await noConnectionsLeft();
        const { io, socket } = await connect(t, engine, driver);
        assert.equal(socket.conn.transport.socket.extensions, "permessage-deflate");
        assertNativeCount(engine, 1);
        await assertRelayed(socket, "short", LONG);
        await assertRelayed(socket, BYTES, { a: [LONG, BYTES, Buffer.alloc(3)] });
        for (let i = 0; i < 30; i++) {
          if (i % 2 === 0) io.emit("news", i, LONG.slice(0, i * i));
          else socket.emit("news", i, BYTES.subarray(0, i * i));
        }
        const received = [];
        while (received.length < 30) {
          received.push(...(await ask(socket, "heard", received.length))[0]);
        }
        assert.deepEqual(
          received.map(([number, { length }]) => [number, length]),
          Array.from({ length: 30 }, (_, i) => [i, i * i]),
        );
      });
    });
  }
}

/** Starts a server that echoes messages, and compresses all; returns its port. */
async function startEcho(t, { WebSocketServer }) {
  const httpServer = createServer((_request, response) => response.end("<!doctype html>"));
  const server = new WebSocketServer({ server: httpServer, perMessageDeflate: { threshold: 0 } });
  server.on("connection", echo);
  const { port } = await listen(httpServer);
  t.after(() => {
    for (const webSocket of server.clients) webSocket.terminate();
    httpServer.closeAllConnections();
    httpServer.close();
  });
  return port;
}

/** In the page: sends messages, and returns the extension and whether all are echoed unchanged. */
async function runInPage(url) {
  const webSocket = new WebSocket(url);
  webSocket.binaryType = "arraybuffer";
  await new Promise((resolve, reject) =>
    Object.assign(webSocket, { onopen: resolve, onerror: reject }),
  );
  const messages = [
    "",
    "short",
    "žluťoučký kůň ".repeat(1000),
    new Uint8Array(100_000).fill(7).buffer,
  ];
  const received = [];
  const done = new Promise((resolve) => {
    webSocket.onmessage = ({ data }) => received.push(data) === messages.length && resolve();
  });
  for (const message of messages) webSocket.send(message);
  await done;
  const shown = (data) => (typeof data === "string" ? data : new Uint8Array(data).join());
  const echoed = received.every((data, i) => shown(data) === shown(messages[i]));
  const { extensions } = webSocket;
  webSocket.close();
  return { extensions, echoed };
}

for (const engine of engines) {
  describe(`WebSocket clients with ${engine.name}`, () => {
    test("Chromium compresses", { ...GUARD, skip: skipWithoutChromium }, async (t) => {
      const port = await startEcho(t, engine);
      const browser = await launchChromium();
      t.after(() => browser.close());
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${port}/`);
      const { extensions, echoed } = await page.evaluate(runInPage, `ws://127.0.0.1:${port}/`);
      assert.match(extensions, /^permessage-deflate/);
      assert.ok(echoed);
    });

    test("websockets of Python compresses", { ...GUARD, skip: skipWithoutPython }, async (t) => {
      const port = await startEcho(t, engine);
      const connections = await runWebSockets(`ws://127.0.0.1:${port}/`);
      const each = { extensions: ["permessage-deflate"], echoed: true };
      assert.deepEqual(connections, [each, each, each, each]);
    });
  });
}
