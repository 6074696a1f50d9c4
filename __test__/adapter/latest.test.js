"use strict";

/** `turbo.latest()`: a slow client gets the latest packet of each key, a fast one everything. */

const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const ws = require("ws");
const { latest, stats, turbo } = require("../..");
const { describeAdapters, serve } = require("../support/adapter-kinds.js");
const { engines, hasNative, noConnectionsLeft } = require("../support/engines.js");
const { enterByHand } = require("../support/hand-client.js");
const { polled } = require("../support/observed.js");
const { enter, namesReceivedBy, receivedBy } = require("../support/socket-io-client.js");
const { startServer } = require("../support/socket-io-server.js");

const GUARD = { timeout: 60_000 };
const MIB = 1024 * 1024;

/** More than the kernel's buffers of a connection hold, 32 MiB to read and 4 MiB to write. */
const MUCH = "x".repeat(40 * MIB);

const KEYS = 50;
const ROUNDS = 20;

/** Leaves clients that compress to ws. Level 0 makes nothing shorter. */
const WITH_CONTEXT = {
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
  zlibDeflateOptions: { level: 0 },
};

/** The servers of ours, with how they send to a client by WebSocket. */
const ofOurs = hasNative
  ? [
      { title: "on a worker", options: turbo() },
      {
        title: "on a worker, with a listener for outgoing packets",
        options: turbo(),
        isHeard: true,
      },
      { title: "on ws, by our adapter", options: turbo({ wsEngine: ws.WebSocketServer }) },
      { title: "left to ws", options: turbo({ perMessageDeflate: WITH_CONTEXT }), deflates: true },
    ]
  : [];

/** Starts a server with a client that does not read, and for which data waits. */
async function stalled(t, { options, isHeard = false, deflates = false }) {
  await noConnectionsLeft();
  const server = await startServer(t, { serverOptions: (given) => ({ ...given, ...options }) });
  const { client, socket } = await enterByHand(server);
  const webSocket = socket.conn.transport.socket;
  assert.equal(webSocket.extensions !== "", deflates);
  if (isHeard) socket.onAnyOutgoing(() => {});
  client.webSocket.pause();
  socket.emit("long", MUCH);
  const isNative = stats().connections.native > 0;
  await polled(() => (isNative ? stats().queuedBytes > 0 : webSocket.bufferedAmount > 0));
  // A second packet: for ws, the first is with the transport.
  socket.emit("waits");
  const received = async (count) => {
    client.webSocket.resume();
    await client.until(() => client.received.length >= count + 2, "all packets");
    const [long, waits, ...others] = client.received;
    assert.ok(long.startsWith(`42["long","${MUCH}"`));
    assert.ok(waits.startsWith('42["waits"'));
    return others;
  };
  return { ...server, client, socket, received };
}

/** Emits rounds of packets, one for each key; returns those of the last. */
async function emitRounds(emit, afterEach) {
  for (let round = 0; round < ROUNDS; round++) {
    for (let key = 0; key < KEYS; key++) emit(key, round);
    await afterEach(round);
  }
  return Array.from({ length: KEYS }, (_, key) => [key, ROUNDS - 1]);
}

