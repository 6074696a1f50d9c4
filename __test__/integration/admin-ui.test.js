"use strict";

/** The server's part of @socket.io/admin-ui, which listens to all packets. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { describe, test } = require("node:test");
const { setImmediate: nextTurn } = require("node:timers/promises");
const { instrument } = require("@socket.io/admin-ui");
const { engines } = require("../support/engines.js");
const { Observed } = require("../support/observed.js");
const {
  POLLING_ONLY,
  WEBSOCKET_ONLY,
  WITH_UPGRADE,
  enter,
  range,
  receivedBy: eventsReceivedBy,
  upgraded,
} = require("../support/socket-io-client.js");
const { startServer } = require("../support/socket-io-server.js");

const GUARD = { timeout: 30_000 };
const KIB = 1024;
const BYTES = Buffer.from([0, 1, 127, 128, 255]);
const TRANSPORTS = { "WebSocket only": WEBSOCKET_ONLY, polling: POLLING_ONLY, both: WITH_UPGRADE };

/** Starts a server and instruments it. */
async function serve(t, engine, mode = "development") {
  const server = await startServer(t, engine);
  instrument(server.io, { auth: false, mode });
  return server;
}

/** Returns the events that a client has received; the admin UI sends its own in the next turn. */
async function receivedBy(entrance) {
  await nextTurn();
  return eventsReceivedBy(entrance);
}

/** Waits until a client has entered, upgraded if it does, and received all events. */
async function settled(entrance, transports) {
  if (transports === WITH_UPGRADE) await upgraded(entrance.socket);
  await receivedBy(entrance);
}

function enterAdmin(server) {
  return enter(server, { namespace: "/admin" });
}

/** Returns the events of these names that an admin has received, without the time. */
async function reportedTo(admin, ...names) {
  const reports = await receivedBy(admin);
  return reports.filter(([name]) => names.includes(name)).map((args) => args.slice(0, -1));
}

/** The sums of the statistics that an admin receives. */
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

  /** Waits for a report on all that has happened up to now. */
  reported() {
    const count = this.reports.length;
    return this.until(() => this.reports.length > count, "a report");
  }
}

for (const engine of engines) {
  for (const [transportName, transports] of Object.entries(TRANSPORTS)) {
    describe(`the admin UI of ${engine.name}, with clients by ${transportName}`, () => {
      reportsToAdmins(engine, transports);
      obeysAdmins(engine, transports);
    });
  }
  describe(`the admin UI of ${engine.name}`, () => counts(engine));
}

function reportsToAdmins(engine, transports) {
  test("reports sockets that connect and disconnect", GUARD, async (t) => {
    const server = await serve(t, engine);
    const early = await enter(server, transports);
    await settled(early, transports);
    const admin = await enterAdmin(server);
    const greeted = (await receivedBy(admin)).filter(([name]) => name !== "server_stats");
    const [joined, , config, allSockets] = greeted;
    assert.deepEqual(
      greeted.map(([name]) => name),
      // The first is sent before the client knows that it is connected.
      ["room_joined", "socket_connected", "config", "all_sockets"],
    );
    assert.deepEqual(joined.slice(1, -1), ["/admin", admin.socket.id, admin.socket.id]);
    assert.ok(config[1].supportedFeatures.includes("ALL_EVENTS"));
    const described = allSockets[1].find(({ id }) => id === early.socket.id);
    assert.equal(described.transport, transports.transports.at(-1));
    assert.deepEqual([described.nsp, described.rooms], ["/", [early.socket.id]]);
    const late = await enter(server, transports);
    const { id } = late.socket;
    const came = (await reportedTo(admin, "socket_connected"))[0][1];
    assert.deepEqual([came.id, came.nsp, came.rooms], [id, "/", [id]]);
    late.socket.data.name = "late";
    const left = once(late.socket, "disconnect");
    late.client.disconnect();
    const [reason] = await left;
    const reported = await receivedBy(admin);
    const updated = reported.find(([name, { data }]) => name === "socket_updated" && data);
    assert.deepEqual(updated[1], { id, nsp: "/", data: { name: "late" } });
    const gone = reported.find(([name]) => name === "socket_disconnected");
    assert.deepEqual(gone.slice(1, -1), ["/", id, reason]);
  });

  test("reports rooms that are joined and left", GUARD, async (t) => {
    const server = await serve(t, engine);
    const admin = await enterAdmin(server);
    await receivedBy(admin);
    const { socket } = await enter(server, transports);
    const { id } = socket;
    socket.join(["a", "b"]);
    server.io.in("a").socketsLeave("b");
    socket.leave("a");
    assert.deepEqual(await reportedTo(admin, "room_joined", "room_left"), [
      ["room_joined", "/", id, id],
      ["room_joined", "/", "a", id],
      ["room_joined", "/", "b", id],
      ["room_left", "/", "b", id],
      ["room_left", "/", "a", id],
    ]);
  });

  test("reports each event that is sent, and clients receive it once", GUARD, async (t) => {
    const server = await serve(t, engine);
    const { io } = server;
    const admin = await enterAdmin(server);
    const entrances = [await enter(server, transports), await enter(server, transports)];
    const [a, b] = entrances;
    for (const entrance of entrances) await settled(entrance, transports);
    await receivedBy(admin);
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
    const reported = await reportedTo(admin, "event_sent");
    for (const [i, { socket, client }] of entrances.entries()) {
      const ofSocket = reported.filter(([, , id]) => id === socket.id);
      assert.deepEqual(
        ofSocket.map(([, nsp, , args]) => [nsp, args]),
        sent[i].map((args) => ["/", args]),
      );
      assert.deepEqual(await receivedBy({ client, socket }), sent[i]);
    }
    assert.equal(reported.length, sent.flat().length);
  });

  test("reports each event that is received, and events that ask for acks", GUARD, async (t) => {
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
    const reported = await reportedTo(admin, "event_received", "event_sent");
    const { id } = socket;
    assert.deepEqual(reported, [
      ["event_received", "/", id, ["echo", "text", BYTES]],
      ...range(20).map((i) => ["event_sent", "/", id, ["question", Math.floor(i / 2)]]),
    ]);
  });
}

