"use strict";

/** The adapter against that of socket.io-adapter: the class by itself, and below real servers. */

const assert = require("node:assert/strict");
const { spawnSync } = require("node:child_process");
const { EventEmitter, once } = require("node:events");
const path = require("node:path");
const { describe, test } = require("node:test");
const { setImmediate: nextTurn } = require("node:timers/promises");
const { Server } = require("socket.io");
const official = require("socket.io-adapter");
const { io: connect } = require("socket.io-client");
const turbo = require("../..");
const { engines, hasNative } = require("../support/engines.js");
const { startServer } = require("../support/socket-io-server.js");

const GUARD = { timeout: 20_000 };
const BYTES = Buffer.from([0, 1, 127, 128, 255]);
const ROOM_EVENTS = ["create-room", "join-room", "leave-room", "delete-room"];

/** Socket.IO v5, "Packet encoding". */
const EVENT = 2;
const BINARY_EVENT = 5;

/** Longer than any test, in milliseconds. */
const NEVER = 60_000;

// --- The class by itself, on namespaces of which there is little ------------------------------

const recoveryOptions = { connectionStateRecovery: { maxDisconnectionDuration: NEVER } };
const Created = turbo.createAdapter();

/** How adapters are made for a namespace, which in the upstream suite has hardly any members. */
const makers = [
  { name: "the official adapter", make: (nsp) => new official.Adapter(nsp) },
  { name: "our adapter", make: (nsp) => new Created(nsp) },
  {
    name: "the official session-aware adapter",
    isSessionAware: true,
    make: (nsp) => new official.SessionAwareAdapter(withRecovery(nsp)),
  },
  {
    name: "our session-aware adapter",
    isSessionAware: true,
    make: (nsp) => new Created(withRecovery(nsp)),
  },
];

function withRecovery(nsp) {
  nsp.server.opts = recoveryOptions;
  return nsp;
}

/** A socket that writes down what an adapter gives it. */
function fakeSocket(id) {
  const written = [];
  const client = { writeToEngine: (packets, options) => written.push({ packets, options }) };
  return { id, client, written, acks: new Map() };
}

/** A namespace with such sockets. */
function fakeNamespace(...ids) {
  const sockets = new Map(ids.map((id) => [id, fakeSocket(id)]));
  const encoder = { encode: (packet) => [`${packet.type}${packet.nsp}${packet.data[0]}`] };
  return { name: "/fake", server: { encoder }, sockets, _ids: 0 };
}

/** Who got something, since the last time. */
function reached({ sockets }) {
  return [...sockets.values()].filter(({ written }) => written.splice(0).length > 0).map(idOf);
}

function idOf({ id }) {
  return id;
}

const all = { rooms: new Set(), except: new Set(), flags: {} };

/** What the events of an adapter tell, with the rooms as a listener sees them. */
function record(adapter) {
  const events = [];
  for (const name of ROOM_EVENTS) {
    adapter.on(name, (room, ...rest) => {
      events.push([name, room, ...rest, [...(adapter.rooms.get(room) ?? ["none"])]]);
    });
  }
  return events;
}

