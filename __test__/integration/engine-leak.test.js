"use strict";

/** Thousands of connections open and end, and none leaks. TURBO_SOAK=1 makes it 50,000. */

const assert = require("node:assert/strict");
const { fork } = require("node:child_process");
const { once } = require("node:events");
const path = require("node:path");
const { test } = require("node:test");
const { engines } = require("../support/engines.js");
const { WebSocketClient } = require("../support/websocket/client.js");
const { close, text } = require("../support/websocket/frames.js");

const CONNECTIONS = process.env.TURBO_SOAK === "1" ? 50_000 : 3000;
const AT_ONCE = 100;
const GUARD = { timeout: 900_000 };
/** How a connection ends, from the client's side. */
const WAYS = {
  "a close frame": (client) => client.write(close()),
  "the end of the TCP connection": () => {},
  "its reset": (client) => client.reset(),
  "a disconnection by the server": (client) => client.write(text('42["disconnect me"]')),
};

/**
 * The most that half of the connections may add, in bytes. ws adds up to 5 MiB of RSS and 0.45 MiB
 * of heap with its second 1,500, and no more in 25,000: the heap's own growth and compiled code.
 */
const RSS_BOUND = 8 * 1024 * 1024;
const HEAP_BOUND = 1024 * 1024;
/** A leak grows with each half; how long a process grows without one is up to Node.js. */
const MOST_HALVES = 6;

/** Starts a server in a process of its own, which is killed after the test. */
async function startMeasured(t, engineName) {
  const file = path.join(__dirname, "../fixtures/measured-server.js");
  const child = fork(file, [engineName], {
    execArgv: ["--expose-gc", "--min-semi-space-size=1", "--max-semi-space-size=1"],
  });
  t.after(async () => {
    child.kill();
    await once(child, "exit");
  });
  const [{ port }] = await once(child, "message");
  const measure = async () => {
    child.send("measure");
    return (await once(child, "message"))[0];
  };
  return { port, measure };
}

/** Connects to the main namespace, receives an acknowledgement, and ends. */
async function comeAndGo(port, end) {
  const path = "/socket.io/?EIO=4&transport=websocket";
  const client = await WebSocketClient.open(port, { path });
  await client.hasReceived(1);
  await client.write(text("40"));
  await client.hasReceived(2);
  await client.write(text('420["echo","text"]'));
  await client.hasReceived(3);
  assert.deepEqual(client.frames.at(-1), ["text", '430["text"]']);
  await end(client);
  client.finish();
  await client.ended();
}

async function comeAndGoOften(port, count) {
  const ways = Object.values(WAYS);
  for (let i = 0; i < count; i += AT_ONCE) {
    const way = ways[(i / AT_ONCE) % ways.length];
    await Promise.all(Array.from({ length: AT_ONCE }, () => comeAndGo(port, way)));
  }
}

/** Returns whether memory has grown within the bounds between two measurements. */
function isBounded(before, after) {
  return (
    after.heapUsed - before.heapUsed < HEAP_BOUND &&
    after.external - before.external < HEAP_BOUND &&
    after.rss - before.rss < RSS_BOUND
  );
}

for (const { name } of engines) {
  test(`${name} keeps nothing of ${CONNECTIONS} connections`, GUARD, async (t) => {
    const { port, measure } = await startMeasured(t, name);
    await comeAndGoOften(port, AT_ONCE);
    const measured = [await measure()];
    const hasSettled = () => measured.length > 2 && isBounded(measured.at(-2), measured.at(-1));
    while (!hasSettled() && measured.length <= MOST_HALVES) {
      await comeAndGoOften(port, CONNECTIONS / 2);
      measured.push(await measure());
    }
    const [start] = measured;
    const end = measured.at(-1);
    const shown = JSON.stringify(measured);
    t.diagnostic(shown);
    assert.equal(end.clients, 0, shown);
    assert.equal(end.native, 0, shown);
    assert.ok(end.descriptors <= start.descriptors, shown);
    assert.ok(hasSettled(), shown);
  });
}
