"use strict";

/** Several namespaces on one connection, and several servers and adapters in one process. */

const assert = require("node:assert/strict");
const { EventEmitter, once } = require("node:events");
const { test } = require("node:test");
const { setImmediate: nextTurn } = require("node:timers/promises");
const { Server } = require("socket.io");
const official = require("socket.io-adapter");
const turbo = require("../..");
const { describeAdapters, serve } = require("../support/adapter-kinds.js");
const {
  enter,
  enterAll,
  enterAnother,
  namesReceivedBy,
  receivedBy,
} = require("../support/socket-io-client.js");

const GUARD = { timeout: 20_000 };
const BYTES = Buffer.from([0, 1, 127, 128, 255]);

/** A parent of dynamic namespaces, and an emitter of the connections to all its children. */
function dynamicNamespaces(io) {
  const parent = io.of(/^\/dynamic-\d+$/);
  const from = new EventEmitter();
  parent.on("connection", (socket) => from.emit("connection", socket));
  return { parent, from };
}

/** Waits until a server has noticed that its clients have disconnected, then closes its engine. */
async function noneLeft(io) {
  while (io.engine.clientsCount > 0) await nextTurn();
  io.engine.close();
}

describeAdapters((kind) => {
  test("keeps namespaces on one connection apart", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const main = await enter(server);
    const one = await enterAnother(main, server, "/one");
    const two = await enterAnother(main, server, "/two");
    for (const { socket } of [main, one, two]) socket.join("room");
    io.emit("main");
    io.of("/one").emit("one");
    io.of("/two").to("room").emit("two", BYTES);
    io.to("room").emit("main room");
    one.socket.leave("room");
    io.of("/one").to("room").emit("nobody");
    io.of("/one").except("room").emit("one again");
    const closed = once(two.client, "disconnect");
    two.socket.disconnect();
    io.of("/two").emit("nobody");
    io.emit("main again");
    await closed;
    assert.deepEqual(await namesReceivedBy(main, one), [
      ["main", "main room", "main again"],
      ["one", "one again"],
    ]);
    assert.deepEqual(two.client.received, [["two", BYTES]]);
    assert.deepEqual([...io.of("/two").adapter.rooms.keys()], []);
  });

  test("keeps the order of namespaces on one connection", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const main = await enter(server);
    const other = await enterAnother(main, server, "/other");
    const received = [];
    for (const { client } of [main, other]) client.onAny((event) => received.push(event));
    for (let i = 0; i < 50; i++) {
      io.emit(`${4 * i}`);
      io.of("/other").emit(`${4 * i + 1}`, BYTES);
      main.socket.emit(`${4 * i + 2}`);
      other.socket.emit(`${4 * i + 3}`, BYTES);
    }
    await receivedBy(main);
    received.pop();
    assert.deepEqual(
      received,
      Array.from({ length: 200 }, (_, i) => `${i}`),
    );
  });

  test("reaches both sockets of a client that enters a namespace twice", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const other = await enter(server);
    // A second CONNECT is only possible before the first is answered.
    const waiting = [];
    io.use((_socket, next) => {
      waiting.push(next);
      if (waiting.length === 2) for (const proceed of waiting) proceed();
    });
    const came = [];
    io.on("connection", (socket) => came.push(socket));
    const { client, socket: first } = await enter(server, {
      // Socket.IO v5, "Connection to a namespace": CONNECT is 0.
      prepare: (client) => client.io.once("open", () => client.io.engine.write("0")),
    });
    if (came.length < 2) await once(io, "connection");
    const second = came[1];
    assert.deepEqual([came[0], second.conn], [first, first.conn]);
    // The client's packets now go to the second.
    const entrance = { client, socket: second };
    await receivedBy(entrance);
    io.emit("twice", BYTES);
    io.to(first.id).emit("for the first");
    io.to(second.id).emit("for the second");
    io.except(first.id).emit("not for the first");
    first.broadcast.emit("from the first");
    for (const socket of [first, second]) socket.join("room");
    io.to("room").emit("twice in the room");
    assert.deepEqual(await namesReceivedBy(entrance, other), [
      [
        ...["twice", "twice", "for the first", "for the second", "not for the first"],
        ...["from the first", "twice in the room", "twice in the room"],
      ],
      ["twice", "not for the first", "from the first"],
    ]);
    // The first ends without a packet to the client.
    first._onclose("server namespace disconnect");
    const ended = once(client, "end");
    io.emit("once");
    io.to("room").emit("once in the room");
    second.emit("end");
    await ended;
    assert.deepEqual(client.received, [["once"], ["once in the room"], ["end"]]);
    assert.deepEqual(await namesReceivedBy(other), [["once"]]);
  });

  test("serves dynamic namespaces, and parents reach all their children", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const { parent, from } = dynamicNamespaces(io);
    const one = await enter(server, { namespace: "/dynamic-1", from });
    const alsoOne = await enter(server, { namespace: "/dynamic-1", from });
    const two = await enter(server, { namespace: "/dynamic-2", from });
    const none = await enter(server);
    for (const { socket } of [one, two]) socket.join("room");
    parent.emit("all children");
    parent.to("room").emit("rooms of children", BYTES);
    parent.except("room").emit("not in a room");
    io.of("/dynamic-1").emit("one child");
    one.socket.broadcast.emit("others of one child");
    assert.deepEqual(await namesReceivedBy(one, alsoOne, two, none), [
      ["all children", "rooms of children", "one child"],
      ["all children", "not in a room", "one child", "others of one child"],
      ["all children", "rooms of children"],
      [],
    ]);
  });

  test("starts empty in a child namespace that was cleaned up", GUARD, async (t) => {
    const server = await serve(t, kind, { cleanupEmptyChildNamespaces: true });
    const { io } = server;
    const { parent, from } = dynamicNamespaces(io);
    for (let round = 0; round < 3; round++) {
      const entrances = [
        await enter(server, { namespace: "/dynamic-1", from }),
        await enter(server, { namespace: "/dynamic-1", from }),
      ];
      for (const { socket } of entrances) socket.join("room");
      parent.to("room").emit("parent");
      io.of("/dynamic-1").to("room").emit("child");
      const received = await namesReceivedBy(...entrances);
      assert.deepEqual(received, Array(2).fill(["parent", "child"]));
      const gone = entrances.map(({ socket }) => once(socket, "disconnect"));
      for (const { client } of entrances) client.disconnect();
      await Promise.all(gone);
      assert.ok(!io._nsps.has("/dynamic-1"));
      parent.emit("nobody");
    }
  });

  test("keeps two servers in one process apart", GUARD, async (t) => {
    const servers = [await serve(t, kind), await serve(t, kind)];
    const entrances = [];
    for (const server of servers) {
      const [a, b] = await enterAll(server, 2);
      for (const { socket } of [a, b]) socket.join("room");
      a.socket.join("alone");
      entrances.push(a, b);
    }
    for (const [i, { io }] of servers.entries()) {
      io.emit(`all of ${i}`);
      io.to("room").emit(`room of ${i}`);
      io.to("alone").emit(`one of ${i}`);
      io.except("alone").emit(`other of ${i}`);
    }
    assert.deepEqual(
      await namesReceivedBy(...entrances),
      [0, 1].flatMap((i) => [
        [`all of ${i}`, `room of ${i}`, `one of ${i}`],
        [`all of ${i}`, `room of ${i}`, `other of ${i}`],
      ]),
    );
  });

  test("serves two servers on one HTTP server", GUARD, async (t) => {
    const server = await serve(t, kind);
    // Otherwise each server destroys the upgrades for the other: engine.io, "destroyUpgrade".
    const options = { path: "/other/", destroyUpgrade: false };
    server.io.engine.opts.destroyUpgrade = false;
    const io = new Server(server.httpServer, kind.engine.serverOptions(options));
    server.beforeClose(() => noneLeft(io));
    const first = await enter(server);
    const second = await enter({ ...server, io }, { path: "/other/" });
    for (const { socket } of [first, second]) socket.join("room");
    server.io.to("room").emit("first");
    io.to("room").emit("second");
    assert.deepEqual(await namesReceivedBy(first, second), [["first"], ["second"]]);
  });

  test("replaces another adapter of a running server", GUARD, async (t) => {
    const create = { stock: () => official.Adapter, turbo: turbo.createAdapter };
    const server = await serve(t, kind, { adapter: official.Adapter });
    const { io } = server;
    const early = await enter(server);
    early.socket.join("room");
    io.adapter(create[kind.engine.name]());
    const [late, later] = await enterAll(server, 2);
    late.socket.join("room");
    assert.equal(early.socket.adapter.sids.size, 1);
    assert.equal(io.of("/").adapter, late.socket.adapter);
    io.emit("all");
    io.to("room").emit("room");
    late.socket.broadcast.emit("others");
    // A socket keeps the adapter with which it connected.
    early.socket.to("room").emit("nobody");
    early.socket.emit("own");
    assert.deepEqual(await namesReceivedBy(early, late, later), [
      ["own"],
      ["all", "room"],
      ["all", "others"],
    ]);
  });

  test("is replaced by another adapter in a running server", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const [early, alsoEarly] = await enterAll(server, 2);
    io.adapter(official.Adapter);
    const late = await enter(server);
    io.emit("all");
    early.socket.broadcast.emit("others");
    early.socket.emit("own");
    assert.deepEqual(await namesReceivedBy(early, alsoEarly, late), [["own"], ["others"], ["all"]]);
  });

  test("leaves the work to an adapter of the user", GUARD, async (t) => {
    const calls = [];
    class Adapter extends official.Adapter {
      broadcast(packet, options) {
        calls.push(packet.data[0]);
        super.broadcast(packet, options);
      }
    }
    const server = await serve(t, kind, { adapter: Adapter });
    const entrances = await enterAll(server, 2);
    for (let i = 0; i < 10; i++) {
      server.io.emit(`${3 * i}`);
      entrances[0].socket.emit(`${3 * i + 1}`);
      server.io.emit(`${3 * i + 2}`, BYTES);
    }
    const numbers = Array.from({ length: 30 }, (_, i) => `${i}`);
    const broadcasts = numbers.filter((number) => number % 3 !== 1);
    assert.deepEqual(await namesReceivedBy(...entrances), [numbers, broadcasts]);
    assert.deepEqual(calls, broadcasts);
  });
});
