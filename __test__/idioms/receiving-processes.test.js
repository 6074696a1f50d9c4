"use strict";

/** Received packets in processes that change what Node.js does for all: errors, `emit()`, `JSON.parse`, DEBUG. */

const assert = require("node:assert/strict");
const { execFile } = require("node:child_process");
const path = require("node:path");
const { describe, test } = require("node:test");
const { promisify } = require("node:util");
const { hasNative } = require("../support/engines.js");
const { startFixture } = require("../support/fixture-process.js");

const GUARD = { timeout: 30_000 };
const FIXTURE = path.join(__dirname, "../fixtures/packet-receiver.js");

/** Output about received packets; socket.io-parser's is left out, as ours has none. */
const RECEIVED =
  /\b(engine:ws received|engine:socket received|socket\.io:socket (got|emitting|dispatching)) .*/;

/** Returns what happens with each client, as the order of clients depends on the network. */
function byClient({ log, errors }) {
  const ofClient = (name) => log.filter(([who]) => who === name);
  const others = log.filter(([who]) => who !== "first" && who !== "second");
  return {
    first: ofClient("first"),
    second: ofClient("second"),
    others: others.map(String).sort(),
    errors: errors.sort(),
  };
}

/** Runs the fixture with stock parts and with ours. */
async function run(t, action) {
  const reports = [];
  for (const name of ["stock", "turbo"]) {
    const { exited } = startFixture(t, "packet-receiver.js", [name, action]);
    const { code, reports: lines } = await exited;
    assert.equal(code, 0);
    reports.push(lines.at(-1));
  }
  const [stock, ours] = reports;
  assert.deepEqual(byClient(ours), byClient(stock));
  return ours;
}

describe("packets of two clients that arrive together", () => {
  test("all reach listeners that throw", GUARD, async (t) => {
    const { errors, log, short } = await run(t, "throws");
    assert.equal(errors.length, 4);
    assert.equal(log.length, 8);
    assert.ok(hasNative ? short.every((count) => count > 4) : true);
  });

  test("are seen by an emit() that has replaced Node's before", GUARD, async (t) => {
    const { log, short } = await run(t, "traces");
    assert.ok(log.filter(([who]) => who === "emit").length > 20);
    assert.deepEqual(short, [0, 0]);
  });

  test("are emitted by node:domain", GUARD, async (t) => {
    assert.deepEqual((await run(t, "domain")).short, [0, 0]);
  });

  test("are parsed by a JSON.parse that has replaced V8's before", GUARD, async (t) => {
    const { log, short } = await run(t, "parses");
    assert.equal(log.filter(([who]) => who === "parse").length, 8);
    assert.deepEqual(short, [0, 0]);
  });

  test("have the same output with DEBUG", GUARD, async () => {
    const outputs = [];
    for (const name of ["stock", "turbo"]) {
      const env = {
        ...process.env,
        DEBUG: "engine*,socket.io*",
        DEBUG_HIDE_DATE: "1",
        DEBUG_COLORS: "0",
      };
      const { stderr } = await promisify(execFile)(process.execPath, [FIXTURE, name, "nothing"], {
        env,
      });
      const lines = stderr.split("\n").map((line) => RECEIVED.exec(line)?.[0]);
      outputs.push(lines.filter(Boolean).map(withoutTime).sort());
    }
    const [stock, ours] = outputs;
    assert.ok(stock.length > 40, `${stock.length} lines`);
    assert.deepEqual(ours, stock);
  });
});

/** Returns a line of debug without the time since the line before. */
function withoutTime(line) {
  return line.replace(/ \+\d+m?s$/, "");
}
