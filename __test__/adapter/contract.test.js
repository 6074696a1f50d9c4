"use strict";

/** Adapters without a server: ours beside those of socket.io-adapter, on stand-ins of namespaces. */

const assert = require("node:assert/strict");
const { spawnSync } = require("node:child_process");
const { EventEmitter } = require("node:events");
const path = require("node:path");
const { describe, test } = require("node:test");
const official = require("socket.io-adapter");
const turbo = require("../..");
const { ALL, EVENT } = require("../support/adapter-kinds.js");
const { hasNative } = require("../support/engines.js");

const GUARD = { timeout: 20_000 };
const ROOM_EVENTS = ["create-room", "join-room", "leave-room", "delete-room"];
/** Longer than any test, in milliseconds. */
const NEVER = 60_000;

const recoveryOptions = { connectionStateRecovery: { maxDisconnectionDuration: NEVER } };
const Created = turbo.createAdapter();

/** `make` creates an adapter of a namespace; as in the upstream suite, that has few members. */
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

/** A stand-in of a socket, which keeps the packets that an adapter writes to it. */
function fakeSocket(id) {
  const written = [];
  const client = { writeToEngine: (packets, options) => written.push({ packets, options }) };
  return { id, client, written, acks: new Map() };
}

/** A stand-in of a namespace with sockets of these ids. */
function fakeNamespace(...ids) {
  const sockets = new Map(ids.map((id) => [id, fakeSocket(id)]));
  const encoder = { encode: (packet) => [`${packet.type}${packet.nsp}${packet.data[0]}`] };
  return { name: "/fake", server: { encoder }, sockets, _ids: 0 };
}

/** Returns the ids of the sockets that have been written to since the last call. */
function reached({ sockets }) {
  return [...sockets.values()].filter(({ written }) => written.splice(0).length > 0).map(idOf);
}

function idOf({ id }) {
  return id;
}