for (const { name, make, isSessionAware = false } of makers) {
  describe(name, () => {
    test("is an adapter and an event emitter, and begins empty", () => {
      const nsp = { server: { encoder: null } };
      const adapter = make(nsp);
      assert.ok(adapter instanceof official.Adapter);
      assert.ok(adapter instanceof EventEmitter);
      assert.equal(adapter instanceof official.SessionAwareAdapter, isSessionAware);
      assert.equal(adapter.encoder, null);
      assert.equal(adapter.nsp.server.encoder, null);
      assert.deepEqual([adapter.rooms, adapter.sids], [new Map(), new Map()]);
      assert.deepEqual([adapter.init(), adapter.close()], [undefined, undefined]);
    });

    test("keeps rooms and sids as live maps of sets, without sockets in the namespace", () => {
      const adapter = make({ server: { encoder: null } });
      const { rooms, sids } = adapter;
      assert.equal(adapter.addAll("s1", new Set(["r1", "r2"])), undefined);
      adapter.addAll("s2", new Set(["r2", "r3"]));
      const ofR2 = rooms.get("r2");
      const ofS1 = adapter.socketRooms("s1");
      assert.equal(ofS1, sids.get("s1"));
      assert.deepEqual(
        [...rooms].map(([room, ids]) => [room, [...ids]]),
        [
          ["r1", ["s1"]],
          ["r2", ["s1", "s2"]],
          ["r3", ["s2"]],
        ],
      );
      adapter.del("s1", "r1");
      assert.deepEqual([...ofS1], ["r2"]);
      assert.ok(!rooms.has("r1"));
      adapter.delAll("s2");
      assert.deepEqual([...ofR2], ["s1"]);
      assert.deepEqual([...rooms.keys()], ["r2"]);
      assert.deepEqual([...sids.keys()], ["s1"]);
      assert.equal(adapter.socketRooms("s2"), undefined);
      assert.deepEqual([adapter.rooms, adapter.sids], [rooms, sids]);
    });

    test("does nothing for sockets and rooms that it does not know", () => {
      const adapter = make({ server: { encoder: null } });
      const events = record(adapter);
      adapter.del("nobody", "nowhere");
      adapter.delAll("nobody");
      adapter.addAll("s1", new Set());
      adapter.del("s1", "nowhere");
      assert.deepEqual(events, []);
      assert.deepEqual(adapter.sids, new Map([["s1", new Set()]]));
    });

    test("emits the four events of rooms in order, each when its change is done", () => {
      const adapter = make({ server: { encoder: null } });
      const events = record(adapter);
      adapter.addAll("s1", new Set(["r1", "r2"]));
      adapter.addAll("s1", new Set(["r1"]));
      adapter.addAll("s2", new Set(["r1"]));
      adapter.del("s1", "r2");
      adapter.del("s1", "r2");
      adapter.delAll("s2");
      adapter.delAll("s1");
      assert.deepEqual(events, [
        ["create-room", "r1", []],
        ["join-room", "r1", "s1", ["s1"]],
        ["create-room", "r2", []],
        ["join-room", "r2", "s1", ["s1"]],
        ["join-room", "r1", "s2", ["s1", "s2"]],
        ["leave-room", "r2", "s1", []],
        ["delete-room", "r2", ["none"]],
        ["leave-room", "r1", "s2", ["s1"]],
        ["leave-room", "r1", "s1", []],
        ["delete-room", "r1", ["none"]],
      ]);
    });

    test("keeps a room that is joined again while it is left", () => {
      const adapter = make(fakeNamespace("s1"));
      adapter.addAll("s1", new Set(["r1"]));
      adapter.once("leave-room", (room, id) => adapter.addAll(id, new Set([room])));
      const events = record(adapter);
      adapter.del("s1", "r1");
      assert.deepEqual(
        events.map(([event]) => event),
        ["join-room", "leave-room"],
      );
      assert.deepEqual([...adapter.rooms.get("r1")], ["s1"]);
      adapter.broadcast({ type: EVENT, data: ["e"] }, { ...all, rooms: new Set(["r1"]) });
      assert.deepEqual(reached(adapter.nsp), ["s1"]);
    });

    test("has done its part when a listener throws", () => {
      const adapter = make(fakeNamespace("s1", "s2"));
      adapter.once("join-room", () => {
        throw new Error("of the listener");
      });
      const rooms = new Set(["r1", "r2"]);
      assert.throws(() => adapter.addAll("s1", rooms), { message: "of the listener" });
      assert.deepEqual(adapter.sids, new Map([["s1", new Set(["r1"])]]));
      adapter.addAll("s2", new Set(["r1"]));
      adapter.broadcast({ type: EVENT, data: ["e"] }, { ...all, rooms });
      assert.deepEqual(reached(adapter.nsp), ["s1", "s2"]);
    });

    test("tells rooms 1 and '1' apart", () => {
      const adapter = make(fakeNamespace("s1", "s2"));
      adapter.addAll("s1", new Set([1]));
      adapter.addAll("s2", new Set(["1"]));
      assert.deepEqual([...adapter.rooms.keys()], [1, "1"]);
      for (const [room, id] of [
        [1, "s1"],
        ["1", "s2"],
      ]) {
        adapter.broadcast({ type: EVENT, data: ["e"] }, { ...all, rooms: new Set([room]) });
        assert.deepEqual(reached(adapter.nsp), [id]);
        adapter.broadcast({ type: EVENT, data: ["e"] }, { ...all, except: new Set([room]) });
        assert.ok(!reached(adapter.nsp).includes(id));
      }
    });

    test("broadcasts to the sockets of the namespace that are in rooms and in no exception", () => {
      const adapter = make(fakeNamespace("s1", "s2", "s3"));
      adapter.addAll("s1", new Set(["r1"]));
      adapter.addAll("s2", new Set(["r1", "r2"]));
      adapter.addAll("s3", new Set(["r2", "r3"]));
      // This one is in no map of the namespace: in a middleware, or gone.
      adapter.addAll("s4", new Set(["r1"]));
      const reachedBy = (rooms, except) => {
        adapter.broadcast(
          { type: EVENT, data: ["e"] },
          { rooms: new Set(rooms), except: new Set(except) },
        );
        return reached(adapter.nsp);
      };
      assert.deepEqual(reachedBy([], []), ["s1", "s2", "s3"]);
      assert.deepEqual(reachedBy(["r1"], []), ["s1", "s2"]);
      assert.deepEqual(reachedBy(["r1", "r2"], []), ["s1", "s2", "s3"]);
      assert.deepEqual(reachedBy(["r1", "none"], ["r2"]), ["s1"]);
      assert.deepEqual(reachedBy([], ["r2", "none"]), ["s1"]);
      assert.deepEqual(reachedBy(["none"], []), []);
    });

    test("broadcasts once to a socket that is in several of the rooms", () => {
      const adapter = make(fakeNamespace("s1"));
      adapter.addAll("s1", new Set(["r1", "r2", "r3"]));
      adapter.broadcast({ type: EVENT, data: ["e"] }, { ...all, rooms: new Set(["r1", "r2"]) });
      assert.equal(adapter.nsp.sockets.get("s1").written.length, 1);
    });

    test("gives sockets the encoded packet, its flags and a frame made once", () => {
      const adapter = make(fakeNamespace("s1", "s2"));
      adapter.addAll("s1", new Set(["r1"]));
      adapter.addAll("s2", new Set(["r1"]));
      const packet = { type: EVENT, data: ["e"] };
      const flags = { volatile: true, compress: false };
      adapter.broadcast(packet, { rooms: new Set(["r1"]), except: new Set(), flags });
      assert.equal(packet.nsp, "/fake");
      const [first, second] = [...adapter.nsp.sockets.values()].map(({ written }) => written[0]);
      assert.deepEqual(first.packets, ["2/fakee"]);
      const { wsPreEncodedFrame, ...options } = first.options;
      assert.deepEqual(options, { preEncoded: true, volatile: true, compress: false });
      // RFC 6455 §5.2: fin, text, and the packet type "message" of Engine.IO in front.
      assert.deepEqual(Buffer.concat(wsPreEncodedFrame), Buffer.from("\x81\x0842/fakee", "latin1"));
      assert.equal(second.options.wsPreEncodedFrame, wsPreEncodedFrame);
    });

    test("encodes a packet that reaches nobody", () => {
      const nsp = fakeNamespace();
      let encoded = 0;
      nsp.server.encoder = { encode: () => [`${encoded++}`] };
      make(nsp).broadcast({ type: EVENT, data: ["e"] }, all);
      assert.equal(encoded, 1);
    });

    test("goes on when the encoder or a socket has thrown", () => {
      const nsp = fakeNamespace("s1");
      const { encode } = nsp.server.encoder;
      const { writeToEngine } = nsp.sockets.get("s1").client;
      const adapter = make(nsp);
      adapter.addAll("s1", new Set(["s1"]));
      const broadcast = () => adapter.broadcast({ type: EVENT, data: ["e"] }, all);
      const fail = () => {
        throw new Error("it fails");
      };
      nsp.server.encoder.encode = fail;
      assert.throws(broadcast, { message: "it fails" });
      nsp.server.encoder.encode = encode;
      nsp.sockets.get("s1").client.writeToEngine = fail;
      assert.throws(broadcast, { message: "it fails" });
      nsp.sockets.get("s1").client.writeToEngine = writeToEngine;
      broadcast();
      assert.deepEqual(reached(nsp), ["s1"]);
    });

    test("tells a broadcast to the outgoing listeners of each socket, where it has any", () => {
      const nsp = fakeNamespace("s1", "s2");
      const told = [];
      nsp.sockets.get("s1").notifyOutgoingListeners = (packet) => told.push(packet);
      const adapter = make(nsp);
      adapter.addAll("s1", new Set(["s1"]));
      adapter.addAll("s2", new Set(["s2"]));
      const packet = { type: EVENT, data: ["e"] };
      adapter.broadcast(packet, all);
      assert.deepEqual(told, [packet]);
      assert.deepEqual(reached(nsp), ["s1", "s2"]);
    });

    test("counts clients once, at once, and has their acks wait before it writes", () => {
      const nsp = fakeNamespace("s1", "s2", "s3");
      const adapter = make(nsp);
      const events = [];
      for (const [id, socket] of nsp.sockets) {
        adapter.addAll(id, new Set([id]));
        socket.client.writeToEngine = () => events.push(["write", id, socket.acks.has(7)]);
      }
      nsp._ids = 7;
      const packet = { type: EVENT, data: ["e"] };
      const ack = () => {};
      const options = { rooms: new Set(), except: new Set(["s3"]), flags: {} };
      adapter.broadcastWithAck(packet, options, (count) => events.push(["count", count]), ack);
      assert.deepEqual(events, [
        ["write", "s1", true],
        ["write", "s2", true],
        ["count", 2],
      ]);
      assert.deepEqual([packet.id, packet.nsp, nsp._ids], [7, "/fake", 8]);
      assert.equal(nsp.sockets.get("s1").acks.get(7), ack);
      assert.equal(nsp.sockets.get("s3").acks.size, 0);
    });

    test("counts no clients where there are none", () => {
      const counts = [];
      const adapter = make(fakeNamespace());
      adapter.broadcastWithAck({ type: EVENT, data: ["e"] }, all, (count) => counts.push(count));
      assert.deepEqual(counts, [0]);
    });

    test("finds sockets and sids by rooms", async () => {
      const adapter = make(fakeNamespace("s1", "s2", "s3"));
      adapter.addAll("s1", new Set(["r1"]));
      adapter.addAll("s2", new Set(["r1", "r2"]));
      adapter.addAll("s3", new Set(["r2"]));
      adapter.addAll("s4", new Set(["r1"]));
      assert.deepEqual(await adapter.sockets(new Set()), new Set(["s1", "s2", "s3"]));
      assert.deepEqual(await adapter.sockets(new Set(["r1"])), new Set(["s1", "s2"]));
      assert.deepEqual(await adapter.sockets(new Set(["none"])), new Set());
      const options = { rooms: new Set(["r1", "r2"]), except: new Set(["r1"]) };
      assert.deepEqual((await adapter.fetchSockets(options)).map(idOf), ["s3"]);
    });

    test("has sockets join, leave and disconnect", () => {
      const nsp = fakeNamespace("s1", "s2");
      const adapter = make(nsp);
      const calls = [];
      for (const [id, socket] of nsp.sockets) {
        adapter.addAll(id, new Set([id]));
        for (const method of ["join", "leave", "disconnect"]) {
          socket[method] = (argument) => calls.push([id, method, argument]);
        }
      }
      const rooms = ["a", "b"];
      adapter.addSockets({ rooms: new Set(["s1"]), except: new Set() }, rooms);
      adapter.delSockets({ rooms: new Set(), except: new Set(["s1"]) }, rooms);
      adapter.disconnectSockets(all, true);
      assert.deepEqual(calls, [
        ["s1", "join", rooms],
        ["s2", "leave", "a"],
        ["s2", "leave", "b"],
        ["s1", "disconnect", true],
        ["s2", "disconnect", true],
      ]);
    });

    test("is one server, and warns of what only clusters can do", async (t) => {
      const adapter = make({ server: { encoder: null } });
      assert.equal(await adapter.serverCount(), 1);
      const { mock } = t.mock.method(console, "warn", () => {});
      assert.equal(adapter.serverSideEmit(["e"]), undefined);
      assert.deepEqual(
        mock.calls.map((call) => call.arguments),
        [["this adapter does not support the serverSideEmit() functionality"]],
      );
    });

    const session = { sid: "s1", pid: "p1", rooms: ["s1", "r1"], data: { a: 1 } };
    if (!isSessionAware) {
      test("restores no session", () => {
        const adapter = make({ server: { encoder: null } });
        assert.equal(adapter.persistSession(session), undefined);
        assert.equal(adapter.restoreSession("p1", "offset"), null);
      });
      return;
    }

    test("restores a session with the packets that its rooms have missed", async () => {
      const adapter = make(fakeNamespace("s2"));
      adapter.addAll("s2", new Set(["s2"]));
      const send = (event, rooms = [], { except = [], ...rest } = {}, id = undefined) => {
        const packet = { type: EVENT, data: [event], id };
        const sets = { rooms: new Set(rooms), except: new Set(except) };
        adapter.broadcast(packet, { ...sets, flags: {}, ...rest });
        return packet;
      };
      send("too early");
      const last = send("last");
      adapter.persistSession({ ...session });
      send("for all");
      send("for r1", ["r1", "r2"]);
      send("for s1", ["s1"]);
      send("for r2", ["r2"]);
      send("except r1", [], { except: ["r1"] });
      send("except r2", [], { except: ["r2"] });
      send("volatile", [], { flags: { volatile: true } });
      send("with an ack", [], {}, 5);
      adapter.broadcast({ type: 3, data: ["no event"], id: 1 }, all);
      const offset = last.data.at(-1);
      assert.equal(typeof offset, "string");
      const { missedPackets, disconnectedAt, ...restored } = await adapter.restoreSession(
        "p1",
        offset,
      );
      assert.deepEqual(restored, session);
      assert.equal(typeof disconnectedAt, "number");
      assert.deepEqual(
        missedPackets.map(([event]) => event),
        ["for all", "for r1", "for s1", "except r2"],
      );
      assert.equal(new Set(missedPackets.map((data) => data.at(-1))).size, 4);
      // What is stored is also sent, with its offset, and so is what is not.
      assert.equal(adapter.nsp.sockets.get("s2").written.length, 8);
    });

    test("restores no session that it does not know, or that has expired", async () => {
      const adapter = make(fakeNamespace());
      const packet = { type: EVENT, data: ["e"] };
      adapter.broadcast(packet, all);
      adapter.persistSession({ ...session });
      assert.equal(await adapter.restoreSession("p2", packet.data[1]), null);
      assert.equal(await adapter.restoreSession("p1", "another offset"), null);
      assert.notEqual(await adapter.restoreSession("p1", packet.data[1]), null);
      adapter.sessions.get("p1").disconnectedAt -= NEVER + 1000;
      assert.equal(await adapter.restoreSession("p1", packet.data[1]), null);
      assert.equal(adapter.sessions.size, 0);
    });
  });
}

