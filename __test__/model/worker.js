"use strict";

/**
 * A worker thread that plays every nth program, and reports what it found.
 *
 * workerData: `servers`, keys of `SERVERS` in adapter-search.js; or with `redis`, the URL of a Redis,
 * keys of `CLUSTERS` in cluster-search.js, one for each program in turn; `firstSeed`, `count` and `step` of the programs; `limit`, how
 * many findings are enough; `sights`, names and expressions of lines.
 */

const { parentPort, workerData } = require("node:worker_threads");
const turbo = require("../..");
const { ALONE, examine } = require("./search.js");

const { servers, redis, firstSeed, count, step, limit, sights } = workerData;

const result = { played: 0, broadcasts: 0, delivered: 0, findings: [], seen: {} };
let seed = firstSeed;

/** Counts the programs that show each of the sights. */
function look(outcome) {
  const text = Object.values(outcome).flat().join("\n");
  for (const [name, expression] of Object.entries(sights)) {
    result.seen[name] = (result.seen[name] ?? 0) + (expression.test(text) ? 1 : 0);
  }
}

/** Clusters take more time than servers. */
function serversOf(number) {
  return redis === undefined ? servers : [servers[number % servers.length]];
}

async function search(world) {
  for (; seed < firstSeed + count && result.findings.length < limit; seed += step) {
    const { expected, findings } = await examine(seed, serversOf(seed), world);
    look(expected);
    result.findings.push(...findings);
    result.played++;
  }
}

async function searchClusters() {
  const { ClusterWorld } = require("./cluster/search.js");
  const world = await ClusterWorld.connect(redis);
  await search(world);
  result.delivered = world.delivered;
  await world.close();
}

function report() {
  result.broadcasts = turbo.stats().broadcasts ?? 0;
  parentPort.postMessage(result);
}

process.on("uncaughtException", ({ stack }) => {
  result.findings.push({ server: "one of the servers", seed, text: stack });
  report();
  process.exit(1);
});
(redis === undefined ? search(ALONE) : searchClusters()).then(report);
