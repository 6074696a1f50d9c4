"use strict";

/** Looks for programs on which a server does not do what the official one does. */

const { Adapter, SessionAwareAdapter } = require("socket.io-adapter");
const turbo = require("../..");
const { play } = require("./play.js");
const { makeProgram } = require("./program.js");
const { shrink } = require("./shrinker.js");
const { printDifference, printProgram } = require("./program-text.js");
const PLANTED = require("./planted-bugs.js");

/** How long to make a program smaller, in milliseconds. */
const SHRINKING = 20_000;

const stock = (options) => options;

/** Servers, by names that can be given to a worker thread. @type {Record<string, Function>} */
const SERVERS = {
  stock,
  turbo: (options) => turbo.turbo(options),
  adapter: (options) => ({ ...options, adapter: turbo.createAdapter() }),
  extended: (options) => {
    const base = options.connectionStateRecovery === undefined ? Adapter : SessionAwareAdapter;
    return turbo.turbo({ ...options, adapter: turbo.createAdapter(base) });
  },
  ...Object.fromEntries(Object.entries(PLANTED).map(([name, Planted]) => [name, planted(Planted)])),
};

/** With the official adapter on servers of the other kind, which restore sessions or do not. */
function planted(Planted) {
  const isSessionAware = Planted.prototype instanceof SessionAwareAdapter;
  return (options) => {
    const isRecovering = options.connectionStateRecovery !== undefined;
    return isRecovering === isSessionAware ? { ...options, adapter: Planted } : options;
  };
}

/**
 * Where programs are made and played.
 *
 * @typedef {object} World
 * @property {(seed: number) => object} makeProgram
 * @property {(program: object, server: string) => Promise<import("./play.js").Outcome>} play
 *   `server` is "stock", or the name of what is compared with that
 */

/** One server. @type {World} */
const ALONE = { makeProgram, play: (program, server) => play(program, SERVERS[server]) };

/** The outcome, or why there is none. */
async function outcomeOf(world, program, server) {
  try {
    return await world.play(program, server);
  } catch (error) {
    return { error: [error.message] };
  }
}

/** @returns {Promise<string>} how a server differs from the official one; empty if it does not */
async function compare(program, server, world = ALONE) {
  const expected = await outcomeOf(world, program, "stock");
  return printDifference(expected, await outcomeOf(world, program, server));
}

/** The smallest program that shows it, and what it shows. */
async function report(world, program, server) {
  const isWrong = async (candidate) => (await compare(candidate, server, world)) !== "";
  const smallest = await shrink(program, isWrong, SHRINKING);
  const difference = await compare(smallest, server, world);
  return `${printProgram(smallest)}\n\n${difference || "(only sometimes)"}`;
}

/**
 * @typedef {object} Finding
 * @property {string} server
 * @property {number} seed of the program
 * @property {string} text the program, shrunk, and where the outcomes part
 */

/**
 * Plays a program on the official server and on others.
 *
 * @param {number} seed
 * @param {string[]} servers names of the world's
 * @param {World} [world]
 * @returns {Promise<{ findings: Finding[], expected: import("./play.js").Outcome }>}
 */
async function examine(seed, servers, world = ALONE) {
  const program = world.makeProgram(seed);
  const expected = await outcomeOf(world, program, "stock");
  const findings = [];
  for (const server of servers) {
    const difference = printDifference(expected, await outcomeOf(world, program, server));
    if (difference === "") continue;
    findings.push({ server, seed, text: await report(world, program, server) });
  }
  return { findings, expected };
}

/**
 * How many programs it takes to see that servers are not the official one.
 *
 * @param {World} world
 * @param {string[]} servers names of the world's
 * @param {number} firstSeed of programs that follow each other
 * @param {number} limit how many are played at most
 * @returns {Promise<Map<string, number>>} by the server; without those that were not seen through
 */
async function programsToFind(world, servers, firstSeed, limit) {
  const found = new Map();
  for (let played = 1; played <= limit && found.size < servers.length; played++) {
    const program = world.makeProgram(firstSeed + played);
    const expected = await outcomeOf(world, program, "stock");
    for (const server of servers.filter((name) => !found.has(name))) {
      const difference = printDifference(expected, await outcomeOf(world, program, server));
      if (difference !== "") found.set(server, played);
    }
  }
  return found;
}

module.exports = { ALONE, SERVERS, compare, examine, programsToFind };
