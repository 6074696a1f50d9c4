"use strict";

/**
 * Our server, and our adapter on the official one, against the official server: random programs
 * of connecting, joining, emitting, upgrading, leaving. Every client receives the same packets in
 * the same order, and the application sees the same. What programs and servers may do is told in
 * `adapter-program.js`, and what is left to the server, where `adapter-stage.js` looks away.
 *
 * TURBO_PROGRAMS=<number> plays more or fewer. SEED=<number> repeats a run, and with
 * TURBO_PROGRAMS=1 a single program, by the seed that a failure names.
 */

const assert = require("node:assert/strict");
const { availableParallelism } = require("node:os");
const path = require("node:path");
const { describe, test } = require("node:test");
const { Worker } = require("node:worker_threads");
const { hasEngine } = require("../../lib/addon/index.js");
const { compare } = require("./search.js");
const { makeProgram } = require("./program.js");
const PLANTED = require("./planted-bugs.js");
const { SEED } = require("../support/random.js");

const WORKER = path.join(__dirname, "worker.js");

/** All of them on the oldest Node.js that is supported, a sample on the others. */
const DEFAULT_PROGRAMS = process.version.startsWith("v20.") ? 1_500 : 100;
const PROGRAMS = Number(process.env.TURBO_PROGRAMS ?? DEFAULT_PROGRAMS);
/** Too few to show everything. */
const isShort = PROGRAMS < 300;
const THREADS = Math.min(availableParallelism(), 4);
/** A bug that fewer programs show may stay. */
const PROGRAMS_PER_BUG = 600;

/** What some of the programs have to show, or they would test little. */
const SIGHTS = {
  "a binary event": /^5\d-/m,
  "an event on a second namespace": /^2\/p,/m,
  "an event on a namespace that comes and goes": /^2\/dyn,/m,
  "the number 1 as a room": /join-room in \/\S* \["?1"?,/m,
  "acks of all recipients": /^ack of e\d+ null \["/m,
  "acks that time out": /^ack of e\d+ "<operation has timed out>" \[/m,
  "a restored session": /is connected true/,
  "a refused client": /"message":"refused"/,
  "what onAnyOutgoing() hears": /^(on|prepend)AnyOutgoing of/m,
  "what is heard of packetCreate": /^packetCreate of/m,
  "what is heard of flushes": /^(engine )?flush of/m,
  "a client that leaves a namespace": /"client namespace disconnect"/,
  "a socket that is disconnected": /"server namespace disconnect"/,
  "a connection that the server closes": /"forced close"/,
  "a WebSocket that ends": /"transport close"/,
  "a poll that breaks off": /"transport error"/,
};

/**
 * Plays programs on several threads.
 *
 * @param {string[]} servers to be compared with the official one
 * @param {number} count of programs
 * @returns {Promise<{ played: number, broadcasts: number, findings: object[],
 *   seen: Record<string, number> }>}
 */
async function search(servers, count) {
  const results = await Promise.all(
    Array.from({ length: THREADS }, (_, index) => {
      const share = { firstSeed: SEED + index, count: count - index, step: THREADS };
      return resultOf(
        new Worker(WORKER, {
          workerData: { servers, ...share, limit: 2, sights: SIGHTS },
        }),
      );
    }),
  );
  const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
  const seen = Object.keys(SIGHTS).map((name) => [
    name,
    sum(results.map((r) => r.seen[name] ?? 0)),
  ]);
  return {
    played: sum(results.map(({ played }) => played)),
    broadcasts: sum(results.map(({ broadcasts }) => broadcasts)),
    findings: results.flatMap(({ findings }) => findings),
    seen: Object.fromEntries(seen),
  };
}

function resultOf(worker) {
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}

function assertNothingFound(findings) {
  const texts = findings.map(
    ({ server, seed, text }) => `${server}, SEED=${seed} TURBO_PROGRAMS=1\n${text}`,
  );
  assert.equal(texts.length, 0, `\n${texts.join("\n\n")}`);
}

describe(`${PROGRAMS} programs, SEED=${SEED}`, () => {
  let found;

  test("our server does what the official one does", async () => {
    found = await search(["turbo"], PROGRAMS);
    assertNothingFound(found.findings);
    assert.equal(found.played, PROGRAMS);
  });

  test("our broadcasts have gone by the workers", { skip: !hasEngine || isShort }, () => {
    assert.ok(found.broadcasts >= PROGRAMS);
  });

  test("the programs show what they have to", { skip: isShort }, () => {
    for (const [name, count] of Object.entries(found.seen)) assert.ok(count > 0, name);
  });

  test("our adapter does on the official server what the official one does", async () => {
    const { findings } = await search(["adapter"], Math.ceil(PROGRAMS / 5));
    assertNothingFound(findings);
  });

  test("the official adapter with our fan-out does what it does without", async () => {
    const { findings, broadcasts, played } = await search(["extended"], Math.ceil(PROGRAMS / 5));
    assertNothingFound(findings);
    if (hasEngine && !isShort) assert.ok(broadcasts >= played);
  });

  test("the official server does the same twice", async () => {
    const { findings } = await search(["stock"], Math.ceil(PROGRAMS / 10));
    assertNothingFound(findings);
  });
});

/** How many programs it takes to see that a server is not the official one. */
async function programsToFind(server) {
  for (let played = 1; played <= PROGRAMS_PER_BUG; played++) {
    if ((await compare(makeProgram(SEED + played), server)) !== "") return played;
  }
  return Number.POSITIVE_INFINITY;
}

describe("finds planted bugs", { skip: isShort }, () => {
  for (const name of Object.keys(PLANTED)) {
    test(`an adapter that ${inWords(name)}`, async (t) => {
      const programs = await programsToFind(name);
      t.diagnostic(`found by program ${programs}`);
      assert.ok(programs <= PROGRAMS_PER_BUG);
    });
  }
});

/** "IgnoresExcept" as "ignores except". */
function inWords(name) {
  return name.replace(/\B[A-Z]/g, " $&").toLowerCase();
}