function obeysAdmins(engine, transports) {
  test("makes sockets join, leave, receive and disconnect as admins command", GUARD, async (t) => {
    const server = await serve(t, engine);
    const { io } = server;
    const admin = await enterAdmin(server);
    const entrances = [];
    for (let i = 0; i < 3; i++) entrances.push(await enter(server, transports));
    const [a, b, c] = entrances;
    for (const entrance of entrances) await settled(entrance, transports);
    /** Sends a command of an admin, and waits until it is done. */
    const command = async (...args) => {
      const done = once(admin.socket, args[0]);
      admin.client.emit(...args);
      await done;
      await nextTurn();
    };
    await command("join", "/", "all");
    await command("join", "/", "room", a.socket.id);
    await command("join", "/", "room", b.socket.id);
    await command("leave", "/", "all", "room");
    io.to("all").emit("all");
    io.to("room").emit("room", BYTES);
    await command("emit", "/", "room", "of the admin", 1);
    await command("emit", "/", undefined, "of the admin to all", BYTES);
    await command("leave", "/", "room", b.socket.id);
    io.to("room").emit("a alone");
    const left = once(a.client, "disconnect");
    await command("_disconnect", "/", false, a.socket.id);
    await left;
    io.emit("for who is left");
    assert.deepEqual(a.client.received, [
      ["room", BYTES],
      ["of the admin", 1],
      ["of the admin to all", BYTES],
      ["a alone"],
    ]);
    assert.deepEqual(await receivedBy(b), [
      ["room", BYTES],
      ["of the admin", 1],
      ["of the admin to all", BYTES],
      ["for who is left"],
    ]);
    assert.deepEqual(await receivedBy(c), [
      ["all"],
      ["of the admin to all", BYTES],
      ["for who is left"],
    ]);
    const gone = [b, c].map(({ client }) => once(client, "disconnect"));
    await command("_disconnect", "/", true);
    await Promise.all(gone);
    assert.equal((await io.fetchSockets()).length, 0);
  });
}

function counts(engine) {
  test("counts packets and bytes of broadcasts and others, each once", GUARD, async (t) => {
    const server = await serve(t, engine, "production");
    const admin = await enterAdmin(server);
    const statistics = new Statistics(admin);
    const entrances = [await enter(server), await enter(server), await enter(server, POLLING_ONLY)];
    const text = "x".repeat(10 * KIB);
    const attachment = Buffer.alloc(5 * KIB);
    for (const i of range(50)) {
      server.io.emit("news", text, i % 2 === 0 ? attachment : "none");
      for (const { socket } of entrances) socket.emit("own", text);
      for (const { client } of entrances) client.emit("echo", text, () => {});
      if (i % 5 === 0) await nextTurn();
    }
    for (const entrance of entrances) {
      const received = await receivedBy(entrance);
      assert.equal(received.length, 100);
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

  test(
    "reaches all in order where only the clients that came later are observed",
    GUARD,
    async (t) => {
      const server = await startServer(t, engine);
      const early = [await enter(server), await enter(server, WITH_UPGRADE)];
      await settled(early[0], WEBSOCKET_ONLY);
      await settled(early[1], WITH_UPGRADE);
      instrument(server.io, { auth: false, mode: "development" });
      const late = [await enter(server), await enter(server, WITH_UPGRADE)];
      const admin = await enterAdmin(server);
      await settled(late[0], WEBSOCKET_ONLY);
      await settled(late[1], WITH_UPGRADE);
      for (const number of range(100)) {
        if (number % 3 === 0)
          for (const { socket } of [...early, ...late]) socket.emit("news", number);
        else server.io.emit("news", number, BYTES);
      }
      for (const entrance of [...early, ...late]) {
        const received = await receivedBy(entrance);
        assert.deepEqual(
          received.map(([, number]) => number),
          range(100),
        );
      }
      const reported = await reportedTo(admin, "event_sent");
      const isOfNews = ([, , , [name]]) => name === "news";
      assert.equal(reported.filter(isOfNews).length, 200);
    },
  );
}

/** Asserts a sum: handshakes, fences and reports add a little to what the test sends. */
function assertAbout(actual, least, what) {
  assert.ok(actual >= least, `${actual} of ${least} ${what}`);
  assert.ok(actual < least + 30 * KIB, `${actual}, where ${least} ${what} were expected`);
}
