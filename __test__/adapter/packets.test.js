"use strict";

/** Packets that are broadcast: text and binary data of all lengths, whole and in order. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { test } = require("node:test");
const { ALL, EVENT, describeAdapters, serve } = require("../support/adapter-kinds.js");
const { enter, enterAll, namesReceivedBy, receivedBy } = require("../support/socket-io-client.js");

const GUARD = { timeout: 40_000 };
const BYTES = Buffer.from([0, 1, 127, 128, 255]);

describeAdapters((kind) => {
  test("broadcasts text, binary data and their mixtures whole and in order", GUARD, async (t) => {
    const server = await serve(t, kind);
    const entrances = await enterAll(server, 3);
    const values = ["text", "ž😀\u0000", BYTES, { a: [BYTES, "b", { BYTES }] }, [], null, 1.5];
    for (const { socket } of entrances) socket.join("room");
    for (const value of values) {
      server.io.emit("one", value);
      server.io.to("room").emit("two", value, BYTES, value);
    }
    const expected = values.flatMap((value) => [
      ["one", value],
      ["two", value, BYTES, value],
    ]);
    for (const entrance of entrances) assert.deepEqual(await receivedBy(entrance), expected);
  });

  test("broadcasts with and without compression", GUARD, async (t) => {
    const server = await serve(t, kind, { perMessageDeflate: { threshold: 0 } });
    const entrances = await enterAll(server, 2);
    server.io.compress(true).emit("compressed", "text".repeat(1000));
    server.io.compress(false).emit("as it is", BYTES);
    entrances[0].socket.compress(true).broadcast.emit("of one");
    assert.deepEqual(await namesReceivedBy(...entrances), [
      ["compressed", "as it is"],
      ["compressed", "as it is", "of one"],
    ]);
  });

  test("treats options that are missing or no Sets as empty Sets", GUARD, async (t) => {
    const server = await serve(t, kind);
    const [a, b] = await enterAll(server, 2);
    const { adapter } = server.io.of("/");
    a.socket.join("room");
    const broadcast = (event, options) =>
      adapter.broadcast({ type: EVENT, data: [event] }, { rooms: new Set(), ...options });
    broadcast("nothing else", {});
    broadcast("null", { except: null });
    broadcast("an array", { except: ["room"] });
    broadcast("no flags", { except: new Set(["room"]), flags: null });
    broadcast("an array of rooms", { rooms: ["room"] });
    broadcast("odd rooms", { rooms: new Set([undefined, null, "room"]) });
    const both = ["nothing else", "null", "an array"];
    assert.deepEqual(await namesReceivedBy(a, b), [
      [...both, "an array of rooms", "odd rooms"],
      [...both, "no flags", "an array of rooms"],
    ]);
  });

  test("broadcasts packets that are no events", GUARD, async (t) => {
    const server = await serve(t, kind);
    const entrances = await enterAll(server, 2);
    const { adapter } = server.io.of("/");
    const answers = entrances.map(({ client }) => {
      client.ids = 5;
      return client.emitWithAck("question");
    });
    adapter.broadcast({ type: 3, id: 5, data: ["answer", BYTES] }, ALL);
    assert.deepEqual(await Promise.all(answers), ["answer", "answer"]);
    const left = entrances.map(({ client }) => once(client, "disconnect"));
    adapter.broadcast({ type: 1 }, ALL);
    for (const [reason] of await Promise.all(left)) assert.equal(reason, "io server disconnect");
  });

  test("broadcasts text and binary data of lengths around all limits", GUARD, async (t) => {
    const server = await serve(t, kind);
    const entrances = await enterAll(server, 2);
    const lengths = [125, 126, 16 * 1024, 65_535, 65_536].flatMap((length) =>
      // The packet adds its type, the name, quotes and brackets.
      Array.from({ length: 16 }, (_, i) => length - 14 + i),
    );
    for (const length of lengths) {
      const ofTwoBytes = "ž".repeat(length / 2);
      server.io.emit("text", "x".repeat(length));
      server.io.emit("text", length % 2 === 0 ? ofTwoBytes : `x${ofTwoBytes}`);
      server.io.emit("bytes", Buffer.alloc(length, length));
    }
    for (const entrance of entrances) {
      const received = await receivedBy(entrance);
      assert.deepEqual(
        received.map(([, value]) => Buffer.byteLength(value)),
        lengths.flatMap((length) => [length, length, length]),
      );
      assert.ok(received.every(([, value]) => isOneCharacter(value)));
    }
  });

  test("works again after values that cannot be encoded", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const entrance = await enter(server);
    const circular = {};
    circular.circular = circular;
    assert.throws(() => io.emit("wrong", circular), { message: /circular|call stack/i });
    assert.throws(() => io.to("none").emit("wrong", 1n), { name: "TypeError" });
    assert.throws(() => io.emit("connect"), { message: '"connect" is a reserved event name' });
    io.emit("right");
    assert.deepEqual(await namesReceivedBy(entrance), [["right"]]);
  });
});

/** Returns whether all bytes, or all characters behind the first, are the same. */
function isOneCharacter(value) {
  if (typeof value === "string") return new Set(value.slice(1)).size === 1;
  return value.equals(Buffer.alloc(value.length, value[0]));
}
