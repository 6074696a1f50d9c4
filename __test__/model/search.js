"use strict";

/** Looks for programs on which a server does not do what the official one does. */

const path = require("node:path");
const { Worker } = require("node:worker_threads");
const { Adapter, SessionAwareAdapter } = require("socket.io-adapter");
const turbo = require("../..");
const { HANGS, play } = require("./play.js");
const { makeProgram } = require("./program.js");
const { shrink } = require("./shrinker.js");
const { printDifference, printProgram } = require("./program-text.js");
const PLANTED = require("./planted-bugs.js");

/** Time to shrink a program, in milliseconds. */
const SHRINKING = 20_000;

/** Makes the options of a server, by a name that can be given to a thread. */
const SERVERS = {
  stock: (options) => options,
  turbo: (options) => turbo.turbo(options),
  adapter: (options) => ({ ...options, adapter: turbo.createAdapter() }),
  extended: (options) => {
    const base = options.connectionStateRecovery === undefined ? Adapter : SessionAwareAdapter;
    return turbo.turbo({ ...options, adapter: turbo.createAdapter(base) });
  },
  ...Object.fromEntries(Object.entries(PLANTED).map(([name, Planted]) => [name, planted(Planted)])),
};

/** The planted adapter on servers that it can be used with: they restore sessions, or they do not. */
function planted(Planted) {
  const isSessionAware = Planted.prototype instanceof SessionAwareAdapter;
  return (options) => {
    const isRecovering = options.connectionStateRecovery !== undefined;
    return isRecovering === isSessionAware ? { ...options, adapter: Planted } : options;
  };
}

/**
 * Makes programs, and plays them.
 *
 * @typedef {object} World
 * @property {(seed: number) => object} makeProgram
 * @property {(program: object, server: string) => Promise<import("./play.js").Outcome>} play
 *   `server` is "stock", or the name of a server to be compared with that
 */

/** One server. @type {World} */
const ALONE = { makeProgram, play: (program, server) => play(program, SERVERS[server]) };

/** Returns the outcome of a program, or the error that it ends with. */
async function outcomeOf(world, program, server) {
  try {
    return await world.play(program, server);
  } catch (error) {
    return { error: [error.message] };
  }
}

/** @returns {Promise<string>} how a server differs from the official one; empty if it does not */
async function compare(world, program, server) {
  const expected = await outcomeOf(world, program, "stock");
  return printDifference(expected, await outcomeOf(world, program, server));
}

/** Returns the smallest program that shows a difference, and the difference. */
async function report(world, program, server) {
  const isWrong = async (candidate) => (await compare(world, candidate, server)) !== "";
  const smallest = await shrink(program, isWrong, SHRINKING);
  const difference = await compare(world, smallest, server);
  return `${printProgram(smallest)}\n\n${difference || "(only sometimes)"}`;
}

/**
 * @typedef {object} Finding
 * @property {string} server
 * @property {number} seed of the program
 * @property {string} text the program, shrunk, and where the outcomes differ
 */

/**
 * Plays a program on the official server and on others.
 *
 * @param {World} world
 * @param {number} seed of the program
 * @param {string[]} servers names of the world's
 * @returns {Promise<{ findings: Finding[], expected: import("./play.js").Outcome }>}
 */
async function examine(world, seed, servers) {
  const program = world.makeProgram(seed);
  const expected = await outcomeOf(world, program, "stock");
  const findings = [];
  for (const server of servers) {
    const outcome = await outcomeOf(world, program, server);
    if (printDifference(expected, outcome) === "") continue;
    findings.push({ server, seed, text: await report(world, program, server) });
  }
  return { findings, expected };
}

/**
 * Counts the programs that it takes to find each planted bug.
 *
 * @param {World} world
 * @param {string[]} servers names of the world's
 * @param {number} firstSeed of programs that follow each other
 * @param {number} limit how many are played at most
 * @returns {Promise<Map<string, number>>} by the server; without those that were not found
 * @throws where a program ends with an error, such as of a bug that can no longer be planted
 */
async function programsToFind(world, servers, firstSeed, limit) {
  const found = new Map();
  for (let played = 1; played <= limit && found.size < servers.length; played++) {
    const program = world.makeProgram(firstSeed + played);
    const expected = await outcomeOf(world, program, "stock");
    for (const server of servers.filter((name) => !found.has(name))) {
      const outcome = await outcomeOf(world, program, server);
      const [error = HANGS] = outcome.error ?? [];
      if (!error.startsWith(HANGS)) throw new Error(`${server}: ${error}`);
      if (printDifference(expected, outcome) !== "") found.set(server, played);
    }
  }
  return found;
}

/**
 * Plays programs on threads, each of which takes every nth.
 *
 * @param {object} share
 * @param {string[]} share.servers to be compared with the official one
 * @param {string} [share.redis] the URL of a Redis: `servers` are clusters
 * @param {number} share.seed of the first program
 * @param {number} share.count of programs
 * @param {Record<string, RegExp>} share.sights expressions of lines of outcomes
 * @param {number} [threads]
 * @returns {Promise<{ played: number, broadcasts: number, delivered: number, failures: string[],
 *   seen: Record<string, number> }>} `seen` counts the programs that show each sight
 */
async function search(share, threads = 1) {
  const results = await Promise.all(
    Array.from({ length: threads }, (_, index) => resultOf({ ...share, index, step: threads })),
  );
  const sum = (numberOf) => results.reduce((total, result) => total + numberOf(result), 0);
  const seen = Object.keys(share.sights).map((name) => [name, sum((result) => result.seen[name])]);
  const findings = results.flatMap((result) => result.findings);
  return {
    played: sum(({ played }) => played),
    broadcasts: sum(({ broadcasts }) => broadcasts),
    delivered: sum(({ delivered }) => delivered),
    seen: Object.fromEntries(seen),
    failures: findings.map(({ server, seed, text }) => {
      return `${server}, SEED=${seed} TURBO_PROGRAMS=1\n${text}`;
    }),
  };
}

function resultOf(workerData) {
  const worker = new Worker(path.join(__dirname, "worker.js"), { workerData });
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}

module.exports = { ALONE, examine, programsToFind, search };
