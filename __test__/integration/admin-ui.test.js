"use strict";

/** The server's part of @socket.io/admin-ui, which listens to all that is sent. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { describe, test } = require("node:test");
const { setImmediate: nextTurn } = require("node:timers/promises");
const { instrument } = require("@socket.io/admin-ui");
const { io: connect } = require("socket.io-client");
const { engines } = require("../support/engines.js");
const { Observed } = require("../support/observed.js");
const { startServer } = require("../support/socket-io-server.js");

const GUARD = { timeout: 30_000 };
const KIB = 1024;
const BYTES = Buffer.from([0, 1, 127, 128, 255]);
const TRANSPORTS = { "WebSocket only": ["websocket"], polling: ["polling"], both: undefined };

const range = (count) => Array.from({ length: count }, (_, i) => i);

/** Starts a server and instruments it. */
async function serve(t, engine, mode = "development") {
  const server = await startServer(t, engine);
  instrument(server.io, { auth: false, mode });
  return server;
}

/** Lets a client in, which keeps in `heard` what it hears. */
async function enter({ io, origin, beforeClose }, transports, namespace = "/") {
  const connected = once(io.of(namespace), "connection");
  const options = { forceNew: true, reconnection: false, transports };
  const client = connect(origin + namespace, options);
  beforeClose(() => {
    client.disconnect();
    client.io.engine.close();
  });
  client.heard = [];
  client.on("fence", (ack) => ack());
  client.onAny((...args) => args[0] !== "fence" && client.heard.push(args));
  const [[socket]] = await Promise.all([connected, once(client, "connect")]);
  return { client, socket };
}

/** What a client has heard since the last time, when all that was sent before has come. */
async function heardBy({ client, socket }) {
  await nextTurn();
  await socket.emitWithAck("fence");
  return client.heard.splice(0);
}

/** Waits for the upgrade, where there will be one. */
async function settled({ client, socket }, transports) {
  if (transports === undefined && socket.conn.transport.name === "polling") {
    await once(socket.conn, "upgrade");
  }
  await heardBy({ client, socket });
}

/** Lets an admin in. */
function enterAdmin(server) {
  return enter(server, ["websocket"], "/admin");
}

/** What an admin has been told of, since the last time: only events of these names, less the time. */
async function toldTo(admin, ...names) {
  const told = await heardBy(admin);
  return told.filter(([name]) => names.includes(name)).map((args) => args.slice(0, -1));
}

/** What admins hear, summed up. */
class Statistics extends Observed {
  reports = [];
  sums = {};

  constructor({ client }) {
    super();
    client.on("server_stats", (report) => {
      this.reports.push(report);
      for (const { type, count } of report.aggregatedEvents) {
        this.sums[type] = (this.sums[type] ?? 0) + count;
      }
      this.changed();
    });
  }

  /** Waits for a report on what has happened up to now. */
  reported() {
    const count = this.reports.length;
    return this.until(() => this.reports.length > count, "a report");
  }
}

for (const engine of engines) {
  for (const [transportName, transports] of Object.entries(TRANSPORTS)) {
    describe(`the admin UI of ${engine.name}, with clients by ${transportName}`, () => {
      tellsAdmins(engine, transports);
      obeysAdmins(engine, transports);
    });
  }
  describe(`the admin UI of ${engine.name}`, () => counts(engine));
}

