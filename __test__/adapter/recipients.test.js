"use strict";

/** The recipients of broadcasts, by rooms and exceptions, and other methods that take rooms. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { test } = require("node:test");
const { setImmediate: nextTurn } = require("node:timers/promises");
const { describeAdapters, serve } = require("../support/adapter-kinds.js");
const { hasNative, hasPollingWorkers } = require("../support/engines.js");
const { enter, enterAll, namesReceivedBy, receivedBy } = require("../support/socket-io-client.js");

const GUARD = { timeout: 20_000 };

describeAdapters((kind) => {
  test("broadcasts without a write in JavaScript to connections on workers", async (t) => {
    const server = await serve(t, kind);
    const entrance = await enter(server);
    const { client } = entrance.socket;
    const { mock } = t.mock.method(client, "writeToEngine");
    server.io.emit("for all");
    server.io.to(entrance.socket.id).emit("for one");
    const isOnWorker = kind.transport === "websocket" ? hasNative : hasPollingWorkers;
    const isDirect = kind.engine.name === "turbo" && isOnWorker;
    assert.equal(mock.callCount(), isDirect ? 0 : 2);
    assert.deepEqual(await namesReceivedBy(entrance), [["for all", "for one"]]);
  });

  test("reaches the sockets that rooms and exceptions select, each once", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const [a, b, c] = await enterAll(server, 3);
    a.socket.join(["x", "y"]);
    b.socket.join("y");
    io.emit("all");
    io.to("x").emit("x");
    io.to("y").emit("y");
    io.to("x").to("y").emit("x or y");
    io.in(["x", "y", "none"]).emit("x or y again");
    io.to("none").emit("nobody");
    io.except("x").emit("not x");
    io.to("y").except(["x", "none"]).emit("y, not x");
    io.except("x").except("y").emit("neither");
    io.local.to("y").emit("local");
    a.socket.broadcast.emit("others than a");
    a.socket.to("y").emit("y but a");
    b.socket.to("x").except("y").emit("b's nobody");
    c.socket.in(["x", "y"]).emit("c's");
    c.socket.local.emit("others than c");
    assert.deepEqual(await namesReceivedBy(a, b, c), [
      ["all", "x", "y", "x or y", "x or y again", "local", "c's", "others than c"],
      [
        ...["all", "y", "x or y", "x or y again", "not x", "y, not x", "local"],
        ...["others than a", "y but a", "c's", "others than c"],
      ],
      ["all", "not x", "neither", "others than a"],
    ]);
  });

  test("distinguishes rooms 1 and '1'", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const entrances = await enterAll(server, 4);
    const [a, b, c] = entrances;
    for (const { socket } of [a, b]) socket.join(1);
    for (const { socket } of [b, c]) socket.join("1");
    io.to(1).emit("number");
    io.to("1").emit("string");
    io.to([1, "1"]).emit("both");
    io.except(1).emit("not the number");
    b.socket.leave(1);
    io.to(1).emit("number again");
    assert.deepEqual(await namesReceivedBy(...entrances), [
      ["number", "both", "number again"],
      ["number", "string", "both"],
      ["string", "both", "not the number"],
      ["not the number"],
    ]);
  });

  test(
    "reaches a socket that has joined the room named like the id of another",
    GUARD,
    async (t) => {
      const server = await serve(t, kind);
      const { io } = server;
      const [a, b, c] = await enterAll(server, 3);
      io.to(a.socket.id).emit("a alone");
      b.socket.join(a.socket.id);
      io.to(a.socket.id).emit("a and b");
      io.except(a.socket.id).emit("c alone");
      a.socket.broadcast.emit("c alone again");
      a.socket.leave(a.socket.id);
      io.to(a.socket.id).emit("b alone");
      a.socket.broadcast.emit("a and c");
      b.socket.leave(a.socket.id);
      io.to(a.socket.id).emit("nobody");
      a.socket.join(a.socket.id);
      io.to(a.socket.id).emit("a again");
      assert.deepEqual(await namesReceivedBy(a, b, c), [
        ["a alone", "a and b", "a and c", "a again"],
        ["a and b", "b alone"],
        ["c alone", "c alone again", "a and c"],
      ]);
    },
  );

  test("addresses and excludes hundreds of rooms in one emit", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const [a, b, c] = await enterAll(server, 3);
    const rooms = (from, to) => Array.from({ length: to - from }, (_, i) => `room ${from + i}`);
    // Of all three, of two, of one, and of no socket.
    a.socket.join(rooms(0, 300));
    b.socket.join(rooms(100, 200));
    c.socket.join(rooms(250, 300));
    io.to(rooms(0, 400)).emit("all");
    io.to(rooms(0, 100)).emit("a");
    io.to(rooms(150, 220)).emit("a and b");
    io.to(rooms(300, 400)).emit("nobody");
    io.except(rooms(100, 200)).emit("c");
    io.except([...rooms(201, 249), ...rooms(300, 400)]).emit("b and c");
    io.to(rooms(0, 300)).except(rooms(200, 300)).emit("b");
    assert.deepEqual(await namesReceivedBy(a, b, c), [
      ["all", "a", "a and b"],
      ["all", "a and b", "b and c", "b"],
      ["all", "c", "b and c"],
    ]);
  });

  test("reaches rooms that have emptied and filled again", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const [a, b, c] = await enterAll(server, 3);
    for (let round = 0; round < 20; round++) {
      for (const { socket } of [a, b]) socket.join("room");
      io.to("room").emit("two", round);
      a.socket.leave("room");
      io.to("room").emit("one", round);
      if (round % 3 === 0) await nextTurn();
      b.socket.leave("room");
      io.to("room").emit("nobody", round);
      c.socket.join(["room", "other"]);
      io.to(["room", "other"]).emit("third", round);
      c.socket.leave("room");
    }
    const rounds = Array.from({ length: 20 }, (_, round) => round);
    assert.deepEqual(
      await receivedBy(a),
      rounds.map((round) => ["two", round]),
    );
    assert.deepEqual(
      await receivedBy(b),
      rounds.flatMap((round) => [
        ["two", round],
        ["one", round],
      ]),
    );
    assert.deepEqual(
      await receivedBy(c),
      rounds.map((round) => ["third", round]),
    );
  });

  test("reaches the sockets that are in a room when emit() is called", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const [a, b] = await enterAll(server, 2);
    io.to("room").emit("before");
    a.socket.join("room");
    io.to("room").emit("joined");
    b.socket.join("room");
    io.to("room").emit("joined by both");
    a.socket.leave("room");
    io.to("room").emit("left");
    a.socket.join("room");
    a.socket.leave("room");
    io.to("room").emit("in and out");
    io.in("room").socketsLeave("room");
    io.to("room").emit("empty");
    io.socketsJoin("room");
    io.to("room").emit("full");
    assert.deepEqual(await namesReceivedBy(a, b), [
      ["joined", "joined by both", "full"],
      ["joined by both", "left", "in and out", "full"],
    ]);
  });

  test("reaches a socket from the listener of its join", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const entrances = await enterAll(server, 3);
    const { adapter } = io.of("/");
    adapter.on("create-room", (room) => io.to(room).emit("created"));
    adapter.on("join-room", (room, id) => io.to(room).except("quiet").emit("joined", id));
    adapter.on("leave-room", (room, id) => io.to(room).emit("left", id));
    adapter.on("delete-room", (room) => io.to(room).emit("deleted"));
    const ids = entrances.map(({ socket }) => socket.id);
    for (const { socket } of entrances) socket.join("room");
    for (const { socket } of entrances) socket.leave("room");
    const [a, b, c] = ids;
    const ofA = [a, b, c].map((id) => ["joined", id]);
    const ofB = [
      ["joined", b],
      ["joined", c],
      ["left", a],
    ];
    const ofC = [
      ["joined", c],
      ["left", a],
      ["left", b],
    ];
    const received = [];
    for (const entrance of entrances) received.push(await receivedBy(entrance));
    assert.deepEqual(received, [ofA, ofB, ofC]);
  });

  test("reaches the right sockets when listeners change rooms in a change", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const [a, b, c] = await enterAll(server, 3);
    const { adapter } = io.of("/");
    // A socket that joins "door" is moved to "hall"; one that leaves "hall" takes b along.
    adapter.on("join-room", (room, id) => {
      if (room !== "door") return;
      adapter.del(id, "door");
      adapter.addAll(id, new Set(["hall"]));
    });
    adapter.on("leave-room", (room) => {
      if (room === "hall") b.socket.leave("hall");
    });
    for (const { socket } of [a, b, c]) socket.join("door");
    io.to("door").emit("door");
    io.to("hall").emit("hall of three");
    a.socket.leave("hall");
    io.to("hall").emit("hall of one");
    c.socket.leave("hall");
    io.to("hall").emit("hall of nobody");
    assert.deepEqual(
      [...adapter.rooms.keys()],
      [a, b, c].map(({ socket }) => socket.id),
    );
    assert.deepEqual(await namesReceivedBy(a, b, c), [
      ["hall of three"],
      ["hall of three"],
      ["hall of three", "hall of one"],
    ]);
  });

  test("finds sockets, and makes them join, leave and disconnect", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const [a, b, c] = await enterAll(server, 3);
    const fetched = async (operator) => (await operator.fetchSockets()).sort(byId);
    const byId = (one, other) => (one.id < other.id ? -1 : 1);
    const sockets = (...entrances) => entrances.map(({ socket }) => socket).sort(byId);
    a.socket.join("x");
    io.in("x").socketsJoin(["y", "z"]);
    io.except("x").socketsJoin("w");
    assert.deepEqual(await fetched(io), sockets(a, b, c));
    assert.deepEqual(await fetched(io.in("z")), sockets(a));
    assert.deepEqual(await fetched(io.in(["x", "w"]).except(c.socket.id)), sockets(a, b));
    assert.deepEqual(await fetched(b.socket.broadcast), sockets(a, c));
    assert.deepEqual(await io.of("/").adapter.sockets(new Set(["w"])), new Set(sids(b, c)));
    assert.deepEqual(await io.in("w").allSockets(), new Set(sids(b, c)));
    io.in("w").socketsLeave("w");
    assert.deepEqual([...b.socket.rooms], [b.socket.id]);
    assert.deepEqual([...a.socket.rooms], [a.socket.id, "x", "y", "z"]);
    const left = [a, b].map(({ client }) => once(client, "disconnect"));
    io.in("x").disconnectSockets();
    io.to(b.socket.id).disconnectSockets(true);
    assert.deepEqual(await fetched(io), sockets(c));
    assert.deepEqual(
      (await Promise.all(left)).map(([reason]) => reason),
      ["io server disconnect", "io server disconnect"],
    );
  });

  test("shows its rooms on sockets as live Sets", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { socket } = await enter(server);
    const { rooms } = socket;
    const { adapter } = server.io.of("/");
    assert.equal(socket.adapter, adapter);
    assert.equal(rooms, adapter.socketRooms(socket.id));
    assert.equal(socket.join("room"), undefined);
    assert.deepEqual(rooms, new Set([socket.id, "room"]));
    assert.equal(adapter.rooms.get("room"), adapter.rooms.get("room"));
    socket.leave("room");
    assert.deepEqual(rooms, new Set([socket.id]));
    assert.deepEqual(adapter.rooms, new Map([[socket.id, new Set([socket.id])]]));
  });

  test("warns when something is emitted to other servers", GUARD, async (t) => {
    const { io } = await serve(t, kind);
    const { mock } = t.mock.method(console, "warn", () => {});
    assert.equal(io.serverSideEmit("hello"), true);
    assert.match(mock.calls[0].arguments[0], /does not support the serverSideEmit/);
    assert.equal(await io.of("/").adapter.serverCount(), 1);
  });
});

function sids(...entrances) {
  return entrances.map(({ socket }) => socket.id);
}