for (const kind of ofOurs) {
  describe(`A client ${kind.title} that does not read`, GUARD, () => {
    test("gets the latest of each key, and another client everything", async (t) => {
      const { io, origin, beforeClose, received } = await stalled(t, kind);
      const fast = await enter({ io, origin, beforeClose });
      const before = stats().replaced;
      const emit = (key, round) => latest(io, `key ${key}`).emit("moved", key, round);
      const all = [];
      const last = await emitRounds(emit, async (round) => {
        if (round === 0) io.emit("news");
        all.push(...(await receivedBy(fast)));
      });
      assert.equal(all.length, KEYS * ROUNDS + 1);
      const expected = last.map((args) => `42${JSON.stringify(["moved", ...args])}`);
      assert.deepEqual(await received(KEYS + 1), [...expected, '42["news"]']);
      const isNative = kind.options.wsEngine !== ws.WebSocketServer && !kind.deflates;
      assert.equal(stats().replaced - before, isNative ? KEYS * (ROUNDS - 1) : 0);
    });

    test("gets attachments with their packet", async (t) => {
      const { io, socket, received } = await stalled(t, kind);
      latest(io, "a").emit("a", Buffer.from("old"));
      latest(io, "b").emit("b", Buffer.from("b"));
      socket.emit("last");
      latest(io, "a").emit("a", Buffer.from("new"), Buffer.from("and more"));
      latest(io, "b").emit("b");
      const texts = [
        '452-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]',
        "new",
        "and more",
        '42["b"]',
        '42["last"]',
      ];
      assert.deepEqual((await received(texts.length)).map(String), texts);
    });

    test("gets the latest of all calls for the same socket and key", async (t) => {
      const { io, socket, received } = await stalled(t, kind);
      socket.join("room");
      latest(io, "k").emit("io");
      latest(io.of("/"), "k").emit("namespace");
      socket.emit("between");
      latest(io.to("room"), "k").compress(false).emit("room");
      latest(socket, "other").emit("other");
      latest(socket, "k").emit("socket", 1);
      assert.deepEqual(await received(3), ['42["socket",1]', '42["between"]', '42["other"]']);
    });
  });
}

describe("A client by long-polling", GUARD, () => {
  const kinds = ofOurs.filter(({ isHeard, deflates }) => !isHeard && !deflates);
  const [onWorker] = kinds;
  const seen = { title: "on a worker, with a listener of its packets", isSeen: true };
  if (hasNative) kinds.push({ ...onWorker, ...seen });
  for (const { title, options, isSeen = false } of kinds) {
    test(`gets the latest of each key that waits between two polls: ${title}`, async (t) => {
      await noConnectionsLeft();
      const { io, origin } = await startServer(t, {
        serverOptions: (given) => ({ ...given, ...options }),
      });
      const url = `${origin}/socket.io/?EIO=4&transport=polling`;
      const { sid } = JSON.parse((await (await fetch(url)).text()).slice(1));
      const poll = async () => (await (await fetch(`${url}&sid=${sid}`)).text()).split("\x1e");
      await fetch(`${url}&sid=${sid}`, { method: "POST", body: "40" });
      await poll();
      const [socket] = await io.fetchSockets();
      const emit = (key, round) => latest(io, `key ${key}`).emit("moved", key, round);
      if (isSeen) for (const conn of Object.values(io.engine.clients)) conn.on("flush", () => {});
      // With a listener, engine.io has them.
      const isNative = stats().connections.native > 0 && !isSeen;
      const before = stats().replaced;
      const last = await emitRounds(emit, (round) => round > 0 || io.emit("news"));
      latest(io.of("/"), "bytes").emit("bytes", Buffer.from("old"));
      latest(socket, "bytes").emit("bytes", Buffer.from("new"));
      // A worker may have a poll before packets of the turn in which it was sent.
      if (isNative) await polled(() => stats().queuedBytes > 0);
      const expected = last.map((args) => `42${JSON.stringify(["moved", ...args])}`);
      assert.deepEqual(await poll(), [
        ...expected,
        '42["news"]',
        '451-["bytes",{"_placeholder":true,"num":0}]',
        `b${Buffer.from("new").toString("base64")}`,
      ]);
      const replaced = KEYS * (ROUNDS - 1) + 1;
      assert.equal(stats().replaced - before, isNative ? replaced : 0);
      // A packet that has left is not replaced.
      latest(io, "key 0").emit("moved", "again");
      assert.deepEqual(await poll(), ['42["moved","again"]']);
      socket.disconnect(true);
      assert.deepEqual(await poll(), ["41"]);
      // The session ends when the client polls again.
      assert.equal((await poll()).at(-1), "1");
    });
  }
});

