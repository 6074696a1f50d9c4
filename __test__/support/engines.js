"use strict";

/** The engines that the tests of connections judge: the official one, and ours. */

const { setTimeout: delay } = require("node:timers/promises");
const { WebSocketServer } = require("ws");
const turbo = require("../..");
const { hasEngine } = require("../../lib/addon/index.js");

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

/**
 * Those that a test runs with. Without the addon ours is judged alone: the tests have been run with
 * the official one where the addon is loaded.
 *
 * @type {Engine[]}
 */
const engines = hasEngine ? [stock, ours] : [ours];

/**
 * @param {string} name
 * @returns {Engine}
 */
function engineNamed(name) {
  return [stock, ours].find((engine) => engine.name === name);
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

/** Whether connections are native here at all: the addon is loaded, and has an engine. */
const hasNative = hasEngine;

module.exports = { connectionCounts, engineNamed, engines, hasNative, noConnectionsLeft };
