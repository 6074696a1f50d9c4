"use strict";

/** The engines that the tests of connections judge: the official one, and ours. */

const { setTimeout: delay } = require("node:timers/promises");
const { WebSocketServer } = require("ws");
const turbo = require("../..");

/**
 * @typedef {object} Engine
 * @property {string} name
 * @property {(options?: object) => object} serverOptions makes the options of a Socket.IO server
 * @property {typeof WebSocketServer} WebSocketServer
 */

/** The official packages: the oracle, which shows that a test asks for nothing new. */
const stock = { name: "stock", serverOptions: (options = {}) => options, WebSocketServer };

const ours = {
  name: "turbo",
  serverOptions: turbo.turbo,
  WebSocketServer: turbo.turbo.WebSocketServer,
};

/** @type {Engine[]} */
const engines = ours.WebSocketServer === undefined ? [stock] : [stock, ours];

/**
 * @param {string} name
 * @returns {Engine}
 */
function engineNamed(name) {
  return engines.find((engine) => engine.name === name);
}

/**
 * What `turbo.stats()` says of the connections of this process.
 *
 * @returns {{ native: number, fallback: Record<string, number> }} open native connections, and
 *   upgrades that were left to ws, by the reason
 */
function connectionCounts() {
  const { native, fallback } = turbo.turbo.stats().connections;
  return { native, fallback };
}

/** Waits until the connections of tests before this one are gone from the workers, too. */
async function noConnectionsLeft() {
  while (connectionCounts().native > 0) await delay(5);
}

/** Whether connections are native here at all: our engine is there, and the addon is loaded. */
const hasNative = engines.includes(ours) && turbo.native;

module.exports = { connectionCounts, engineNamed, engines, hasNative, noConnectionsLeft };