// --- Below a server, with clients -------------------------------------------------------------

/** Starts a server whose clients come by one transport. */
async function serve(t, { engine, transport }, options) {
  return { ...(await startServer(t, engine, options)), transport };
}

/**
 * Lets a client in.
 *
 * @returns {Promise<{ client: object, socket: import("socket.io").Socket }>} the client keeps in
 *   `heard` what it hears
 */
async function enter(server, { namespace = "/", from, isTwice = false, ...options } = {}) {
  const { io, origin, transport, beforeClose } = server;
  const connected = once(from ?? io.of(namespace), "connection");
  const client = connect(origin + namespace, {
    transports: [transport],
    forceNew: true,
    reconnection: false,
    ...options,
  });
  beforeClose(() => leave(client));
  listen(client);
  // Socket.IO v5, "Connection to a namespace": CONNECT is 0.
  if (isTwice) client.io.once("open", () => client.io.engine.write("0"));
  const [[socket]] = await Promise.all([connected, once(client, "connect")]);
  return { client, socket };
}

/** Waits until a server has noticed that its clients have gone, then closes its engine. */
async function noneLeft(io) {
  while (io.engine.clientsCount > 0) await nextTurn();
  io.engine.close();
}

/** Ends a client's connection, whatever namespaces it has. */
function leave(client) {
  client.io.reconnection(false);
  client.disconnect();
  client.io.engine.close();
}

