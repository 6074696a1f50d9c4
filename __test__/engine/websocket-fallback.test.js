"use strict";

/** Connections that no worker can take over: they work as with ws, are counted, and warned of. */

const assert = require("node:assert/strict");
const { spawn, spawnSync } = require("node:child_process");
const { once } = require("node:events");
const { mkdtempSync, rmSync } = require("node:fs");
const { createServer } = require("node:http");
const https = require("node:https");
const os = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const { setTimeout: delay } = require("node:timers/promises");
const { WebSocket } = require("ws");
const { createCertificates, skipWithoutOpenssl } = require("../support/certificates.js");
const { connectionCounts, hasNative, noConnectionsLeft } = require("../support/engines.js");
const { arrived, connect, connectPair } = require("../support/websocket/pair.js");
const { describeServers } = require("../support/websocket/servers.js");

const GUARD = { timeout: 30_000 };
const MESSAGES = ["text", Buffer.from([0, 127, 128, 255]), "ž".repeat(100_000), Buffer.alloc(0)];

const warnings = [];
process.on("warning", (warning) => warnings.push(warning));

/** Creates a directory that is removed after the test. */
function temporaryDirectory(t) {
  const directory = mkdtempSync(path.join(os.tmpdir(), "turbo-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** Starts a WebSocket server on any HTTP server; both end after the test. */
async function serve(t, kind, httpServer, ...listenArguments) {
  const server = new kind.WebSocketServer({ server: httpServer });
  await once(httpServer.listen(...listenArguments), "listening");
  t.after(() => {
    for (const socket of server.clients) socket.terminate();
    httpServer.close();
  });
  return server;
}

/** Asserts that all messages arrive, in both directions, and the end as well. */
async function assertWorks({ client, socket }) {
  for (const data of MESSAGES) socket.send(data);
  await arrived(socket);
  assert.ok(client.messages.every(([data], i) => data.equals(Buffer.from(MESSAGES[i]))));
  assert.deepEqual(
    client.messages.map(([, isBinary]) => isBinary),
    MESSAGES.map((data) => typeof data !== "string"),
  );
  client.send("text");
  assert.deepEqual(await once(socket, "message"), [Buffer.from("text"), false]);
  const closed = once(client, "close");
  socket.close(4000, "bye");
  assert.deepEqual(await closed, [4000, Buffer.from("bye")]);
}

/** Asserts that two connections work; ours are counted under `reason`, with one warning for it. */
async function assertFallsBack(kind, reason, open) {
  if (hasNative) await noConnectionsLeft();
  const countedBefore = hasNative ? (connectionCounts().fallback[reason] ?? 0) : 0;
  const pairs = [await open(), await open()];
  for (const pair of pairs) await assertWorks(pair);
  if (!hasNative) return;
  const { native, fallback } = connectionCounts();
  const isOurs = kind.name !== "ws";
  assert.equal(native, 0);
  assert.equal((fallback[reason] ?? 0) - countedBefore, isOurs ? 2 : 0);
  const warned = warnings.filter(({ code }) => code === "TURBO_FALLBACK");
  assert.equal(warned.length, isOurs ? Object.keys(fallback).length : 0);
}

/** Returns the module of a server's class. */
function moduleOf({ name }) {
  return require.resolve(name === "ws" ? "ws" : "../..");
}

/** Returns the answer of a server once it has descriptors: until then Node.js resets connections. */
async function answerOf(t, url) {
  for (;;) {
    const client = new WebSocket(url);
    client.on("open", () => client.send("hello"));
    t.after(() => client.terminate());
    try {
      return String((await once(client, "message"))[0]);
    } catch (error) {
      assert.equal(error.code, "ECONNRESET");
      await delay(20);
    }
  }
}

describeServers("a connection that no worker can take over", (kind) => {
  test("works over TLS", { ...GUARD, skip: skipWithoutOpenssl }, async (t) => {
    const { forClient, forServer } = createCertificates((end) => t.after(end));
    const httpServer = https.createServer(forServer);
    const server = await serve(t, kind, httpServer, 0, "127.0.0.1");
    const url = `wss://127.0.0.1:${httpServer.address().port}/`;
    await assertFallsBack(kind, "tls", () => connect(t, server, { url, ca: forClient.ca }));
  });

  const skip = process.platform === "win32" && "no Unix domain sockets";
  test("works on a Unix domain socket", { ...GUARD, skip }, async (t) => {
    const socketPath = path.join(temporaryDirectory(t), "socket");
    const server = await serve(t, kind, createServer(), socketPath);
    await assertFallsBack(kind, "notTcp", () =>
      connect(t, server, { url: `ws+unix:${socketPath}:/` }),
    );
  });

  const dictionary = Buffer.from("a dictionary of the text that follows");
  const withDictionary = { zlibDeflateOptions: { dictionary }, zlibInflateOptions: { dictionary } };
  for (const [what, deflate] of [
    ["context takeover of the server", { serverNoContextTakeover: false }],
    ["context takeover of the client", { clientNoContextTakeover: false }],
    ["a dictionary", withDictionary],
  ]) {
    test(`works with permessage-deflate that needs ${what}`, GUARD, async (t) => {
      const options = { perMessageDeflate: { threshold: 0, ...deflate } };
      const { zlibDeflateOptions, zlibInflateOptions } = deflate;
      const offered = { threshold: 0, zlibDeflateOptions, zlibInflateOptions };
      await assertFallsBack(kind, "contextTakeover", async () => {
        const pair = await connectPair(t, kind, options, { perMessageDeflate: offered });
        assert.equal(pair.socket.extensions, "permessage-deflate");
        return pair;
      });
    });
  }

  test("is not counted if its client disconnects before the response", GUARD, async (t) => {
    const server = await serve(t, kind, createServer(), 0, "127.0.0.1");
    const countedBefore = hasNative ? connectionCounts().fallback : {};
    const connected = once(server, "connection");
    // spawnSync() blocks: meanwhile the server cannot accept.
    spawnSync(process.execPath, [
      path.join(__dirname, "../fixtures/vanishing-client.js"),
      String(server.address().port),
    ]);
    const [socket] = await connected;
    socket.on("error", () => {});
    await once(socket, "close");
    if (hasNative) assert.deepEqual(connectionCounts().fallback, countedBefore);
  });

  for (const [reason, options] of [
    ["skipUTF8Validation", { skipUTF8Validation: true }],
    ["allowSynchronousEvents", { allowSynchronousEvents: false }],
    ["customClass", { WebSocket: class extends WebSocket {} }],
  ]) {
    test(`works with an option that workers do not support: ${reason}`, GUARD, async (t) => {
      await assertFallsBack(kind, reason, () => connectPair(t, kind, options));
    });
  }

  test("delivers text as strings with textType", GUARD, async (t) => {
    if (kind.name === "ws") return;
    const options = { textType: "string", skipUTF8Validation: true };
    const { client, socket } = await connectPair(t, kind, options);
    client.send("text");
    assert.deepEqual(await once(socket, "message"), ["text", false]);
    client.send(Buffer.from("bytes"));
    assert.deepEqual(await once(socket, "message"), [Buffer.from("bytes"), true]);
  });

  test("is served when descriptors run out", { ...GUARD, skip }, async (t) => {
    const script = `
      const { WebSocketServer } = require(${JSON.stringify(moduleOf(kind))});
      const server = new WebSocketServer({ port: 0, host: "127.0.0.1" }, () =>
        console.log(server.address().port));
      server.on("connection", (socket) => socket.on("message", () => socket.send("served")));`;
    const command = 'ulimit -n 64; exec "$0" -e "$1"';
    const child = spawn("sh", ["-c", command, process.execPath, script], {
      stdio: ["ignore", "pipe"],
    });
    t.after(() => child.kill());
    const [line] = await once(child.stdout, "data");
    const clients = Array.from(
      { length: 100 },
      () => new WebSocket(`ws://127.0.0.1:${Number(line)}`),
    );
    for (const client of clients) {
      client.on("error", () => {});
      client.on("open", () => client.send("hello"));
      t.after(() => client.terminate());
    }
    // Some are accepted, however many descriptors Node.js itself needs, and the process does not end.
    await Promise.any(clients.map((client) => once(client, "message")));
    clients.forEach((client) => {
      client.terminate();
    });
    assert.equal(await answerOf(t, `ws://127.0.0.1:${Number(line)}`), "served");
    assert.equal(child.exitCode, null);
  });

  for (const [what, clientOptions, extensions] of [
    ["does not offer permessage-deflate", {}, ""],
    ["offers it", { perMessageDeflate: { threshold: 0 } }, "permessage-deflate"],
  ]) {
    test(`is taken over where the client ${what}`, GUARD, async (t) => {
      if (hasNative) await noConnectionsLeft();
      const before = hasNative ? connectionCounts().fallback : {};
      const pair = await connectPair(t, kind, { perMessageDeflate: true }, clientOptions);
      assert.equal(pair.socket.extensions, extensions);
      await arrived(pair.socket);
      if (hasNative) {
        const { native, fallback } = connectionCounts();
        assert.equal(native, kind.name === "ws" ? 0 : 1);
        assert.deepEqual(fallback, before);
      }
      await assertWorks(pair);
    });
  }
});
