"use strict";

/**
 * Random programs played on a cluster of an official node and two of ours over one Redis, beside a
 * redis-emitter: every client receives the same messages as from a cluster of official nodes, those
 * of one publisher in one namespace in the same order, and the applications see the same. See
 * README.md.
 *
 * TURBO_PROGRAMS=<number> plays more or fewer. SEED=<number> repeats a run, and with
 * TURBO_PROGRAMS=1 a single program, by the seed that a failure names.
 */

const assert = require("node:assert/strict");
const { after, before, describe, test } = require("node:test");
const { hasCluster } = require("../../lib/addon/index.js");
const { programsToFind, search } = require("./search.js");
const { ClusterWorld } = require("./cluster/search.js");
const PLANTED = require("./cluster/planted-bugs.js");
const { SEED } = require("../support/random.js");
const { endsOf, skipWithoutRedis, startRedis } = require("../support/redis/server.js");

const DEFAULT_PROGRAMS = 16;
const PROGRAMS = Number(process.env.TURBO_PROGRAMS ?? DEFAULT_PROGRAMS);
/** Too few to show everything. */
const isShort = PROGRAMS < DEFAULT_PROGRAMS;
/** A bug that takes more programs may stay. */
const PROGRAMS_PER_BUG = 400;

/** Bugs that are found soon. The others are looked for with more programs than by default. */
const OBVIOUS = [
  "MissesServedSockets",
  "PublishesNoExceptions",
  "PublishesToTheFirstRoom",
  "ReceivesItsOwnMessages",
];
const BUGS = PROGRAMS > DEFAULT_PROGRAMS ? Object.keys(PLANTED) : OBVIOUS;

/** Lines that some outcomes must contain: without them the programs would test little. */
const SIGHTS = {
  "a binary event": /^5\d-/m,
  "an event on a second namespace": /^2\/p,/m,
  "answers of other nodes": /^\d+ answers: \["\\"node \d/m,
  "acks of several nodes": /^ack of e\d+ null \["/m,
  "a storm": /^all right$|^\S+ from (\d|emitter):$/m,
};

const skip = skipWithoutRedis || (!hasCluster && "the addon has no cluster");

describe(`${PROGRAMS} programs in clusters, SEED=${SEED}`, { skip }, () => {
  const ends = endsOf({ after });
  let redis;
  before(async () => {
    redis = await startRedis(ends);
  });

  test("a cluster in which two nodes are ours does what an official one does", async (t) => {
    const servers = ["mixed", "mixed with clients"];
    const found = await search({ servers, redis, seed: SEED, count: PROGRAMS, sights: SIGHTS });
    assert.equal(found.failures.length, 0, `\n${found.failures.join("\n\n")}`);
    assert.equal(found.played, PROGRAMS);
    if (isShort) return;
    t.diagnostic(`${found.delivered} broadcasts have gone without JavaScript`);
    assert.ok(found.delivered > 0);
    // A few programs need not show it.
    if (PROGRAMS < 100) return;
    for (const [name, count] of Object.entries(found.seen)) assert.ok(count > 0, name);
  });

  test("finds planted bugs", { skip: isShort }, async (t) => {
    const world = await ClusterWorld.connect(redis);
    ends(() => world.close());
    const found = await programsToFind(world, BUGS, SEED, PROGRAMS_PER_BUG);
    for (const [name, count] of found) t.diagnostic(`${name} by program ${count}`);
    assert.deepEqual([...found.keys()].sort(), [...BUGS].sort());
  });
});