function enterAll(server, count, options) {
  return Promise.all(Array.from({ length: count }, () => enterInTurn(server, options)));
}

/** One after the other, so that each client is matched with its own socket. */
function enterInTurn(server, options) {
  const before = server.lastEntrance ?? Promise.resolve();
  server.lastEntrance = before.then(() => enter(server, options));
  return server.lastEntrance;
}

/** Keeps what a client hears. */
function listen(client) {
  client.heard = [];
  client.onAny((event, ...args) => {
    if (event !== "fence") client.heard.push([event, ...args]);
    else args.at(-1)();
  });
}

/** What a client has heard since the last time, when all that was sent before has come. */
async function heardBy({ client, socket }) {
  await socket.emitWithAck("fence");
  return client.heard.splice(0);
}

/** For each client, the names of the events that it has heard. */
async function namesHeardBy(...entrances) {
  const names = [];
  for (const entrance of entrances) names.push((await heardBy(entrance)).map(([event]) => event));
  return names;
}

/** Ours once more, with connections on several workers. */
const withThreads = {
  name: "turbo",
  serverOptions: (options) => turbo.turbo({ ...options, ioThreads: 3 }),
};

const kinds = engines.flatMap((engine) => [
  { title: `${engine.name} with clients by WebSocket`, engine, transport: "websocket" },
  { title: `${engine.name} with clients by polling`, engine, transport: "polling" },
]);
if (hasNative) {
  kinds.push({ title: "turbo with three threads", engine: withThreads, transport: "websocket" });
}

for (const kind of kinds) {
  describe(`the adapter of ${kind.title}`, () => {
    addressesRooms(kind);
    manages(kind);
    acknowledges(kind);
    servesNamespaces(kind);
    servesServers(kind);
    recovers(kind);
    closes(kind);
  });
}