describe("The keys of a namespace", GUARD, () => {
  test("are its own, on the same connection", { skip: !hasNative }, async (t) => {
    const { io, client, received } = await stalled(t, { options: turbo() });
    io.of("/other");
    // The worker reads what the client sends, though the client does not read.
    client.webSocket.send("40/other,");
    await polled(() => io.of("/other").sockets.size === 1);
    latest(io, "k").emit("main");
    latest(io.of("/other"), "k").emit("other");
    latest(io, "k").emit("main", 2);
    const [connected, ...others] = await received(3);
    assert.match(connected, /^40\/other,/);
    assert.deepEqual(others, ['42["main",2]', '42/other,["other"]']);
  });

  test("are without effect where missed packets are stored, unless volatile", {
    skip: !hasNative,
  }, async (t) => {
    const options = turbo({ connectionStateRecovery: {} });
    const { io, received } = await stalled(t, { options });
    for (let i = 0; i < 3; i++) latest(io, "k").emit("news", i);
    const numbers = (await received(3)).map((text) => JSON.parse(text.slice(2))[1]);
    assert.deepEqual(numbers, [0, 1, 2]);
  });
});

describeAdapters((kind) => {
  test("latest() reaches the sockets that its target does", GUARD, async (t) => {
    const server = await serve(t, kind);
    const [a, b] = [await enter(server), await enter(server)];
    a.socket.join("room");
    const { io } = server;
    latest(io, "1").emit("server");
    latest(io.of("/"), "2").emit("namespace");
    latest(io.to("room"), "3").emit("room");
    latest(io, "4").to("room").to(b.socket.id).emit("both");
    latest(io, "5").except("room").local.timeout(10).compress(false).emit("other");
    latest(a.socket, "6").emit("socket");
    latest(a.socket.broadcast, "7").emit("broadcast");
    latest(b.socket.to("room"), "8").emit("from b");
    latest(latest(io.in("room"), "9"), "10")
      .in(b.socket.id)
      .emit("again");
    latest(a.socket.compress(false), "11").emit("flags");
    assert.deepEqual(await namesReceivedBy(a, b), [
      ["server", "namespace", "room", "both", "socket", "from b", "again", "flags"],
      ["server", "namespace", "both", "other", "broadcast", "again"],
    ]);
  });

  test("packets of latest() keep their order", GUARD, async (t) => {
    const server = await serve(t, kind);
    const entrance = await enter(server);
    for (let i = 0; i < 20; i++) {
      latest(server.io, `${i}`).emit("news", 3 * i);
      entrance.socket.emit("news", 3 * i + 1);
      server.io.emit("news", 3 * i + 2);
    }
    const received = (await receivedBy(entrance)).map(([, number]) => number);
    assert.deepEqual(
      received,
      Array.from({ length: 60 }, (_, number) => number),
    );
  });
});

for (const engine of engines) {
  describe(`latest() on ${engine.name}`, GUARD, () => {
    test("leaves its target as it is", async (t) => {
      const { io } = await startServer(t, engine);
      const operator = io.to("room").except("other").volatile;
      const result = latest(operator, "key");
      assert.deepEqual(operator.flags, { volatile: true });
      assert.deepEqual(result.flags, { volatile: true, latest: "key" });
      assert.deepEqual([[...result.rooms], [...result.exceptRooms]], [["room"], ["other"]]);
      assert.ok(result instanceof operator.constructor);
    });

    test("refuses acknowledgements", async (t) => {
      const { io } = await startServer(t, engine);
      const expected = { code: "TURBO_ERR_NOT_POSSIBLE" };
      for (const operator of [latest(io, "k"), latest(io, "k").to("room").timeout(5).local]) {
        assert.throws(() => operator.emit("event", () => {}), expected);
        await assert.rejects(operator.emitWithAck("event"), expected);
      }
    });

    test("refuses other targets and keys", async (t) => {
      const { io } = await startServer(t, engine);
      const refusal = (option) => ({ name: "TypeError", code: "TURBO_ERR_INVALID_OPTION", option });
      for (const key of [undefined, null, 1, "", "x".repeat(257), "\ud800", ["k"]]) {
        assert.throws(() => latest(io, key), refusal("key"), String(key));
      }
      latest(io, "x".repeat(256)).emit("event");
      for (const target of [undefined, null, "room", {}, io.engine, new Map()]) {
        assert.throws(() => latest(target, "key"), refusal("target"));
      }
    });
  });
}