function tellsAdmins(engine, transports) {
  test("tells of sockets that come and go", GUARD, async (t) => {
    const server = await serve(t, engine);
    const early = await enter(server, transports);
    await settled(early, transports);
    const admin = await enterAdmin(server);
    const greeted = (await heardBy(admin)).filter(([name]) => name !== "server_stats");
    const [joined, , config, allSockets] = greeted;
    assert.deepEqual(
      greeted.map(([name]) => name),
      // The first before the client hears that it is connected.
      ["room_joined", "socket_connected", "config", "all_sockets"],
    );
    assert.deepEqual(joined.slice(1, -1), ["/admin", admin.socket.id, admin.socket.id]);
    assert.ok(config[1].supportedFeatures.includes("ALL_EVENTS"));
    const described = allSockets[1].find(({ id }) => id === early.socket.id);
    assert.equal(described.transport, transports?.[0] ?? "websocket");
    assert.deepEqual([described.nsp, described.rooms], ["/", [early.socket.id]]);
    const late = await enter(server, transports);
    const { id } = late.socket;
    const came = (await toldTo(admin, "socket_connected"))[0][1];
    assert.deepEqual([came.id, came.nsp, came.rooms], [id, "/", [id]]);
    late.socket.data.name = "late";
    const left = once(late.socket, "disconnect");
    late.client.disconnect();
    const [reason] = await left;
    const told = await heardBy(admin);
    const updated = told.find(([name, { data }]) => name === "socket_updated" && data);
    assert.deepEqual(updated[1], { id, nsp: "/", data: { name: "late" } });
    const gone = told.find(([name]) => name === "socket_disconnected");
    assert.deepEqual(gone.slice(1, -1), ["/", id, reason]);
  });

  test("tells of rooms that are joined and left", GUARD, async (t) => {
    const server = await serve(t, engine);
    const admin = await enterAdmin(server);
    await heardBy(admin);
    const { socket } = await enter(server, transports);
    const { id } = socket;
    socket.join(["a", "b"]);
    server.io.in("a").socketsLeave("b");
    socket.leave("a");
    assert.deepEqual(await toldTo(admin, "room_joined", "room_left"), [
      ["room_joined", "/", id, id],
      ["room_joined", "/", "a", id],
      ["room_joined", "/", "b", id],
      ["room_left", "/", "b", id],
      ["room_left", "/", "a", id],
    ]);
  });

  test("tells of each event that is sent, and clients get it once", GUARD, async (t) => {
    const server = await serve(t, engine);
    const { io } = server;
    const admin = await enterAdmin(server);
    const entrances = [await enter(server, transports), await enter(server, transports)];
    const [a, b] = entrances;
    for (const entrance of entrances) await settled(entrance, transports);
    await heardBy(admin);
    a.socket.join("room");
    const sent = entrances.map(() => []);
    const send = (recipients, operator, ...args) => {
      operator.emit(...args);
      for (const i of recipients) sent[i].push(args);
    };
    for (const number of range(30)) {
      send([0, 1], io, "for all", number, BYTES);
      send([0], io.to("room"), "for the room", number);
      send([1], io.except("room"), "for the other", { number });
      send([1], b.socket, "own", number, [BYTES, BYTES]);
      send([0], b.socket.broadcast, "from b", number, "ž");
      if (number % 7 === 0) await nextTurn();
    }
    const told = await toldTo(admin, "event_sent");
    for (const [i, { socket, client }] of entrances.entries()) {
      const ofSocket = told.filter(([, , id]) => id === socket.id);
      assert.deepEqual(
        ofSocket.map(([, nsp, , args]) => [nsp, args]),
        sent[i].map((args) => ["/", args]),
      );
      assert.deepEqual(await heardBy({ client, socket }), sent[i]);
    }
    assert.equal(told.length, sent.flat().length);
  });

  test("tells of each event that is received, and of acks' questions", GUARD, async (t) => {
    const server = await serve(t, engine);
    const admin = await enterAdmin(server);
    const { client, socket } = await enter(server, transports);
    client.on("question", (number, ack) => ack(number + 1));
    assert.deepEqual(await client.emitWithAck("echo", "text", BYTES), "text");
    const asked = [];
    for (const number of range(10)) {
      asked.push(server.io.timeout(GUARD.timeout).emitWithAck("question", number));
      asked.push(socket.emitWithAck("question", number));
    }
    const answers = range(10).flatMap((number) => [[number + 1], number + 1]);
    assert.deepEqual(await Promise.all(asked), answers);
    const told = await toldTo(admin, "event_received", "event_sent");
    const { id } = socket;
    assert.deepEqual(told, [
      ["event_received", "/", id, ["echo", "text", BYTES]],
      ...range(20).map((i) => ["event_sent", "/", id, ["question", Math.floor(i / 2)]]),
    ]);
  });
}