function addressesRooms(kind) {
  test("broadcasts without a write in JavaScript where workers have the connection", async (t) => {
    const server = await serve(t, kind);
    const entrance = await enter(server);
    const { client } = entrance.socket;
    const { mock } = t.mock.method(client, "writeToEngine");
    server.io.emit("for all");
    server.io.to(entrance.socket.id).emit("for one");
    const isDirect = kind.engine.name === "turbo" && kind.transport === "websocket" && hasNative;
    assert.equal(mock.callCount(), isDirect ? 0 : 2);
    assert.deepEqual(await namesHeardBy(entrance), [["for all", "for one"]]);
  });

  test("reaches whom rooms and exceptions name, each of them once", GUARD, async (t) => {
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
    assert.deepEqual(await namesHeardBy(a, b, c), [
      ["all", "x", "y", "x or y", "x or y again", "local", "c's", "others than c"],
      [
        ...["all", "y", "x or y", "x or y again", "not x", "y, not x", "local"],
        ...["others than a", "y but a", "c's", "others than c"],
      ],
      ["all", "not x", "neither", "others than a"],
    ]);
  });

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
    for (const entrance of entrances) assert.deepEqual(await heardBy(entrance), expected);
  });

  test("broadcasts with and without compression", GUARD, async (t) => {
    const server = await serve(t, kind, { perMessageDeflate: { threshold: 0 } });
    const entrances = await enterAll(server, 2);
    server.io.compress(true).emit("compressed", "text".repeat(1000));
    server.io.compress(false).emit("as it is", BYTES);
    entrances[0].socket.compress(true).broadcast.emit("of one");
    assert.deepEqual(await namesHeardBy(...entrances), [
      ["compressed", "as it is"],
      ["compressed", "as it is", "of one"],
    ]);
  });

  test("tells rooms 1 and '1' apart", GUARD, async (t) => {
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
    assert.deepEqual(await namesHeardBy(...entrances), [
      ["number", "both", "number again"],
      ["number", "string", "both"],
      ["string", "both", "not the number"],
      ["not the number"],
    ]);
  });

  test("reaches who has joined the room of another, named like its sid", GUARD, async (t) => {
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
    assert.deepEqual(await namesHeardBy(a, b, c), [
      ["a alone", "a and b", "a and c", "a again"],
      ["a and b", "b alone"],
      ["c alone", "c alone again", "a and c"],
    ]);
  });

  test("addresses and excludes hundreds of rooms in one emit", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const [a, b, c] = await enterAll(server, 3);
    const rooms = (from, to) => Array.from({ length: to - from }, (_, i) => `room ${from + i}`);
    // Shared by all, by two, of one, and of nobody.
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
    assert.deepEqual(await namesHeardBy(a, b, c), [
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
      await heardBy(a),
      rounds.map((round) => ["two", round]),
    );
    assert.deepEqual(
      await heardBy(b),
      rounds.flatMap((round) => [
        ["two", round],
        ["one", round],
      ]),
    );
    assert.deepEqual(
      await heardBy(c),
      rounds.map((round) => ["third", round]),
    );
  });

  test("reaches whoever is in a room at the line that emits", GUARD, async (t) => {
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
    assert.deepEqual(await namesHeardBy(a, b), [
      ["joined", "joined by both", "full"],
      ["joined by both", "left", "in and out", "full"],
    ]);
  });

  test("reaches a socket from the listener that hears it join", GUARD, async (t) => {
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
    const heard = [];
    for (const entrance of entrances) heard.push(await heardBy(entrance));
    assert.deepEqual(heard, [ofA, ofB, ofC]);
  });

  test("is right after listeners have changed rooms while others changed", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const [a, b, c] = await enterAll(server, 3);
    const { adapter } = io.of("/");
    // Who comes to "door" goes on to "hall"; who leaves "hall" takes b with it.
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
    assert.deepEqual(await namesHeardBy(a, b, c), [
      ["hall of three"],
      ["hall of three"],
      ["hall of three", "hall of one"],
    ]);
  });

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
    assert.deepEqual(await namesHeardBy(entrance, other), [
      ["for all", "for the room", "for one"],
      ["too early", "too early for one", "for all", "for the room"],
    ]);
  });

  test("forgets who is refused by a middleware", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const entrance = await enter(server);
    io.use((socket, next) => {
      socket.join("room");
      next(new Error("refused"));
    });
    const client = connect(server.origin, { transports: [kind.transport], forceNew: true });
    server.beforeClose(() => leave(client));
    listen(client);
    assert.equal((await once(client, "connect_error"))[0].message, "refused");
    const { rooms, sids } = io.of("/").adapter;
    assert.deepEqual([...rooms.keys(), ...sids.keys()], Array(2).fill(entrance.socket.id));
    entrance.socket.join("room");
    io.to("room").emit("for the room");
    assert.deepEqual(await namesHeardBy(entrance), [["for the room"]]);
    assert.deepEqual(client.heard, []);
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
    assert.deepEqual(await namesHeardBy(entrance), [["all", "one", "room", "own"]]);
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
    const names = await namesHeardBy(a, b);
    assert.deepEqual(names, [["all", "a", "room", "others than b", "own"], ["all"]]);
    a.socket.disconnect();
    io.emit("later");
    io.to("room").emit("nobody");
    assert.deepEqual(await namesHeardBy(b), [["later"]]);
  });

  test("goes by the id that a socket came with, whatever it becomes", GUARD, async (t) => {
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
    assert.deepEqual(await namesHeardBy(a, b), [
      ["all", "by the first id", ...of],
      ["all", "before", "after", "all, as nobody has that id", "before again", "direct again"],
    ]);
    const gone = once(a.socket, "disconnect");
    leave(a.client);
    await gone;
    io.emit("after the end");
    io.to("before").emit("after the end, too");
    assert.deepEqual(await namesHeardBy(b), [["after the end", "after the end, too"]]);
  });

  test("no longer reaches who disconnects, from that line on", GUARD, async (t) => {
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
    assert.deepEqual(await namesHeardBy(b, c), [
      ["before", "a goes", "after", "after, in the room", "still not"],
      ["before", "after"],
    ]);
    assert.deepEqual(a.client.heard, [["before"]]);
    assert.deepEqual([...io.of("/").adapter.rooms.keys()].sort(), sorted(b, c, "room"));
  });

  test("leaves all rooms, even if it becomes direct while it leaves them", GUARD, async (t) => {
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
    await heardBy(b);
    const other = await enterAnother(a, server, "/other");
    assert.deepEqual(await heardBy(other), []);
    assert.equal(events.length, 1);
  });

  test("is in no room that it was to join when a listener made it leave", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const [a, b, c] = await enterAll(server, 3);
    for (const { socket } of [b, c]) socket.join("room");
    io.of("/").adapter.once("join-room", () => a.socket.disconnect());
    const events = eventsOf(a);
    const left = once(a.client, "disconnect");
    // The official adapter does not expect that.
    assert.throws(() => a.socket.join(["door", "room"]), { name: "TypeError" });
    io.to("room").emit("for b and c");
    io.to("door").emit("nobody");
    await left;
    assert.deepEqual(await namesHeardBy(b, c), [["for b and c"], ["for b and c"]]);
    const other = await enterAnother(a, server, "/other");
    assert.deepEqual(await heardBy(other), []);
    assert.equal(events.length, 1);
  });

  test("sends nothing on to a client that has gone, and all to who comes next", async (t) => {
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
      assert.deepEqual(await heardBy(next), []);
      next.client.disconnect();
    }
    const heard = (await heardBy(stays)).map(([event, round]) => `${event} ${round}`);
    const rounds = [0, 1, 2, 3, 4];
    assert.deepEqual(
      heard,
      rounds.flatMap((round) => [
        `meanwhile ${round}`,
        `later ${round}`,
        `not for the next ${round}`,
      ]),
    );
  });

  test("takes sets that are missing or no sets for empty ones", GUARD, async (t) => {
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
    assert.deepEqual(await namesHeardBy(a, b), [
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
    adapter.broadcast({ type: 3, id: 5, data: ["answer", BYTES] }, all);
    assert.deepEqual(await Promise.all(answers), ["answer", "answer"]);
    const left = entrances.map(({ client }) => once(client, "disconnect"));
    adapter.broadcast({ type: 1 }, all);
    for (const [reason] of await Promise.all(left)) assert.equal(reason, "io server disconnect");
  });

  test("broadcasts text and binary data of lengths around all limits", GUARD, async (t) => {
    const server = await serve(t, kind);
    const entrances = await enterAll(server, 2);
    const lengths = [125, 126, 16 * 1024, 65_535, 65_536].flatMap((length) =>
      // With what stands around it: the packet type, the name, quotes, brackets.
      Array.from({ length: 16 }, (_, i) => length - 14 + i),
    );
    for (const length of lengths) {
      const ofTwoBytes = "ž".repeat(length / 2);
      server.io.emit("text", "x".repeat(length));
      server.io.emit("text", length % 2 === 0 ? ofTwoBytes : `x${ofTwoBytes}`);
      server.io.emit("bytes", Buffer.alloc(length, length));
    }
    for (const entrance of entrances) {
      const heard = await heardBy(entrance);
      assert.deepEqual(
        heard.map(([, value]) => Buffer.byteLength(value)),
        lengths.flatMap((length) => [length, length, length]),
      );
      assert.ok(heard.every(([, value]) => isOneCharacter(value)));
    }
  });

  test("goes on after values that cannot be encoded", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const entrance = await enter(server);
    const circular = {};
    circular.circular = circular;
    assert.throws(() => io.emit("wrong", circular), { message: /circular|call stack/i });
    assert.throws(() => io.to("none").emit("wrong", 1n), { name: "TypeError" });
    assert.throws(() => io.emit("connect"), { message: '"connect" is a reserved event name' });
    io.emit("right");
    assert.deepEqual(await namesHeardBy(entrance), [["right"]]);
  });
}

