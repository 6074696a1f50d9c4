"use strict";

/**
 * A thread that plays every nth program, and reports the result. `workerData` is the share that
 * `search()` in search.js takes, with the thread's `index` and the `step` between its programs.
 */

const { parentPort, workerData } = require("node:worker_threads");
const turbo = require("../..");
const { ALONE, examine } = require("./search.js");
const { ClusterWorld } = require("./cluster/search.js");

/** The number of findings after which the search ends. */
const ENOUGH = 2;

const { servers, redis, seed: firstSeed, count, index, step, sights } = workerData;

const seen = Object.fromEntries(Object.keys(sights).map((name) => [name, 0]));
const result = { played: 0, broadcasts: 0, delivered: 0, findings: [], seen };
let seed = firstSeed + index;

/** Counts the sights that a program shows. */
function look(outcome) {
  const text = Object.values(outcome).flat().join("\n");
  for (const [name, expression] of Object.entries(sights)) seen[name] += expression.test(text);
}

/** Clusters take more time than servers: each plays its share of the programs. */
const serversOf = (number) => (redis === undefined ? servers : [servers[number % servers.length]]);

async function run() {
  const world = redis === undefined ? ALONE : await ClusterWorld.connect(redis);
  for (; seed < firstSeed + count && result.findings.length < ENOUGH; seed += step) {
    const { expected, findings } = await examine(world, seed, serversOf(seed));
    look(expected);
    result.findings.push(...findings);
    result.played++;
  }
  result.delivered = world.delivered ?? 0;
  await world.close?.();
}

function report() {
  result.broadcasts = turbo.stats().broadcasts ?? 0;
  parentPort.postMessage(result);
}

function fail({ stack }) {
  result.findings.push({ server: "one of the servers", seed, text: stack });
  report();
  process.exit(1);
}

process.on("uncaughtException", fail);
run().then(report, fail);
