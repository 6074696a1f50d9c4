"use strict";

/** Looks for programs on which a server does not do what the official one does. */

const { Adapter, SessionAwareAdapter } = require("socket.io-adapter");
const turbo = require("../..");
const { play } = require("./adapter-play.js");
const { makeProgram } = require("./adapter-program.js");
const { shrink } = require("./adapter-program-shrinker.js");
const { printDifference, printProgram } = require("./adapter-program-text.js");
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

/** The outcome, or why there is none. */
async function outcomeOf(program, server) {
  try {
    return await play(program, SERVERS[server]);
  } catch (error) {
    return { error: [error.message] };
  }
}

/** @returns {Promise<string>} how a server differs from the official one; empty if it does not */
async function compare(program, server) {
  const expected = await outcomeOf(program, "stock");
  return printDifference(expected, await outcomeOf(program, server));
}

/** The smallest program that shows it, and what it shows. */
async function report(program, server) {
  const isWrong = async (candidate) => (await compare(candidate, server)) !== "";
  const smallest = await shrink(program, isWrong, SHRINKING);
  const difference = await compare(smallest, server);
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
 * @param {string[]} servers keys of `SERVERS`
 * @returns {Promise<{ findings: Finding[], expected: import("./adapter-play.js").Outcome }>}
 */
async function examine(seed, servers) {
  const program = makeProgram(seed);
  const expected = await outcomeOf(program, "stock");
  const findings = [];
  for (const server of servers) {
    const difference = printDifference(expected, await outcomeOf(program, server));
    if (difference === "") continue;
    findings.push({ server, seed, text: await report(program, server) });
  }
  return { findings, expected };
}

module.exports = { SERVERS, compare, examine };
