"use strict";

/** io.close(): packets that were sent before it, and rooms after it. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { test } = require("node:test");
const { describeAdapters, serve } = require("../support/adapter-kinds.js");
const { hasNative } = require("../support/engines.js");
const { enterAll } = require("../support/socket-io-client.js");

const GUARD = { timeout: 20_000 };

/** Calls `act` in a callback of its own, as the handler of an event. */
function inCallback(act) {
  return new Promise((resolve) => setImmediate(() => resolve(act())));
}

/** Calls `act` behind an `await`, so that nothing else runs before its promises. */
async function inPromise(act) {
  await undefined;
  return act();
}

describeAdapters((kind) => {
  const kib = "k".repeat(1024);
  const numbers = Array.from({ length: 200 }, (_, i) => i);

  const emissions = {
    "socket.emit()": (i, io) => {
      for (const socket of io.of("/").sockets.values()) socket.emit("last", i, kib);
    },
    "io.emit()": (i, io) => io.emit("last", i, kib),
    both: (i, io) => emissions[i % 2 === 0 ? "socket.emit()" : "io.emit()"](i, io),
  };
  const turns = { "a callback": inCallback, "a promise": inPromise };

  /** Returns how many of the events that are sent in the turn of `io.close()` arrive. */
  function expectedCount(turnName) {
    // With ws, engine.io queues all but the first until that is written, and drops its queue if
    // the promises of close() are settled before.
    const isOurs = kind.engine.name === "turbo" && hasNative;
    return isOurs || turnName === "a callback" ? numbers.length : 1;
  }

  // A polling client receives them or not, depending on whether a poll is open at that moment.
  const judged = kind.transport === "websocket" ? emissions : {};
  for (const [what, emit] of Object.entries(judged)) {
    for (const [turnName, act] of Object.entries(turns)) {
      const count = expectedCount(turnName);
      const name = `delivers ${count} of 200 events that ${what} sent before io.close() in ${turnName}`;
      test(name, GUARD, async (t) => {
        const server = await serve(t, kind);
        const entrances = await enterAll(server, 20);
        const closed = entrances.map(({ client }) => once(client, "disconnect"));
        await act(() => {
          for (const number of numbers) emit(number, server.io);
          return server.io.close();
        });
        await Promise.all(closed);
        for (const { client } of entrances) {
          const received = client.received.map(([, number]) => number);
          assert.deepEqual(received, numbers.slice(0, count));
        }
      });
    }
  }

  test("resolves io.close() and leaves no rooms", GUARD, async (t) => {
    const server = await serve(t, kind);
    const [a] = await enterAll(server, 2);
    const { adapter } = a.socket;
    a.socket.join("room");
    const closed = t.mock.method(adapter, "close");
    assert.equal(await server.io.close(), undefined);
    assert.equal(closed.mock.callCount(), 1);
    assert.deepEqual([adapter.rooms, adapter.sids], [new Map(), new Map()]);
    server.io.emit("nobody");
    assert.deepEqual(await server.io.fetchSockets(), []);
  });
});
