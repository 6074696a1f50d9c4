"use strict";

/**
 * Small programs that use the members of a class. Each runs with the official packages and with
 * ours, and must return the same. `census.test.js` reads which members they use.
 */

const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { connectionCounts, engines, hasNative } = require("../../support/engines.js");
const { HANG_GUARD } = require("../../support/observed.js");
const { connectPair } = require("../../support/websocket/pair.js");

/**
 * @typedef {object} Program
 * @property {string} title
 * @property {string[]} members of the class
 * @property {(stage: object) => Promise<unknown>} run returns the value that is compared
 * @property {object} [serverOptions] of ws
 */

/**
 * Connects a client of ws to the engine under test.
 *
 * @returns {Promise<{ client: object, socket: object, tcp: object, server: object }>} `socket` is
 *   the server's WebSocket, `tcp` its `net.Socket`
 */
async function websocketStage(t, engine, { serverOptions } = {}) {
  const { fallback } = connectionCounts();
  const pair = await connectPair(t, engine, serverOptions);
  assertNative(fallback);
  return { ...pair, tcp: pair.socket._socket };
}

/** Returns the words of a text. */
const words = (text) => text.trim().split(/\s+/);

/** Returns the values of some properties, by their names. */
function valuesOf(object, names) {
  return Object.fromEntries(words(names).map((name) => [name, object[name]]));
}

/** Asserts, where connections can be native, that none was left to ws since `fallback`. */
function assertNative(fallback) {
  if (hasNative) assert.deepEqual(connectionCounts().fallback, fallback);
}

/**
 * Defines a test for each program.
 *
 * @param {string} title
 * @param {Program[]} programs
 * @param {(t: object, engine: object, program: Program) => Promise<object>} [stageOf]
 */
function testPrograms(title, programs, stageOf = websocketStage) {
  describe(title, () => {
    for (const program of programs) {
      test(program.title, { timeout: 3 * HANG_GUARD }, async (t) => {
        const results = [];
        for (const engine of engines) {
          results.push(await program.run(await stageOf(t, engine, program)));
        }
        assert.deepEqual(results.at(-1), results[0]);
      });
    }
  });
}

/**
 * Records events as they are emitted.
 *
 * @param {Record<string, import("node:events").EventEmitter>} emitters by the name for the notes
 * @param {string[]} events
 * @returns {string[]} grows by an entry for each, such as `"tcp error ECONNRESET"`
 */
function noteEvents(emitters, events) {
  const notes = [];
  for (const [name, emitter] of Object.entries(emitters)) {
    for (const event of events) {
      emitter.on(event, (...values) => notes.push([name, event, ...values.map(noted)].join(" ")));
    }
  }
  return notes;
}

function noted(value) {
  if (value instanceof Error) return value.code ?? value.message;
  return String(value);
}

module.exports = { assertNative, noteEvents, testPrograms, valuesOf, websocketStage, words };
