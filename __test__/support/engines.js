"use strict";

/** The engines that the tests of connections compare: the official one, and ours. */

const assert = require("node:assert/strict");
const http = require("node:http");
const { WebSocketServer } = require("ws");
const turbo = require("../..");
const { hasEngine } = require("../../lib/addon/index.js");
const { polled } = require("./observed.js");

/**
 * @typedef {object} Engine
 * @property {string} name
 * @property {(options?: object) => object} serverOptions makes the options of a Socket.IO server
 * @property {typeof WebSocketServer} WebSocketServer
 */

/** The official packages: the oracle, which shows that a test demands nothing new. */
const stock = { name: "stock", serverOptions: (options = {}) => options, WebSocketServer };

const ours = {
  name: "turbo",
  serverOptions: turbo.turbo,
  WebSocketServer: turbo.turbo.WebSocketServer,
};

/**
 * The engines that a test runs with. Without the addon, ours alone: the tests run with the official
 * one where the addon is loaded.
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
 * Returns what `turbo.stats()` reports of the connections of this process.
 *
 * @returns {{ native: number, fallback: Record<string, number> }} open native connections, and
 *   upgrades that were left to ws, by the reason
 */
function connectionCounts() {
  const { native, fallback } = turbo.turbo.stats().connections;
  return { native, fallback };
}

/** Waits until the workers have no connection of an earlier test any more. */
function noConnectionsLeft() {
  return polled(() => connectionCounts().native === 0);
}

/** True if connections can be native here: the addon is loaded, and has an engine. */
const hasNative = hasEngine;

/** True if workers serve clients that poll a server of ours, see `with-door.js`. */
const hasPollingWorkers = hasNative && http.createServer === turbo.createServer;

/**
 * Asserts, where connections can be native, how many there are.
 *
 * @param {Engine} engine
 * @param {number} count expected of ours; the official engine has none
 */
function assertNativeCount({ name }, count) {
  if (hasNative) assert.equal(connectionCounts().native, name === "stock" ? 0 : count);
}

module.exports = {
  assertNativeCount,
  connectionCounts,
  engineNamed,
  engines,
  hasNative,
  hasPollingWorkers,
  noConnectionsLeft,
};
