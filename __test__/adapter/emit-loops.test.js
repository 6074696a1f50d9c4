"use strict";

/** Loops of `socket.emit()` over many clients, which may share texts and frames. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { describeAdapters, serve } = require("../support/adapter-kinds.js");
const { enter, enterAll, receivedBy } = require("../support/socket-io-client.js");

const GUARD = { timeout: 20_000 };

describeAdapters((kind) => {
  test("each client of a loop receives the arguments as they were", GUARD, async (t) => {
    const server = await serve(t, kind);
    const entrances = await enterAll(server, 5);
    const state = { round: 0, list: [0] };
    const bytes = Buffer.from([0]);
    const expected = entrances.map(() => []);
    for (let round = 0; round < 4; round++) {
      // The first two clients get equal packets, the others get what has changed between the calls.
      for (const [index, { socket }] of entrances.entries()) {
        if (index > 1) state.list[0] = state.round = bytes[0] = 10 * round + index;
        const args = [state, state.list, "text", round, bytes];
        expected[index].push(
          ["object", structuredClone(state)],
          ["primitives", "text", 1, null, true],
          ["primitives", "text", 1, null, true],
          ["primitives", "text", 1, null, index > 2],
          ["mixed", ...structuredClone(args.slice(0, 4)), Buffer.from(bytes)],
        );
        socket.emit("object", state);
        socket.emit("primitives", "text", 1, null, true);
        socket.emit("primitives", "text", 1, null, true);
        socket.emit("primitives", "text", 1, null, index > 2);
        socket.emit("mixed", ...args.slice(0, 4), Buffer.from(bytes));
      }
    }
    for (const [index, entrance] of entrances.entries()) {
      assert.deepEqual(await receivedBy(entrance), expected[index]);
    }
  });

  test("a loop with broadcasts, other namespaces and flags keeps its order", GUARD, async (t) => {
    const server = await serve(t, kind);
    server.io.of("/other");
    const entrances = await enterAll(server, 4, { acknowledges: true });
    const others = [];
    for (const _ of entrances) others.push(await enter(server, { namespace: "/other" }));
    const texts = ["a".repeat(300), "ž😀".repeat(100), "a".repeat(300)];
    for (const value of texts) {
      for (const [index, { socket }] of entrances.entries()) {
        socket.emit("news", value);
        others[index].socket.emit("news", value);
        socket.compress(false).emit("news", value);
        socket.timeout(60_000).emit("question", value, () => {});
      }
      server.io.emit("news", value);
    }
    const of = (value) => [
      ["news", value],
      ["news", value],
      ["question", value],
      ["news", value],
    ];
    for (const entrance of entrances) {
      assert.deepEqual(await receivedBy(entrance), texts.flatMap(of));
    }
    for (const other of others) {
      assert.deepEqual(
        await receivedBy(other),
        texts.map((value) => ["news", value]),
      );
    }
  });
});
