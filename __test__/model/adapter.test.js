"use strict";

/**
 * Random programs of connecting, joining, emitting, upgrading and leaving, played on our server,
 * and with our adapter on the official one: every client receives the same packets in the same
 * order as from the official server, and the application sees the same. See README.md.
 *
 * TURBO_PROGRAMS=<number> plays more or fewer. SEED=<number> repeats a run, and with
 * TURBO_PROGRAMS=1 a single program, by the seed that a failure names.
 */

const assert = require("node:assert/strict");
const { availableParallelism } = require("node:os");
const { before, describe, test } = require("node:test");
const { hasEngine } = require("../../lib/addon/index.js");
const { ALONE, programsToFind, search } = require("./search.js");
const PLANTED = require("./planted-bugs.js");
const { SEED } = require("../support/random.js");

/** All of them on the oldest Node.js that is supported, a sample on the others. */
const DEFAULT_PROGRAMS = process.version.startsWith("v20.") ? 500 : 100;
const PROGRAMS = Number(process.env.TURBO_PROGRAMS ?? DEFAULT_PROGRAMS);
/** Too few to show everything. */
const isShort = PROGRAMS < 300;
const THREADS = Math.min(availableParallelism(), 4);
/** A bug that takes more programs may stay. */
const PROGRAMS_PER_BUG = 600;

/** Lines that some outcomes must contain: without them the programs would test little. */
const SIGHTS = {
  "a binary event": /^5\d-/m,
  "an event on a second namespace": /^2\/p,/m,
  "an event on a namespace that comes and goes": /^2\/dyn,/m,
  "the number 1 as a room": /join-room in \/\S* \["?1"?,/m,
  "acks of all recipients": /^ack of e\d+ null \["/m,
  "acks that time out": /^ack of e\d+ "<operation has timed out>" \[/m,
  "a restored session": /is connected true/,
  "a refused client": /"message":"refused"/,
  "calls of onAnyOutgoing() listeners": /^(on|prepend)AnyOutgoing of/m,
  "packetCreate events": /^packetCreate of/m,
  "flush events": /^(engine )?flush of/m,
  "a client that leaves a namespace": /"client namespace disconnect"/,
  "a socket that is disconnected": /"server namespace disconnect"/,
  "a connection that the server closes": /"forced close"/,
  "a WebSocket that ends": /"transport close"/,
  "a poll that breaks off": /"transport error"/,
};

/** Compares a server with the official one; fails where they differ. */
async function assertSame(server, count) {
  const found = await search({ servers: [server], seed: SEED, count, sights: SIGHTS }, THREADS);
  assert.equal(found.failures.length, 0, `\n${found.failures.join("\n\n")}`);
  assert.equal(found.played, count);
  return found;
}

describe(`${PROGRAMS} programs, SEED=${SEED}`, () => {
  let found;

  test("our server does what the official one does", async () => {
    found = await assertSame("turbo", PROGRAMS);
  });

  test("our broadcasts go through the workers", { skip: !hasEngine || isShort }, () => {
    assert.ok(found.broadcasts >= PROGRAMS);
  });

  test("the outcomes contain what they must", { skip: isShort }, () => {
    for (const [name, count] of Object.entries(found.seen)) assert.ok(count > 0, name);
  });

  test("our adapter does on the official server what the official one does", async () => {
    await assertSame("adapter", Math.ceil(PROGRAMS / 5));
  });

  test("the official adapter does with our fan-out what it does without", async () => {
    const { broadcasts, played } = await assertSame("extended", Math.ceil(PROGRAMS / 5));
    if (hasEngine && !isShort) assert.ok(broadcasts >= played);
  });

  test("the official server does the same twice", async () => {
    await assertSame("stock", Math.ceil(PROGRAMS / 10));
  });
});

describe("finds planted bugs", { skip: isShort }, () => {
  const names = Object.keys(PLANTED);
  let found;
  before(async () => {
    found = await programsToFind(ALONE, names, SEED, PROGRAMS_PER_BUG);
  });

  for (const name of names) {
    test(`an adapter that ${inWords(name)}`, (t) => {
      t.diagnostic(`found by program ${found.get(name)}`);
      assert.ok(found.has(name));
    });
  }
});

/** "IgnoresExcept" as "ignores except". */
function inWords(name) {
  return name.replace(/\B[A-Z]/g, " $&").toLowerCase();
}