function obeysAdmins(engine, transports) {
  test("has sockets join, leave, hear and disconnect as admins say", GUARD, async (t) => {
    const server = await serve(t, engine);
    const { io } = server;
    const admin = await enterAdmin(server);
    const entrances = [];
    for (let i = 0; i < 3; i++) entrances.push(await enter(server, transports));
    const [a, b, c] = entrances;
    for (const entrance of entrances) await settled(entrance, transports);
    /** Has an admin do something, and waits until it is done. */
    const say = async (...args) => {
      const done = once(admin.socket, args[0]);
      admin.client.emit(...args);
      await done;
      await nextTurn();
    };
    await say("join", "/", "all");
    await say("join", "/", "room", a.socket.id);
    await say("join", "/", "room", b.socket.id);
    await say("leave", "/", "all", "room");
    io.to("all").emit("all");
    io.to("room").emit("room", BYTES);
    await say("emit", "/", "room", "of the admin", 1);
    await say("emit", "/", undefined, "of the admin to all", BYTES);
    await say("leave", "/", "room", b.socket.id);
    io.to("room").emit("a alone");
    const left = once(a.client, "disconnect");
    await say("_disconnect", "/", false, a.socket.id);
    await left;
    io.emit("for who is left");
    assert.deepEqual(a.client.heard, [
      ["room", BYTES],
      ["of the admin", 1],
      ["of the admin to all", BYTES],
      ["a alone"],
    ]);
    assert.deepEqual(await heardBy(b), [
      ["room", BYTES],
      ["of the admin", 1],
      ["of the admin to all", BYTES],
      ["for who is left"],
    ]);
    assert.deepEqual(await heardBy(c), [
      ["all"],
      ["of the admin to all", BYTES],
      ["for who is left"],
    ]);
    const gone = [b, c].map(({ client }) => once(client, "disconnect"));
    await say("_disconnect", "/", true);
    await Promise.all(gone);
    assert.equal((await io.fetchSockets()).length, 0);
  });
}

function counts(engine) {
  test("counts packets and bytes of broadcasts and others, each once", GUARD, async (t) => {
    const server = await serve(t, engine, "production");
    const admin = await enterAdmin(server);
    const statistics = new Statistics(admin);
    const entrances = [
      await enter(server, ["websocket"]),
      await enter(server, ["websocket"]),
      await enter(server, ["polling"]),
    ];
    const text = "x".repeat(10 * KIB);
    const attachment = Buffer.alloc(5 * KIB);
    for (const i of range(50)) {
      server.io.emit("news", text, i % 2 === 0 ? attachment : "none");
      for (const { socket } of entrances) socket.emit("own", text);
      for (const { client } of entrances) client.emit("echo", text, () => {});
      if (i % 5 === 0) await nextTurn();
    }
    for (const entrance of entrances) {
      const heard = await heardBy(entrance);
      assert.equal(heard.length, 100);
      await entrance.client.emitWithAck("echo", "that was all");
    }
    await statistics.reported();
    await statistics.reported();
    const { bytesOut, packetsOut, bytesIn, packetsIn, rawConnection } = statistics.sums;
    // Texts of broadcasts and others and of echoes, and the attachments of every other broadcast.
    const texts = 3 * 50 * 3;
    const attachments = 3 * 25;
    const leastOut = texts * text.length + attachments * attachment.length;
    assertAbout(bytesOut, leastOut, "bytes out");
    assertAbout(packetsOut * KIB, (texts + attachments) * KIB, "packets out");
    assertAbout(bytesIn, 3 * 50 * text.length, "bytes in");
    assertAbout(packetsIn * KIB, 3 * 50 * KIB, "packets in");
    assert.equal(rawConnection, 4);
    const { clientsCount, pollingClientsCount, namespaces } = statistics.reports.at(-1);
    assert.deepEqual([clientsCount, pollingClientsCount], [4, 1]);
    const socketsCount = Object.fromEntries(namespaces.map((nsp) => [nsp.name, nsp.socketsCount]));
    assert.deepEqual(socketsCount, { "/": 3, "/private": 0, "/admin": 1 });
  });

  test("reaches all in order where only those who came later are observed", GUARD, async (t) => {
    const server = await startServer(t, engine);
    const early = [await enter(server, ["websocket"]), await enter(server)];
    for (const entrance of early) await settled(entrance);
    instrument(server.io, { auth: false, mode: "development" });
    const late = [await enter(server, ["websocket"]), await enter(server)];
    const admin = await enterAdmin(server);
    for (const entrance of late) await settled(entrance);
    for (const number of range(100)) {
      if (number % 3 === 0)
        for (const { socket } of [...early, ...late]) socket.emit("news", number);
      else server.io.emit("news", number, BYTES);
    }
    for (const entrance of [...early, ...late]) {
      const heard = await heardBy(entrance);
      assert.deepEqual(
        heard.map(([, number]) => number),
        range(100),
      );
    }
    const told = await toldTo(admin, "event_sent");
    const isOfNews = ([, , , [name]]) => name === "news";
    assert.equal(told.filter(isOfNews).length, 200);
  });
}

/** More comes to it than what the test knows of, but not much: handshakes, fences, reports. */
function assertAbout(actual, least, what) {
  assert.ok(actual >= least, `${actual} of ${least} ${what}`);
  assert.ok(actual < least + 30 * KIB, `${actual}, where ${least} ${what} were expected`);
}
