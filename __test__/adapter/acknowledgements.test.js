"use strict";

/** Broadcasts whose recipients acknowledge them. */

const assert = require("node:assert/strict");
const { EventEmitter, once } = require("node:events");
const { test } = require("node:test");
const { ALL, EVENT, describeAdapters, serve } = require("../support/adapter-kinds.js");
const { enterAll, namesReceivedBy } = require("../support/socket-io-client.js");

const GUARD = { timeout: 20_000 };
const BYTES = Buffer.from([0, 1, 127, 128, 255]);
/** Longer than any test, in milliseconds. */
const NEVER = 60_000;

/** Makes a client acknowledge `question`. */
function answers({ client }, ...answer) {
  client.on("question", (...args) => args.at(-1)(...answer));
}

describeAdapters((kind) => {
  test("collects the acks of all recipients", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const [a, b, c] = await enterAll(server, 3);
    for (const [i, entrance] of [a, b, c].entries()) answers(entrance, i, BYTES);
    a.socket.join("room");
    b.socket.join("room");
    const ask = (operator, ...args) => operator.timeout(NEVER).emitWithAck("question", ...args);
    assert.deepEqual((await ask(io, "text", BYTES)).sort(), [0, 1, 2]);
    assert.deepEqual((await ask(io.to("room"))).sort(), [0, 1]);
    assert.deepEqual(await ask(io.except("room"), { BYTES }), [2]);
    assert.deepEqual((await ask(b.socket.broadcast)).sort(), [0, 2]);
    assert.deepEqual(await ask(io.to("none")), []);
    assert.deepEqual(await ask(b.socket), 1);
    for (const { socket } of [a, b, c]) assert.equal(socket.acks.size, 0);
  });

  test("counts clients once and synchronously, when all acks are registered", GUARD, async (t) => {
    const server = await serve(t, kind);
    const nsp = server.io.of("/");
    const entrances = await enterAll(server, 3);
    // An outgoing listener makes JavaScript serve the last socket.
    const waiting = [];
    entrances[2].socket.onAnyOutgoing(() => {
      waiting.push(entrances.at(-1).socket.acks.size);
    });
    for (const [i, entrance] of entrances.entries()) answers(entrance, `answer ${i}`);
    const events = [];
    const allAnswered = new EventEmitter();
    const before = nsp._ids;
    const packet = { type: EVENT, data: ["question"] };
    nsp.adapter.broadcastWithAck(
      packet,
      ALL,
      (count) => events.push(count, ...entrances.map(({ socket }) => socket.acks.has(packet.id))),
      (answer) => {
        events.push(answer);
        if (events.length === 7) allAnswered.emit("done");
      },
    );
    assert.deepEqual(events, [3, true, true, true]);
    assert.deepEqual([packet.id, packet.nsp, nsp._ids], [before, "/", before + 1]);
    assert.deepEqual(waiting, [1]);
    await once(allAnswered, "done");
    assert.deepEqual(events.slice(4).sort(), ["answer 0", "answer 1", "answer 2"]);
    for (const { socket } of entrances) assert.equal(socket.acks.size, 0);
  });

  test("reports the acks received before the timeout, and forgets the others", async (t) => {
    const server = await serve(t, kind);
    const [a, b] = await enterAll(server, 2);
    answers(a, "in time");
    const asked = server.io.timeout(1_500).emitWithAck("question");
    const error = await asked.then(
      () => assert.fail("b has not answered"),
      (reason) => reason,
    );
    assert.equal(error.message, "operation has timed out");
    assert.deepEqual(error.responses, ["in time"]);
    assert.equal(b.socket.acks.size, 0);
    assert.deepEqual(await namesReceivedBy(b), [["question"]]);
  });

  test("keeps ack ids of sockets and of broadcasts apart", GUARD, async (t) => {
    const server = await serve(t, kind);
    const entrances = await enterAll(server, 2);
    for (const { client } of entrances) client.on("echo", (value, ack) => ack(value));
    const asked = [];
    for (let i = 0; i < 20; i++) {
      asked.push(server.io.timeout(NEVER).emitWithAck("echo", i));
      for (const { socket } of entrances) asked.push(socket.emitWithAck("echo", i));
    }
    const expected = Array.from({ length: 20 }, (_, i) => [[i, i], i, i]).flat();
    assert.deepEqual(await Promise.all(asked), expected);
  });
});