/** Returns the room events of an adapter from now on, each with the members at that moment. */
function recordRooms(adapter) {
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
      const events = recordRooms(adapter);
      adapter.del("nobody", "nowhere");
      adapter.delAll("nobody");
      adapter.addAll("s1", new Set());
      adapter.del("s1", "nowhere");
      assert.deepEqual(events, []);
      assert.deepEqual(adapter.sids, new Map([["s1", new Set()]]));
    });

    test("emits the four room events in order, each after its change", () => {
      const adapter = make({ server: { encoder: null } });
      const events = recordRooms(adapter);
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
      const events = recordRooms(adapter);
      adapter.del("s1", "r1");
      assert.deepEqual(
        events.map(([event]) => event),
        ["join-room", "leave-room"],
      );
      assert.deepEqual([...adapter.rooms.get("r1")], ["s1"]);
      adapter.broadcast({ type: EVENT, data: ["e"] }, { ...ALL, rooms: new Set(["r1"]) });
      assert.deepEqual(reached(adapter.nsp), ["s1"]);
    });

    test("stays consistent when a listener throws", () => {
      const adapter = make(fakeNamespace("s1", "s2"));
      adapter.once("join-room", () => {
        throw new Error("of the listener");
      });
      const rooms = new Set(["r1", "r2"]);
      assert.throws(() => adapter.addAll("s1", rooms), { message: "of the listener" });
      assert.deepEqual(adapter.sids, new Map([["s1", new Set(["r1"])]]));
      adapter.addAll("s2", new Set(["r1"]));
      adapter.broadcast({ type: EVENT, data: ["e"] }, { ...ALL, rooms });
      assert.deepEqual(reached(adapter.nsp), ["s1", "s2"]);
    });

    test("distinguishes rooms 1 and '1'", () => {
      const adapter = make(fakeNamespace("s1", "s2"));
      adapter.addAll("s1", new Set([1]));
      adapter.addAll("s2", new Set(["1"]));
      assert.deepEqual([...adapter.rooms.keys()], [1, "1"]);
      for (const [room, id] of [
        [1, "s1"],
        ["1", "s2"],
      ]) {
        adapter.broadcast({ type: EVENT, data: ["e"] }, { ...ALL, rooms: new Set([room]) });
        assert.deepEqual(reached(adapter.nsp), [id]);
        adapter.broadcast({ type: EVENT, data: ["e"] }, { ...ALL, except: new Set([room]) });
        assert.ok(!reached(adapter.nsp).includes(id));
      }
    });

    test("broadcasts to the sockets of the namespace in the rooms, but for excluded rooms", () => {
      const adapter = make(fakeNamespace("s1", "s2", "s3"));
      adapter.addAll("s1", new Set(["r1"]));
      adapter.addAll("s2", new Set(["r1", "r2"]));
      adapter.addAll("s3", new Set(["r2", "r3"]));
      // s4 is in no map of the namespace: it is in a middleware, or has disconnected.
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
      adapter.broadcast({ type: EVENT, data: ["e"] }, { ...ALL, rooms: new Set(["r1", "r2"]) });
      assert.equal(adapter.nsp.sockets.get("s1").written.length, 1);
    });

    test("writes the encoded packet, its flags and one shared frame to each socket", () => {
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

    test("encodes a packet without recipients", () => {
      const nsp = fakeNamespace();
      let encoded = 0;
      nsp.server.encoder = { encode: () => [`${encoded++}`] };
      make(nsp).broadcast({ type: EVENT, data: ["e"] }, ALL);
      assert.equal(encoded, 1);
    });

    test("works again after the encoder or a socket has thrown", () => {
      const nsp = fakeNamespace("s1");
      const { encode } = nsp.server.encoder;
      const { writeToEngine } = nsp.sockets.get("s1").client;
      const adapter = make(nsp);
      adapter.addAll("s1", new Set(["s1"]));
      const broadcast = () => adapter.broadcast({ type: EVENT, data: ["e"] }, ALL);
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

    test("notifies the outgoing listeners of each recipient of a broadcast", () => {
      const nsp = fakeNamespace("s1", "s2");
      const notified = [];
      nsp.sockets.get("s1").notifyOutgoingListeners = (packet) => notified.push(packet);
      const adapter = make(nsp);
      adapter.addAll("s1", new Set(["s1"]));
      adapter.addAll("s2", new Set(["s2"]));
      const packet = { type: EVENT, data: ["e"] };
      adapter.broadcast(packet, ALL);
      assert.deepEqual(notified, [packet]);
      assert.deepEqual(reached(nsp), ["s1", "s2"]);
    });

    test("counts clients once and synchronously, and registers their acks before it writes", () => {
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

    test("counts 0 clients without recipients", () => {
      const counts = [];
      const adapter = make(fakeNamespace());
      adapter.broadcastWithAck({ type: EVENT, data: ["e"] }, ALL, (count) => counts.push(count));
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

    test("makes sockets join, leave and disconnect", () => {
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
      adapter.disconnectSockets(ALL, true);
      assert.deepEqual(calls, [
        ["s1", "join", rooms],
        ["s2", "leave", "a"],
        ["s2", "leave", "b"],
        ["s1", "disconnect", true],
        ["s2", "disconnect", true],
      ]);
    });

    test("counts one server, and warns that serverSideEmit() needs a cluster", async (t) => {
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
      adapter.broadcast({ type: 3, data: ["no event"], id: 1 }, ALL);
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
      // Packets are sent whether they are stored, with an offset, or not.
      assert.equal(adapter.nsp.sockets.get("s2").written.length, 8);
    });

    test("restores no unknown and no expired session", async () => {
      const adapter = make(fakeNamespace());
      const packet = { type: EVENT, data: ["e"] };
      adapter.broadcast(packet, ALL);
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

test("the class that createAdapter() returns cannot be extended", { skip: !hasNative }, () => {
  class Extended extends turbo.createAdapter() {}
  assert.throws(() => new Extended({ server: { encoder: null } }), {
    name: "TypeError",
    message: "createAdapter() returns no class to extend; pass your class to it instead",
  });
});

test("createAdapter() returns the official classes without the addon", () => {
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
