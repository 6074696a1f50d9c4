"use strict";

/** Recipients of broadcasts while sockets connect, are refused, change their ids and disconnect. */

const assert = require("node:assert/strict");
const { EventEmitter, once } = require("node:events");
const { test } = require("node:test");
const { EVENT, describeAdapters, serve } = require("../support/adapter-kinds.js");
const {
  enter,
  enterAll,
  enterAnother,
  leave,
  namesReceivedBy,
  openClient,
  receivedBy,
} = require("../support/socket-io-client.js");

const GUARD = { timeout: 20_000 };
const BYTES = Buffer.from([0, 1, 127, 128, 255]);
/** Socket.IO v5, "Packet encoding". */
const BINARY_EVENT = 5;

describeAdapters((kind) => {
  test("does not reach sockets in a middleware, and reaches them after it", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const other = await enter(server);
    const atDoor = new EventEmitter();
    io.use((socket, next) => {
      socket.join(["room", "alone"]);
      other.socket.join("room");
      io.emit("too early");
      io.to("room").emit("too early for one");
      io.to("alone").emit("too early for the only one");
      atDoor.emit("socket", socket, next);
    });
    const entering = enter(server);
    const [socket, next] = await once(atDoor, "socket");
    io.to("alone").except("room").emit("nobody");
    assert.deepEqual([...io.of("/").adapter.rooms.get("room")], [socket.id, other.socket.id]);
    assert.deepEqual((await io.fetchSockets()).map(idOf), [other.socket.id]);
    next();
    const entrance = await entering;
    assert.equal(entrance.socket, socket);
    io.emit("for all");
    io.to("room").emit("for the room");
    io.to("alone").emit("for one");
    assert.deepEqual(await namesReceivedBy(entrance, other), [
      ["for all", "for the room", "for one"],
      ["too early", "too early for one", "for all", "for the room"],
    ]);
  });

  test("forgets a socket that a middleware refuses", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const entrance = await enter(server);
    io.use((socket, next) => {
      socket.join("room");
      next(new Error("refused"));
    });
    const client = openClient(server);
    assert.equal((await once(client, "connect_error"))[0].message, "refused");
    const { rooms, sids } = io.of("/").adapter;
    assert.deepEqual([...rooms.keys(), ...sids.keys()], Array(2).fill(entrance.socket.id));
    entrance.socket.join("room");
    io.to("room").emit("for the room");
    assert.deepEqual(await namesReceivedBy(entrance), [["for the room"]]);
    assert.deepEqual(client.received, []);
  });

  test("reaches a socket from its connection event on, after the CONNECT packet", async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    io.on("connection", (socket) => {
      io.emit("all");
      io.to(socket.id).emit("one");
      socket.join("room");
      io.to("room").emit("room");
      socket.emit("own");
    });
    const entrance = await enter(server);
    assert.deepEqual(await namesReceivedBy(entrance), [["all", "one", "room", "own"]]);
  });

  test("reaches a socket to which a middleware has given another id", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    io.use((socket, next) => {
      socket.id = `user ${socket.handshake.auth.user}`;
      next();
    });
    const entrances = [];
    for (const user of ["a", "b"]) entrances.push(await enter(server, { auth: { user } }));
    const [a, b] = entrances;
    a.socket.join("room");
    io.emit("all");
    io.to("user a").emit("a");
    io.to("room").emit("room");
    b.socket.broadcast.emit("others than b");
    a.socket.emit("own");
    const names = await namesReceivedBy(a, b);
    assert.deepEqual(names, [["all", "a", "room", "others than b", "own"], ["all"]]);
    a.socket.disconnect();
    io.emit("later");
    io.to("room").emit("nobody");
    assert.deepEqual(await namesReceivedBy(b), [["later"]]);
  });

  test("uses the id with which a socket connected, even if it changes", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const [a, b] = await enterAll(server, 2);
    const { id } = a.socket;
    a.socket.join("before");
    a.socket.id = "another";
    a.socket.join("after");
    b.socket.join(["before", "after"]);
    io.emit("all");
    io.to(id).emit("by the first id");
    io.to("another").emit("nobody");
    io.to("before").emit("before");
    io.to("after").emit("after");
    a.socket.broadcast.emit("all, as nobody has that id");
    a.socket.leave("before");
    io.to("before").emit("before again");
    a.socket.onAnyOutgoing(t.mock.fn());
    io.except("before").emit("served");
    a.socket.offAnyOutgoing();
    io.to("before").emit("direct again");
    const of = ["before", "all, as nobody has that id", "before again", "direct again"];
    assert.deepEqual(await namesReceivedBy(a, b), [
      ["all", "by the first id", ...of],
      ["all", "before", "after", "all, as nobody has that id", "before again", "direct again"],
    ]);
    const gone = once(a.socket, "disconnect");
    leave(a.client);
    await gone;
    io.emit("after the end");
    io.to("before").emit("after the end, too");
    assert.deepEqual(await namesReceivedBy(b), [["after the end", "after the end, too"]]);
  });

  test("no longer reaches a socket once disconnect() is called", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const [a, b, c] = await enterAll(server, 3);
    for (const { socket } of [a, b]) socket.join("room");
    const seen = [];
    a.socket.on("disconnecting", () => {
      seen.push([...a.socket.rooms]);
      a.socket.to("room").emit("a goes");
    });
    a.socket.on("disconnect", () => seen.push([...a.socket.rooms]));
    const left = once(a.client, "disconnect");
    io.emit("before");
    a.socket.disconnect();
    io.emit("after");
    io.to("room").emit("after, in the room");
    io.to(a.socket.id).emit("nobody");
    assert.equal(a.socket.join("room"), undefined);
    io.to("room").emit("still not");
    await left;
    assert.deepEqual(seen, [[a.socket.id, "room"], []]);
    assert.deepEqual(await namesReceivedBy(b, c), [
      ["before", "a goes", "after", "after, in the room", "still not"],
      ["before", "after"],
    ]);
    assert.deepEqual(a.client.received, [["before"]]);
    assert.deepEqual([...io.of("/").adapter.rooms.keys()].sort(), sorted(b, c, "room"));
  });

  test("takes a socket out of all rooms, even if it becomes direct meanwhile", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const [a, b, c] = await enterAll(server, 3);
    for (const { socket } of [a, b, c]) socket.join("room");
    io.of("/").adapter.on("leave-room", (_room, id) => {
      if (id !== a.socket.id) return;
      a.socket.onAnyOutgoing(t.mock.fn());
      a.socket.offAnyOutgoing();
    });
    const events = eventsOf(a);
    const left = once(a.client, "disconnect");
    a.socket.disconnect();
    for (const room of ["room", a.socket.id]) io.to(room).emit("later", BYTES);
    io.emit("later for all");
    await left;
    await receivedBy(b);
    const other = await enterAnother(a, server, "/other");
    assert.deepEqual(await receivedBy(other), []);
    assert.equal(events.length, 1);
  });

  test("joins no further room when a listener disconnects the socket", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const [a, b, c] = await enterAll(server, 3);
    for (const { socket } of [b, c]) socket.join("room");
    io.of("/").adapter.once("join-room", () => a.socket.disconnect());
    const events = eventsOf(a);
    const left = once(a.client, "disconnect");
    // Stock throws as well: its rooms of the socket are gone.
    assert.throws(() => a.socket.join(["door", "room"]), { name: "TypeError" });
    io.to("room").emit("for b and c");
    io.to("door").emit("nobody");
    await left;
    assert.deepEqual(await namesReceivedBy(b, c), [["for b and c"], ["for b and c"]]);
    const other = await enterAnother(a, server, "/other");
    assert.deepEqual(await receivedBy(other), []);
    assert.equal(events.length, 1);
  });

  test("sends nothing meant for a client that has disconnected to the next one", async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const stays = await enter(server);
    stays.socket.join("room");
    for (let round = 0; round < 5; round++) {
      const goes = await enter(server);
      goes.socket.join("room");
      const gone = once(goes.socket, "disconnect");
      if (round % 2 === 0) goes.client.disconnect();
      else goes.client.io.engine.close();
      io.emit("meanwhile", round);
      await gone;
      io.to("room").emit("later", round);
      const next = await enter(server);
      io.to("room").emit("not for the next", round);
      assert.deepEqual(await receivedBy(next), []);
      next.client.disconnect();
    }
    const received = (await receivedBy(stays)).map(([event, round]) => `${event} ${round}`);
    const rounds = [0, 1, 2, 3, 4];
    assert.deepEqual(
      received,
      rounds.flatMap((round) => [
        `meanwhile ${round}`,
        `later ${round}`,
        `not for the next ${round}`,
      ]),
    );
  });
});

/** Returns the events on a connection from now on, also those of namespaces that it has left. */
function eventsOf({ client }) {
  const events = [];
  client.io.on("packet", (packet) => {
    if (packet.type === EVENT || packet.type === BINARY_EVENT) events.push(packet);
  });
  return events;
}

function sorted(...values) {
  return values.map((value) => value.socket?.id ?? value).sort();
}

function idOf({ id }) {
  return id;
}
