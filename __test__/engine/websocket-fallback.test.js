"use strict";

/** Connections that no worker can take over: they work as with ws, are counted and warned of. */

const assert = require("node:assert/strict");
const { spawn, spawnSync } = require("node:child_process");
const { once } = require("node:events");
const { mkdtempSync, readFileSync, rmSync } = require("node:fs");
const { createServer } = require("node:http");
const https = require("node:https");
const os = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const { setTimeout: delay } = require("node:timers/promises");
const { WebSocket } = require("ws");
const { connectionCounts, hasNative, noConnectionsLeft } = require("../support/engines.js");
const { arrived, connect, connectPair } = require("../support/websocket/pair.js");
const { describeServers } = require("../support/websocket/servers.js");

const GUARD = { timeout: 30_000 };
const MESSAGES = ["text", Buffer.from([0, 127, 128, 255]), "ž".repeat(100_000), Buffer.alloc(0)];

const warnings = [];
process.on("warning", (warning) => warnings.push(warning));

/** A directory that is gone after the test. */
function temporaryDirectory(t) {
  const directory = mkdtempSync(path.join(os.tmpdir(), "turbo-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** A key and a certificate that it signed itself. */
function createCertificate(t) {
  const directory = temporaryDirectory(t);
  const [key, cert] = ["key.pem", "cert.pem"].map((name) => path.join(directory, name));
  const { status, stderr } = spawnSync("openssl", [
    ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-days", "1"],
    ...["-keyout", key, "-out", cert],
  ]);
  assert.equal(status, 0, String(stderr));
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

const skipWithoutOpenssl =
  process.env.CI !== "true" && spawnSync("openssl", ["version"]).status !== 0 && "no openssl";

/** A WebSocket server on any HTTP server, both of which end after the test. */
async function serve(t, kind, httpServer, ...listenArguments) {
  const server = new kind.WebSocketServer({ server: httpServer });
  await once(httpServer.listen(...listenArguments), "listening");
  t.after(() => {
    for (const socket of server.clients) socket.terminate();
    httpServer.close();
  });
  return server;
}

/** All that is sent comes, in both directions, and the end as well. */
async function works({ client, socket }) {
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

/** Two connections of a kind work; ours are counted under `reason`, and one warning is printed. */
async function fallsBack(kind, reason, open) {
  if (hasNative) await noConnectionsLeft();
  const countedBefore = hasNative ? (connectionCounts().fallback[reason] ?? 0) : 0;
  const pairs = [await open(), await open()];
  for (const pair of pairs) await works(pair);
  if (!hasNative) return;
  const { native, fallback } = connectionCounts();
  const isOurs = kind.name !== "ws";
  assert.equal(native, 0);
  assert.equal((fallback[reason] ?? 0) - countedBefore, isOurs ? 2 : 0);
  const warned = warnings.filter(({ code }) => code === "TURBO_FALLBACK");
  assert.equal(warned.length, isOurs ? Object.keys(fallback).length : 0);
}

/** Where a server's class comes from. */
function moduleOf({ name }) {
  return require.resolve(name === "ws" ? "ws" : "../..");
}

/** What a server answers once it has descriptors again: until then Node.js hangs up on who comes. */
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

describeServers("what no worker can take over", (kind) => {
  test("works over TLS", { ...GUARD, skip: skipWithoutOpenssl }, async (t) => {
    const httpServer = https.createServer(createCertificate(t));
    const server = await serve(t, kind, httpServer, 0, "127.0.0.1");
    const url = `wss://127.0.0.1:${httpServer.address().port}/`;
    await fallsBack(kind, "tls", () => connect(t, server, { url, rejectUnauthorized: false }));
  });

  const skip = process.platform === "win32" && "no Unix domain sockets";
  test("works on a Unix domain socket", { ...GUARD, skip }, async (t) => {
    const socketPath = path.join(temporaryDirectory(t), "socket");
    const server = await serve(t, kind, createServer(), socketPath);
    await fallsBack(kind, "notTcp", () => connect(t, server, { url: `ws+unix:${socketPath}:/` }));
  });

  test("works with permessage-deflate", GUARD, async (t) => {
    const options = { perMessageDeflate: { threshold: 0 } };
    await fallsBack(kind, "compressed", async () => {
      const pair = await connectPair(t, kind, options, { perMessageDeflate: true });
      assert.equal(pair.socket.extensions, "permessage-deflate");
      return pair;
    });
  });

  test("is no client that was gone before its upgrade was answered", GUARD, async (t) => {
    const server = await serve(t, kind, createServer(), 0, "127.0.0.1");
    const countedBefore = hasNative ? connectionCounts().fallback : {};
    const connected = once(server, "connection");
    // Meanwhile the server cannot accept.
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
    test(`works where options ask for what workers do not do: ${reason}`, GUARD, async (t) => {
      await fallsBack(kind, reason, () => connectPair(t, kind, options));
    });
  }

  test("gives text as strings where that is wanted", GUARD, async (t) => {
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
    // Some get in, however many descriptors Node.js itself needs; nobody ends the process.
    await Promise.any(clients.map((client) => once(client, "message")));
    clients.forEach((client) => {
      client.terminate();
    });
    assert.equal(await answerOf(t, `ws://127.0.0.1:${Number(line)}`), "served");
    assert.equal(child.exitCode, null);
  });

  test("is taken over where the client does not offer permessage-deflate", GUARD, async (t) => {
    if (hasNative) await noConnectionsLeft();
    const before = hasNative ? connectionCounts().fallback : {};
    const pair = await connectPair(t, kind, { perMessageDeflate: true });
    assert.equal(pair.socket.extensions, "");
    await arrived(pair.socket);
    if (hasNative) {
      const { native, fallback } = connectionCounts();
      assert.equal(native, kind.name === "ws" ? 0 : 1);
      assert.deepEqual(fallback, before);
    }
    await works(pair);
  });
});
