"use strict";

/** Connection state recovery: sessions, their rooms and the packets that were missed. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { test } = require("node:test");
const official = require("socket.io-adapter");
const { describeAdapters, serve } = require("../support/adapter-kinds.js");
const { enter, enterAll, namesReceivedBy, receivedBy } = require("../support/socket-io-client.js");

const GUARD = { timeout: 20_000 };
const BYTES = Buffer.from([0, 1, 127, 128, 255]);
/** Longer than any test, in milliseconds. */
const NEVER = 60_000;

/** Returns events without the offset that is their last argument. */
function withoutOffsets(received) {
  return received.map((args) => args.slice(0, -1));
}

/** Breaks a connection off, calls `meanwhile`, and waits until the client is connected again. */
async function interrupt({ io }, { client, socket }, meanwhile) {
  const left = once(socket, "disconnect");
  const back = once(io, "connection");
  client.io.engine.close();
  await left;
  await meanwhile();
  const [[restored]] = await Promise.all([back, once(client, "connect")]);
  return restored;
}

/** As `namesReceivedBy()`, with a fence of the client: sockets that share an id also share a room. */
async function namesAcknowledgedTo({ client }) {
  await client.emitWithAck("echo", "fence");
  return client.received.splice(0).map(([event]) => event);
}

describeAdapters((kind) => {
  const serverOptions = { connectionStateRecovery: { maxDisconnectionDuration: NEVER } };
  const clientOptions = { reconnection: true, reconnectionDelay: 50 };

  test("restores a session, its rooms and the packets missed in them", GUARD, async (t) => {
    const server = await serve(t, kind, serverOptions);
    const { io } = server;
    const returns = await enter(server, clientOptions);
    const stays = await enter(server);
    assert.ok(io.of("/").adapter instanceof official.SessionAwareAdapter);
    assert.equal(returns.socket.recovered, false);
    returns.socket.join(["room", 1]);
    returns.socket.data.name = "returns";
    stays.socket.join("other");
    io.emit("received");
    assert.deepEqual(withoutOffsets(await receivedBy(returns)), [["received"]]);
    const { id } = returns.socket;
    const restored = await interrupt(server, returns, () => {
      io.volatile.emit("volatile");
      io.emit("for all", "text");
      io.to("room").emit("for the room", BYTES);
      io.to(1).emit("for the number");
      io.to(id).emit("for one");
      io.to("other").emit("for another room");
      io.except("room").emit("for others");
      io.to("room").except("other").emit("not for the other room");
      io.timeout(10).emit("with an ack", () => {});
      returns.socket.emit("to the former socket");
    });
    assert.equal(restored.recovered, true);
    assert.equal(returns.client.recovered, true);
    assert.deepEqual([restored.id, restored.data], [id, { name: "returns" }]);
    assert.deepEqual([...restored.rooms].sort(), [1, id, "room"].sort());
    io.to("room").emit("again for the room");
    io.to([1, "other"]).emit("again for two rooms");
    restored.broadcast.emit("from the returned socket");
    const entrance = { client: returns.client, socket: restored };
    assert.deepEqual(withoutOffsets(await receivedBy(entrance)), [
      ["for all", "text"],
      ["for the room", BYTES],
      ["for the number"],
      ["for one"],
      ["not for the other room"],
      ["to the former socket"],
      ["again for the room"],
      ["again for two rooms"],
    ]);
    const received = (await receivedBy(stays)).map(([event]) => event);
    // A volatile packet may be dropped.
    assert.deepEqual(
      received.filter((event) => event !== "volatile"),
      [
        ...["received", "for all", "for another room", "for others", "with an ack"],
        ...["again for two rooms", "from the returned socket"],
      ],
    );
  });

  test("restores a session repeatedly, and no packet twice", GUARD, async (t) => {
    const server = await serve(t, kind, serverOptions);
    const { io } = server;
    const { client, socket } = await enter(server, clientOptions);
    let current = socket;
    current.join("room");
    current.emit("begin");
    await receivedBy({ client, socket });
    for (let round = 0; round < 5; round++) {
      current = await interrupt(server, { client, socket: current }, () => {
        io.to("room").emit("missed", round);
      });
      assert.equal(current.recovered, true);
      io.to("room").emit("present", round);
      current.emit("own", round);
      assert.deepEqual(withoutOffsets(await receivedBy({ client, socket: current })), [
        ["missed", round],
        ["present", round],
        ["own", round],
      ]);
    }
  });

  test("reaches the last of two sockets that have one session", GUARD, async (t) => {
    const server = await serve(t, kind, serverOptions);
    const { io } = server;
    const stays = await enter(server);
    const { client, socket } = await enter(server);
    socket.join("room");
    io.emit("begin");
    const [[, offset]] = await receivedBy({ client, socket });
    const left = once(socket, "disconnect");
    client.io.engine.close();
    await left;
    const auth = { pid: socket.pid, offset };
    const first = await enter(server, { auth });
    const second = await enter(server, { auth });
    assert.deepEqual([first.socket.id, second.socket.id], [socket.id, socket.id]);
    await receivedBy(stays);
    for (const entrance of [first, second]) await namesAcknowledgedTo(entrance);
    io.emit("all");
    io.to("room").emit("room", BYTES);
    io.to(socket.id).emit("one");
    stays.socket.broadcast.emit("others");
    const names = ["all", "room", "one", "others"];
    await receivedBy(stays);
    assert.deepEqual(await namesAcknowledgedTo(second), names);
    assert.deepEqual(await namesAcknowledgedTo(first), []);
    // The socket that disconnects takes the rooms of both along.
    const gone = once(first.socket, "disconnect");
    first.client.disconnect();
    await gone;
    io.to("room").emit("nobody");
    io.emit("all again");
    assert.deepEqual(await namesReceivedBy(stays), [["all again"]]);
    assert.deepEqual(await namesAcknowledgedTo(second), []);
  });

  test("restores no session after maxDisconnectionDuration", GUARD, async (t) => {
    const server = await serve(t, kind, {
      connectionStateRecovery: { maxDisconnectionDuration: -1 },
    });
    const returns = await enter(server, clientOptions);
    returns.socket.join("room");
    server.io.emit("received");
    await receivedBy(returns);
    const restored = await interrupt(server, returns, () => server.io.emit("missed"));
    assert.equal(restored.recovered, false);
    assert.notEqual(restored.id, returns.socket.id);
    assert.deepEqual([...restored.rooms], [restored.id]);
    server.io.to("room").emit("nobody");
    assert.deepEqual(await receivedBy({ client: returns.client, socket: restored }), []);
  });

  test("keeps the order of a socket's own packets and of broadcasts", GUARD, async (t) => {
    const server = await serve(t, kind, serverOptions);
    const entrances = await enterAll(server, 2);
    const [{ socket }] = entrances;
    const asked = [];
    for (let i = 0; i < 10; i++) {
      socket.emit(`${4 * i}`, BYTES);
      server.io.emit(`${4 * i + 1}`);
      asked.push(socket.emitWithAck("fence"));
      socket.broadcast.emit(`${4 * i + 2}`);
      server.io.emit(`${4 * i + 3}`, BYTES);
    }
    await Promise.all(asked);
    const numbers = Array.from({ length: 40 }, (_, i) => `${i}`);
    assert.deepEqual(await namesReceivedBy(...entrances), [
      numbers.filter((number) => number % 4 !== 2),
      numbers.filter((number) => number % 4 !== 0),
    ]);
  });
});
