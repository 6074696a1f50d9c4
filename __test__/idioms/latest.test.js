"use strict";

/** A ticker by `turbo.latest()`: on stock parts, which send everything, clients end in the same state. */

const assert = require("node:assert/strict");
const { randomBytes } = require("node:crypto");
const { describe, test } = require("node:test");
const { latest } = require("../..");
const { engines, hasNative } = require("../support/engines.js");
const { enterByHand } = require("../support/hand-client.js");
const { randomFrom, SEED } = require("../support/random.js");
const { enterAll, receivedByAll } = require("../support/socket-io-client.js");
const { startServer } = require("../support/socket-io-server.js");

const GUARD = { timeout: 60_000 };
const KEYS = 20;
const ROUNDS = 60;

/** So long that the kernel's buffers hold a few rounds only; not compressible. */
const PADDING = randomBytes(12 * 1024).toString("base64");

/** Returns the numbers of the rounds that a client has received, by key. */
function roundsByKey(messages) {
  const rounds = Array.from({ length: KEYS }, () => []);
  for (const message of messages) {
    const [name, key, round] = JSON.parse(message.slice(2));
    if (name === "price") rounds[key].push(round);
  }
  return rounds;
}

/** Asserts that each key has only become newer, and is as new as can be. */
function assertNewest(rounds) {
  for (const ofKey of rounds) {
    assert.ok(ofKey.every((round, i) => i === 0 || round > ofKey[i - 1]));
    assert.equal(ofKey.at(-1), ROUNDS - 1);
  }
}

for (const engine of engines) {
  describe(`A ticker on ${engine.name}`, GUARD, () => {
    test("brings all clients to the newest state, however they read", async (t) => {
      const server = await startServer(t, engine);
      const { io } = server;
      const fast = await enterAll(server, 3);
      const slow = [];
      for (let i = 0; i < 3; i++) slow.push((await enterByHand(server)).client);
      const { chance } = randomFrom(SEED);
      for (let round = 0; round < ROUNDS; round++) {
        for (const [i, { webSocket }] of slow.entries()) {
          // The first does not read at all before the end.
          if (i === 0 || chance(0.5)) webSocket.pause();
          else webSocket.resume();
        }
        for (let key = 0; key < KEYS; key++) {
          latest(io, `price ${key}`).emit("price", key, round, PADDING);
        }
        const received = await receivedByAll(...fast);
        for (const events of received) {
          const prices = events.map(([, key, ofRound]) => [key, ofRound]);
          // A client that keeps up gets everything.
          assert.deepEqual(
            prices,
            Array.from({ length: KEYS }, (_, key) => [key, round]),
          );
        }
      }
      io.emit("end");
      for (const [i, client] of slow.entries()) {
        client.webSocket.resume();
        await client.until(() => client.received.includes('42["end"]'), "the last packet");
        const rounds = roundsByKey(client.received);
        assertNewest(rounds);
        if (i > 0) continue;
        const count = rounds.flat().length;
        if (engine.name === "stock") assert.equal(count, KEYS * ROUNDS);
        else if (hasNative) assert.ok(count < (KEYS * ROUNDS) / 2, `it got ${count}`);
      }
    });
  });
}
