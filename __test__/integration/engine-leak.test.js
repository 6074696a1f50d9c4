"use strict";

/**
 * Thousands of connections come and go; nothing of them stays. TURBO_SOAK=1 makes it 50,000.
 */

const assert = require("node:assert/strict");
const { fork } = require("node:child_process");
const { once } = require("node:events");
const path = require("node:path");
const { test } = require("node:test");
const { engines } = require("../support/engines.js");
const { comeAndGo } = require("../support/minimal-client.js");

const CONNECTIONS = process.env.TURBO_SOAK === "1" ? 50_000 : 3000;
const AT_ONCE = 100;
const GUARD = { timeout: 900_000 };
const WAYS = ["close", "end", "reset", "disconnected"];

/**
 * What half of the connections may add, in bytes. ws adds up to 5 MiB of RSS and 0.45 MiB of heap
 * with its second 1,500, and no more in 25,000: the heap's own growth and compiled code.
 */
const RSS_BOUND = 8 * 1024 * 1024;
const HEAP_BOUND = 1024 * 1024;
/** What leaks does so in each half; how long a process grows by itself is up to Node.js. */
const MOST_HALVES = 6;

/** A server in a process of its own, which is killed after the test. */
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

async function comeAndGoOften(port, count) {
  for (let i = 0; i < count; i += AT_ONCE) {
    const way = WAYS[(i / AT_ONCE) % WAYS.length];
    await Promise.all(Array.from({ length: AT_ONCE }, () => comeAndGo(port, way)));
  }
}

/** Whether memory has not grown by more between two measurements than it may. */
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
