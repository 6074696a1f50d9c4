"use strict";

/** The memory that idle clients take: on the heap, and with compression all of it. */

const assert = require("node:assert/strict");
const { fork } = require("node:child_process");
const { once } = require("node:events");
const path = require("node:path");
const { test } = require("node:test");
const { engines, hasNative } = require("../support/engines.js");
const { WebSocketClient } = require("../support/websocket/client.js");
const { compressed, offering } = require("../support/websocket/deflate.js");
const { TEXT, text } = require("../support/websocket/frames.js");

const CLIENTS = 400;
/** Connected before, for code that is compiled and tables that grow. */
const FIRST = 200;
const GUARD = { timeout: 120_000, skip: hasNative ? false : "needs the native engine" };

/** Measured: 0.71 with Node.js 20, 0.72 with 22, 0.69 with 24 and 26. Without the compaction 0.97 with 20. */
const MOST = 0.85;

/** The same of a server of `createServer()`. Measured: 0.29 with Node.js 20, 0.31 with 22, 0.37 with 24 and 26. */
const MOST_OF_SERVER = 0.45;

/** Of the heap of a client that does not compress. Measured: 0.91 to 1.02, with ws 1.33. */
const MOST_HEAP = 1.15;
/**
 * In bytes of memory, beside that of a client that does not compress. Measured: -22 to 19 KiB, which is
 * garbage that was collected or not; with ws 240 KiB.
 */
const MOST_OF_A_CONTEXT = 96 * 1024;

/** An event that is worth compressing, in both directions. */
const EVENT = `420["echo","${"text ".repeat(400)}"]`;
const PLAIN = { options: {}, request: {}, event: text(EVENT) };
const COMPRESSED = {
  options: { perMessageDeflate: true },
  request: offering(["client_max_window_bits"]),
  event: compressed(TEXT, EVENT),
};

/** Connects a client to the main namespace, and waits until it has got an acknowledgement. */
async function connect(port, { request, event }) {
  const client = await WebSocketClient.open(port, {
    path: "/socket.io/?EIO=4&transport=websocket",
    ...request,
  });
  await client.hasReceived(1);
  await client.write(text("40"));
  await client.hasReceived(2);
  await client.write(event);
  await client.hasReceived(3);
  return client;
}

/** Returns the memory of an idle client in bytes: on the heap, and of the process. */
async function memoryOfClient(t, engineName, kind = PLAIN, serverName = "http") {
  const file = path.join(__dirname, "../fixtures/idle-server.js");
  const args = [engineName, JSON.stringify(kind.options), serverName];
  const child = fork(file, args, { execArgv: ["--expose-gc"] });
  t.after(() => child.kill());
  const [{ port }] = await once(child, "message");
  const clients = [];
  const memoryWith = async (count) => {
    while (clients.length < count) clients.push(await connect(port, kind));
    child.send("measure");
    const [{ clients: connected, ...memory }] = await once(child, "message");
    assert.equal(connected, count);
    return memory;
  };
  const before = await memoryWith(FIRST);
  const after = await memoryWith(FIRST + CLIENTS);
  const { compressed: isCompressed } = clients[0].transfers.at(-1);
  assert.equal(isCompressed, kind === COMPRESSED);
  for (const client of clients) await client.reset();
  const each = (name) => (after[name] - before[name]) / CLIENTS;
  return { heap: each("heap"), rss: each("rss") };
}

test("an idle client takes less heap than with ws", GUARD, async (t) => {
  const heaps = {};
  for (const { name } of engines) heaps[name] = (await memoryOfClient(t, name)).heap;
  const shown = JSON.stringify(heaps);
  t.diagnostic(shown);
  assert.ok(heaps.turbo < MOST * heaps.stock, shown);
});

test("an idle client of createServer() takes less than half of the heap", GUARD, async (t) => {
  const stock = (await memoryOfClient(t, "stock")).heap;
  const server = (await memoryOfClient(t, "turbo", PLAIN, "server")).heap;
  const shown = JSON.stringify({ stock, server });
  t.diagnostic(shown);
  assert.ok(server < MOST_OF_SERVER * stock, shown);
});

test("an idle client that compresses takes no more memory than another", GUARD, async (t) => {
  const plain = await memoryOfClient(t, "turbo");
  const compressing = await memoryOfClient(t, "turbo", COMPRESSED);
  const shown = JSON.stringify({ plain, compressing });
  t.diagnostic(shown);
  assert.ok(compressing.heap < MOST_HEAP * plain.heap, shown);
  assert.ok(compressing.rss - plain.rss < MOST_OF_A_CONTEXT, shown);
});