/** The events that come on a connection from now on, also for a namespace that was left. */
function eventsOf({ client }) {
  const events = [];
  client.io.on("packet", (packet) => {
    if (packet.type === EVENT || packet.type === BINARY_EVENT) events.push(packet);
  });
  return events;
}

/** Whether a text, but for its first character, or binary data is the same all over. */
function isOneCharacter(value) {
  if (typeof value === "string") return new Set(value.slice(1)).size === 1;
  return value.equals(Buffer.alloc(value.length, value[0]));
}

function sorted(...values) {
  return values.map((value) => value.socket?.id ?? value).sort();
}

function manages(kind) {
  test("finds sockets, and has them join, leave and disconnect", GUARD, async (t) => {
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

  test("shows its rooms on sockets, live", GUARD, async (t) => {
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
}

function sids(...entrances) {
  return entrances.map(({ socket }) => socket.id);
}

/** Has a client acknowledge `question`. */
function answers({ client }, ...answer) {
  client.on("question", (...args) => args.at(-1)(...answer));
}

function acknowledges(kind) {
  test("gathers the acks of all recipients", GUARD, async (t) => {
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

  test("counts clients once and at once, when all acks wait", GUARD, async (t) => {
    const server = await serve(t, kind);
    const nsp = server.io.of("/");
    const entrances = await enterAll(server, 3);
    // The last one is told of what is sent, so that one of us is served by JavaScript.
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
      all,
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

  test("gives the acks that came when time is over, and forgets the others", async (t) => {
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
    assert.deepEqual(await namesHeardBy(b), [["question"]]);
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
}

/** Opens a namespace on the connection of a client. */
async function enterAnother({ client }, server, namespace) {
  const connected = once(server.io.of(namespace), "connection");
  const other = client.io.socket(namespace);
  listen(other);
  const [[socket]] = await Promise.all([connected, once(other, "connect")]);
  return { client: other, socket };
}

/** Namespaces made for their first clients, and where all their connections are heard of. */
function dynamicNamespaces(io) {
  const parent = io.of(/^\/dynamic-\d+$/);
  const from = new EventEmitter();
  parent.on("connection", (socket) => from.emit("connection", socket));
  return { parent, from };
}

function servesNamespaces(kind) {
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
    assert.deepEqual(await namesHeardBy(main, one), [
      ["main", "main room", "main again"],
      ["one", "one again"],
    ]);
    assert.deepEqual(two.client.heard, [["two", BYTES]]);
    assert.deepEqual([...io.of("/two").adapter.rooms.keys()], []);
  });

  test("keeps the order of namespaces on one connection", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const main = await enter(server);
    const other = await enterAnother(main, server, "/other");
    const heard = [];
    for (const { client } of [main, other]) client.onAny((event) => heard.push(event));
    for (let i = 0; i < 50; i++) {
      io.emit(`${4 * i}`);
      io.of("/other").emit(`${4 * i + 1}`, BYTES);
      main.socket.emit(`${4 * i + 2}`);
      other.socket.emit(`${4 * i + 3}`, BYTES);
    }
    await heardBy(main);
    heard.pop();
    assert.deepEqual(
      heard,
      Array.from({ length: 200 }, (_, i) => `${i}`),
    );
  });

  test("reaches both sockets of a client that comes twice to a namespace", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const other = await enter(server);
    // Only before the first is connected, it can ask for another.
    io.use((_socket, next) => setTimeout(next, 50));
    const came = [];
    io.on("connection", (socket) => came.push(socket));
    const { client, socket: first } = await enter(server, { isTwice: true });
    if (came.length < 2) await once(io, "connection");
    const second = came[1];
    assert.deepEqual([came[0], second.conn], [first, first.conn]);
    // What the client sends is for the second now.
    const entrance = { client, socket: second };
    await heardBy(entrance);
    io.emit("twice", BYTES);
    io.to(first.id).emit("for the first");
    io.to(second.id).emit("for the second");
    io.except(first.id).emit("not for the first");
    first.broadcast.emit("from the first");
    for (const socket of [first, second]) socket.join("room");
    io.to("room").emit("twice in the room");
    assert.deepEqual(await namesHeardBy(entrance, other), [
      [
        ...["twice", "twice", "for the first", "for the second", "not for the first"],
        ...["from the first", "twice in the room", "twice in the room"],
      ],
      ["twice", "not for the first", "from the first"],
    ]);
    // The first goes without a word to the client.
    first._onclose("server namespace disconnect");
    const ended = once(client, "end");
    io.emit("once");
    io.to("room").emit("once in the room");
    second.emit("end");
    await ended;
    assert.deepEqual(client.heard, [["once"], ["once in the room"], ["end"]]);
    assert.deepEqual(await namesHeardBy(other), [["once"]]);
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
    assert.deepEqual(await namesHeardBy(one, alsoOne, two, none), [
      ["all children", "rooms of children", "one child"],
      ["all children", "not in a room", "one child", "others of one child"],
      ["all children", "rooms of children"],
      [],
    ]);
  });

  test("begins anew in a child namespace that was cleaned up", GUARD, async (t) => {
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
      const heard = await namesHeardBy(...entrances);
      assert.deepEqual(heard, Array(2).fill(["parent", "child"]));
      const gone = entrances.map(({ socket }) => once(socket, "disconnect"));
      for (const { client } of entrances) client.disconnect();
      await Promise.all(gone);
      assert.ok(!io._nsps.has("/dynamic-1"));
      parent.emit("nobody");
    }
  });
}

function servesServers(kind) {
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
      await namesHeardBy(...entrances),
      [0, 1].flatMap((i) => [
        [`all of ${i}`, `room of ${i}`, `one of ${i}`],
        [`all of ${i}`, `room of ${i}`, `other of ${i}`],
      ]),
    );
  });

  test("serves two servers on one HTTP server", GUARD, async (t) => {
    const server = await serve(t, kind);
    // Upgrades for others are destroyed unless this is off: engine.io, "destroyUpgrade".
    const options = { path: "/other/", destroyUpgrade: false };
    server.io.engine.opts.destroyUpgrade = false;
    const io = new Server(server.httpServer, kind.engine.serverOptions(options));
    server.beforeClose(() => noneLeft(io));
    const first = await enter(server);
    const second = await enter({ ...server, io }, { path: "/other/" });
    for (const { socket } of [first, second]) socket.join("room");
    server.io.to("room").emit("first");
    io.to("room").emit("second");
    assert.deepEqual(await namesHeardBy(first, second), [["first"], ["second"]]);
  });

  test("takes the place of another adapter later", GUARD, async (t) => {
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
    // The socket keeps the adapter that it came to.
    early.socket.to("room").emit("nobody");
    early.socket.emit("own");
    assert.deepEqual(await namesHeardBy(early, late, later), [
      ["own"],
      ["all", "room"],
      ["all", "others"],
    ]);
  });

  test("gives its place to another adapter later", GUARD, async (t) => {
    const server = await serve(t, kind);
    const { io } = server;
    const [early, alsoEarly] = await enterAll(server, 2);
    io.adapter(official.Adapter);
    const late = await enter(server);
    io.emit("all");
    early.socket.broadcast.emit("others");
    early.socket.emit("own");
    assert.deepEqual(await namesHeardBy(early, alsoEarly, late), [["own"], ["others"], ["all"]]);
  });

  test("lets an adapter of the user's own do its work", GUARD, async (t) => {
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
    assert.deepEqual(await namesHeardBy(...entrances), [numbers, broadcasts]);
    assert.deepEqual(calls, broadcasts);
  });
}

/** Names and arguments, without the offset behind them. */
function withoutOffsets(heard) {
  return heard.map((args) => args.slice(0, -1));
}

/** Breaks a client's connection off, does `meanwhile`, and waits until it is back. */
async function interrupt({ io }, { client, socket }, meanwhile) {
  const left = once(socket, "disconnect");
  const back = once(io, "connection");
  client.io.engine.close();
  await left;
  await meanwhile();
  const [[restored]] = await Promise.all([back, once(client, "connect")]);
  return restored;
}

/** As `namesHeardBy()`, but the client asks: sockets that share an id also share their room. */
async function acked({ client }) {
  await client.emitWithAck("echo", "fence");
  return client.heard.splice(0).map(([event]) => event);
}

function recovers(kind) {
  const serverOptions = { connectionStateRecovery: { maxDisconnectionDuration: NEVER } };
  const clientOptions = { reconnection: true, reconnectionDelay: 50 };

  test("restores a session, its rooms and what was missed in them", GUARD, async (t) => {
    const server = await serve(t, kind, serverOptions);
    const { io } = server;
    const returns = await enter(server, clientOptions);
    const stays = await enter(server);
    assert.ok(io.of("/").adapter instanceof official.SessionAwareAdapter);
    assert.equal(returns.socket.recovered, false);
    returns.socket.join(["room", 1]);
    returns.socket.data.name = "returns";
    stays.socket.join("other");
    io.emit("heard");
    assert.deepEqual(withoutOffsets(await heardBy(returns)), [["heard"]]);
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
      returns.socket.emit("to the socket that was");
    });
    assert.equal(restored.recovered, true);
    assert.equal(returns.client.recovered, true);
    assert.deepEqual([restored.id, restored.data], [id, { name: "returns" }]);
    assert.deepEqual([...restored.rooms].sort(), [1, id, "room"].sort());
    io.to("room").emit("again for the room");
    io.to([1, "other"]).emit("again for two rooms");
    restored.broadcast.emit("from who returned");
    const entrance = { client: returns.client, socket: restored };
    assert.deepEqual(withoutOffsets(await heardBy(entrance)), [
      ["for all", "text"],
      ["for the room", BYTES],
      ["for the number"],
      ["for one"],
      ["not for the other room"],
      ["to the socket that was"],
      ["again for the room"],
      ["again for two rooms"],
    ]);
    const heard = (await heardBy(stays)).map(([event]) => event);
    // A volatile packet may be dropped.
    assert.deepEqual(
      heard.filter((event) => event !== "volatile"),
      [
        ...["heard", "for all", "for another room", "for others", "with an ack"],
        ...["again for two rooms", "from who returned"],
      ],
    );
  });

  test("restores a session again and again, and nothing twice", GUARD, async (t) => {
    const server = await serve(t, kind, serverOptions);
    const { io } = server;
    const { client, socket } = await enter(server, clientOptions);
    let current = socket;
    current.join("room");
    current.emit("begin");
    await heardBy({ client, socket });
    for (let round = 0; round < 5; round++) {
      current = await interrupt(server, { client, socket: current }, () => {
        io.to("room").emit("missed", round);
      });
      assert.equal(current.recovered, true);
      io.to("room").emit("present", round);
      current.emit("own", round);
      assert.deepEqual(withoutOffsets(await heardBy({ client, socket: current })), [
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
    const [[, offset]] = await heardBy({ client, socket });
    const left = once(socket, "disconnect");
    client.io.engine.close();
    await left;
    const auth = { pid: socket.pid, offset };
    const first = await enter(server, { auth });
    const second = await enter(server, { auth });
    assert.deepEqual([first.socket.id, second.socket.id], [socket.id, socket.id]);
    await heardBy(stays);
    for (const entrance of [first, second]) await acked(entrance);
    io.emit("all");
    io.to("room").emit("room", BYTES);
    io.to(socket.id).emit("one");
    stays.socket.broadcast.emit("others");
    const names = ["all", "room", "one", "others"];
    await heardBy(stays);
    assert.deepEqual(await acked(second), names);
    assert.deepEqual(await acked(first), []);
    // Whichever goes takes the rooms of both along.
    const gone = once(first.socket, "disconnect");
    first.client.disconnect();
    await gone;
    io.to("room").emit("nobody");
    io.emit("all again");
    assert.deepEqual(await namesHeardBy(stays), [["all again"]]);
    assert.deepEqual(await acked(second), []);
  });

  test("restores nothing when time is over", GUARD, async (t) => {
    const server = await serve(t, kind, {
      connectionStateRecovery: { maxDisconnectionDuration: -1 },
    });
    const returns = await enter(server, clientOptions);
    returns.socket.join("room");
    server.io.emit("heard");
    await heardBy(returns);
    const restored = await interrupt(server, returns, () => server.io.emit("missed"));
    assert.equal(restored.recovered, false);
    assert.notEqual(restored.id, returns.socket.id);
    assert.deepEqual([...restored.rooms], [restored.id]);
    server.io.to("room").emit("nobody");
    assert.deepEqual(await heardBy({ client: returns.client, socket: restored }), []);
  });

  test("sends what goes to one socket by the same way, in order", GUARD, async (t) => {
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
    assert.deepEqual(await namesHeardBy(...entrances), [
      numbers.filter((number) => number % 4 !== 2),
      numbers.filter((number) => number % 4 !== 0),
    ]);
  });
}

/** Does something in a callback of its own, as in the handler of an event. */
function inCallback(act) {
  return new Promise((resolve) => setImmediate(() => resolve(act())));
}

/** Does something behind an `await`, so that nothing else runs before its promises. */
async function inPromise(act) {
  await undefined;
  return act();
}

function closes(kind) {
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

  /** Of what is emitted in the turn that closes the server, how much arrives. */
  function expectedCount(turnName) {
    // With ws, engine.io lets all but the first wait until that is written, and drops what
    // waits when the promises of close() are settled before.
    const isOurs = kind.engine.name === "turbo" && hasNative;
    return isOurs || turnName === "a callback" ? numbers.length : 1;
  }

  // What polling clients still get depends on whether they are asking at that moment.
  const isJudged = kind.transport === "websocket";
  for (const [what, emit] of isJudged ? Object.entries(emissions) : []) {
    for (const [turnName, act] of Object.entries(turns)) {
      const count = expectedCount(turnName);
      const name = `delivers ${count} of 200 that ${what} got before io.close() in ${turnName}`;
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
          const heard = client.heard.map(([, number]) => number);
          assert.deepEqual(heard, numbers.slice(0, count));
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
}

test("what createAdapter() gives cannot be extended", { skip: !hasNative }, () => {
  class Extended extends turbo.createAdapter() {}
  assert.throws(() => new Extended({ server: { encoder: null } }), {
    name: "TypeError",
    message: "createAdapter() returns no class to extend; pass your class to it instead",
  });
});

// --- Without the addon ------------------------------------------------------------------------

test("createAdapter() gives the official classes where the addon is switched off", () => {
  const script = `
    const official = require("socket.io-adapter");
    const { createServer } = require("node:http");
    const { Server } = require("socket.io");
    const { io: connect } = require("socket.io-client");
    const { createAdapter, turbo } = require(${JSON.stringify(path.join(__dirname, "../.."))});
    const server = { encoder: null };
    const Created = createAdapter();
    const plain = new Created({ server });
    const aware = new Created({ server: { encoder: null, opts: { connectionStateRecovery: {} } } });
    const http = createServer();
    const io = new Server(http, turbo());
    io.on("connection", (socket) => {
      socket.join("room");
      io.to("room").timeout(5000).emit("news", Buffer.of(7), (error, answers) => {
        console.log(JSON.stringify({
          plain: plain.constructor === official.Adapter,
          aware: aware.constructor === official.SessionAwareAdapter,
          used: io.of("/").adapter.constructor === official.Adapter,
          error,
          answers,
        }));
        io.close();
      });
    });
    http.listen(0, "127.0.0.1", () => {
      const client = connect("http://127.0.0.1:" + http.address().port, { reconnection: false });
      client.on("news", (bytes, answer) => answer(bytes[0]));
    });`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ["-e", script], {
    cwd: __dirname,
    env: { ...process.env, TURBO_NATIVE: "0" },
    encoding: "utf8",
    timeout: GUARD.timeout,
  });
  assert.equal(status, 0, stderr);
  const expected = { plain: true, aware: true, used: true, error: null, answers: [7] };
  assert.deepEqual(JSON.parse(stdout), expected);
});
