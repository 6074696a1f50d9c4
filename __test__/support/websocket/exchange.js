"use strict";

/** Sends bytes to a WebSocket server, and asserts its application's events and its frames. */

const assert = require("node:assert/strict");
const { shown } = require("./client.js");
const { close } = require("./frames.js");

/** Returns events with their payloads in the form in which they are recorded. */
function asRecorded(events) {
  return events.map(([name, ...rest]) =>
    rest.length === 1 && name !== "error" ? [name, shown(rest[0])] : [name, ...rest],
  );
}

/**
 * Opens a connection, writes, and waits until the server ends it.
 *
 * @param {object} server of `recordingServer()`
 * @param {Buffer | Buffer[]} bytes the pieces of an array are sent one by one
 * @returns {Promise<{ events: unknown[], wire: unknown[], errors: Error[] }>} of the application;
 *   `wire` are the server's frames and its FIN
 */
async function exchange(server, bytes) {
  const { client, application } = await server.connect();
  await client.write(bytes);
  const wire = await client.wire();
  client.finish();
  const events = await application.closed();
  client.destroy();
  return { events, wire, errors: application.errors };
}

/**
 * Asserts the application's events, and that the connection then closes cleanly.
 *
 * @param {object} server
 * @param {Buffer | Buffer[]} bytes
 * @param {unknown[]} events
 * @param {unknown[]} [answers] the server's own frames: pongs
 */
async function assertReceived(server, bytes, events, answers = []) {
  const { events: seen, wire } = await exchange(server, [...[bytes].flat(), close(1000)]);
  assert.deepEqual(seen, [...asRecorded(events), ["close", 1000, ""]]);
  assert.deepEqual(wire, [...asRecorded(answers), ["close", 1000, ""], "FIN"]);
}

/**
 * Asserts that a server echoes messages.
 *
 * @param {object} server
 * @param {Buffer | Buffer[]} bytes
 * @param {unknown[]} messages
 * @returns {Promise<object[]>} how they came back, as `transfers` of the client
 */
async function assertEchoed(server, bytes, messages) {
  const { client, application } = await server.connect();
  await client.write(bytes);
  await client.hasReceived(messages.length);
  assert.deepEqual(client.frames, asRecorded(messages));
  await client.close();
  assert.deepEqual(await client.wire(), [...asRecorded(messages), ["close", 1000, ""], "FIN"]);
  assert.deepEqual(await application.closed(), [...asRecorded(messages), ["close", 1000, ""]]);
  client.destroy();
  return client.transfers;
}

/**
 * Asserts that the connection fails: RFC 6455 §7.1.7.
 *
 * @param {object} server
 * @param {Buffer | Buffer[]} bytes
 * @param {object} expected
 * @param {string} expected.error the code of the application's error
 * @param {number} expected.closeCode of the server's close frame
 * @param {unknown[]} [expected.events] of the application before the error
 * @param {unknown[]} [expected.answers] frames of the server before its close frame
 */
async function assertRefused(server, bytes, { error, closeCode, events = [], answers = [] }) {
  const { events: seen, wire, errors } = await exchange(server, bytes);
  assert.deepEqual(seen, [...asRecorded(events), ["error", error], ["close", 1006, ""]]);
  assert.deepEqual(wire, [...asRecorded(answers), ["close", closeCode, ""], "FIN"]);
  assert.ok(errors[0] instanceof Error);
}

/** Returns the refusal of an invalid header: RFC 6455 §7.4.1, 1002. */
function protocolError(error, before = {}) {
  return { error, closeCode: 1002, ...before };
}

module.exports = {
  assertEchoed,
  assertReceived,
  assertRefused,
  exchange,
  protocolError,
};
