"use strict";

/** Packets to and from clients that compress: sent in all ways, and to others in the same broadcast. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { test } = require("node:test");
const connectV2 = require("socket.io-client-v2");
const {
  assertNativeCount,
  connectionCounts,
  hasNative,
  hasPollingWorkers,
  noConnectionsLeft,
} = require("../support/engines.js");
const { polled } = require("../support/observed.js");
const { describeConnections, serve } = require("../support/packet-routes.js");
const { randomFrom } = require("../support/random.js");
const {
  POLLING_ONLY,
  WITH_UPGRADE,
  enter,
  numbersReceivedBy,
  range,
  receivedBy,
  receivedByAll,
  settled,
  upgraded,
} = require("../support/socket-io-client.js");
const { transfersOf } = require("../support/transfers.js");
const { WebSocketClient, shown } = require("../support/websocket/client.js");
const { WITHOUT_CONTEXT, offering } = require("../support/websocket/deflate.js");
const { text } = require("../support/websocket/frames.js");

const GUARD = { timeout: 20_000 };
const THRESHOLD = 200;
const OPTIONS = {
  perMessageDeflate: { threshold: THRESHOLD, ...WITHOUT_CONTEXT },
  // Each worker compresses for its own connections.
  ioThreads: 2,
};
/** Clients in Node.js offer permessage-deflate unless they are told not to. */
const PLAIN = { perMessageDeflate: false };

const LONG = "žluťoučký kůň ".repeat(100);
const BYTES = Buffer.alloc(3000, "attachment");
const VALUES = ["short", LONG, BYTES, { a: [BYTES, LONG, Buffer.from([1, 2, 3])] }];

/** The ways to send a value to one socket with `news`, or `message`. */
const WAYS = {
  "socket.emit()": (socket, value) => socket.emit("news", value),
  "socket.emit() with an ack": (socket, value) => socket.emit("news", value, () => {}),
  "socket.send()": (socket, value) => socket.send(value),
  "a broadcast to all": (socket, value) => socket.nsp.emit("news", value),
  "a broadcast to a room": (socket, value) => socket.nsp.to(socket.id).emit("news", value),
  "a local broadcast": (socket, value) => socket.nsp.local.emit("news", value),
  "a broadcast with acks": (socket, value) =>
    socket.nsp.timeout(20_000).emit("news", value, () => {}),
};

/** The same, marked as not to be compressed. */
const UNCOMPRESSED = {
  "socket.emit()": (socket, value) => socket.compress(false).emit("news", value),
  "socket.send()": (socket, value) => socket.compress(false).send(value),
  "a broadcast to all": (socket, value) => socket.nsp.compress(false).emit("news", value),
  "a broadcast to a room": (socket, value) =>
    socket.nsp.to(socket.id).compress(false).emit("news", value),
  "a local broadcast": (socket, value) => socket.nsp.local.compress(false).emit("news", value),
  "a packet of the connection": (socket, value) =>
    socket.conn.send(`2["news",${JSON.stringify(value)}]`, { compress: false }),
};

/** The ways that reach no other socket, and have attachments. */
const TO_ONE = [
  WAYS["socket.emit()"],
  WAYS["socket.emit() with an ack"],
  WAYS["a broadcast to a room"],
  UNCOMPRESSED["socket.emit()"],
  UNCOMPRESSED["a broadcast to a room"],
];

const isLong = ({ length }) => length >= THRESHOLD;

/** Asserts that a client received long messages, and that exactly the long ones were compressed. */
function assertLongOnesCompressed(transfers) {
  assert.ok(transfers.some(isLong));
  for (const transfer of transfers) {
    assert.equal(transfer.isCompressed, isLong(transfer), `${transfer.length} bytes`);
  }
}

function assertNoneCompressed(transfers) {
  assert.ok(transfers.some(isLong));
  assert.deepEqual(
    transfers.filter(({ isCompressed }) => isCompressed),
    [],
  );
}

describeConnections((engine) => {
  const isOurs = hasNative && engine.name === "turbo";
  // engine.io 6.6.12 does not pass the option on to ws.
  const honoursCompressFalse = isOurs;

  test("compresses what it sends in all ways, from the threshold on", GUARD, async (t) => {
    if (hasNative) await noConnectionsLeft();
    const server = await serve(t, engine, OPTIONS);
    const entrance = await enter(server);
    assertNativeCount(engine, 1);
    for (const [way, send] of Object.entries(WAYS)) {
      const transfers = transfersOf(entrance);
      for (const value of VALUES) send(entrance.socket, value);
      const received = await receivedBy(entrance);
      const name = way === "socket.send()" ? "message" : "news";
      assert.deepEqual(
        received,
        VALUES.map((value) => [name, value]),
        way,
      );
      assertLongOnesCompressed(transfers);
    }
  });

  test("compresses packets to others and volatile ones", GUARD, async (t) => {
    const server = await serve(t, engine, OPTIONS);
    const [sender, entrance] = [await enter(server), await enter(server)];
    await settled(entrance);
    const transfers = transfersOf(entrance);
    sender.socket.broadcast.emit("news", LONG);
    await settled(entrance);
    entrance.socket.volatile.emit("news", BYTES);
    await settled(entrance);
    server.io.volatile.emit("news", LONG);
    await settled(entrance);
    assert.deepEqual(await receivedBy(entrance), [
      ["news", LONG],
      ["news", BYTES],
      ["news", LONG],
    ]);
    assertLongOnesCompressed(transfers);
  });

  test("does not compress what is marked so, if engine.io passes that on", GUARD, async (t) => {
    const server = await serve(t, engine, OPTIONS);
    const entrance = await enter(server);
    for (const [way, send] of Object.entries(UNCOMPRESSED)) {
      const transfers = transfersOf(entrance);
      send(entrance.socket, LONG);
      await settled(entrance);
      const name = way === "socket.send()" ? "message" : "news";
      assert.deepEqual(await receivedBy(entrance), [[name, LONG]], way);
      if (honoursCompressFalse) assertNoneCompressed(transfers);
      else assertLongOnesCompressed(transfers);
    }
    const transfers = transfersOf(entrance);
    server.io.compress(false).emit("news", BYTES);
    if (honoursCompressFalse) {
      await settled(entrance);
      assertNoneCompressed(transfers);
    }
    entrance.socket.compress(true).emit("news", LONG);
    server.io.compress(true).emit("news", LONG);
    await settled(entrance);
    assertLongOnesCompressed(transfers.slice(-3));
  });

  for (const [what, listen] of [
    ["the packets", ({ conn }) => conn.on("packetCreate", () => {})],
    ["what is sent", (socket) => socket.onAnyOutgoing(() => {})],
  ]) {
    test(`compresses, or not, where a program listens to ${what}`, GUARD, async (t) => {
      const server = await serve(t, engine, OPTIONS);
      const entrance = await enter(server);
      listen(entrance.socket);
      const ways = [...Object.entries(WAYS), ...Object.entries(UNCOMPRESSED)];
      for (const [way, send] of ways) {
        const transfers = transfersOf(entrance);
        send(entrance.socket, LONG);
        const [[, value]] = await receivedBy(entrance);
        assert.equal(value, LONG, way);
        const isMarked = send === UNCOMPRESSED[way];
        if (honoursCompressFalse && isMarked) assertNoneCompressed(transfers);
        else assertLongOnesCompressed(transfers);
      }
    });
  }

  test("compresses the same packet to several sockets, or not, one by one", GUARD, async (t) => {
    const server = await serve(t, engine, OPTIONS);
    const entrances = [await enter(server), await enter(server), await enter(server, PLAIN)];
    await settled(...entrances);
    const [one, two, plain] = entrances.map(transfersOf);
    const flags = [true, false, true, true, false, false, true];
    for (const flag of flags) {
      for (const { socket } of entrances) socket.compress(flag).emit("news", LONG);
    }
    for (const received of await receivedByAll(...entrances)) {
      assert.deepEqual(
        received,
        flags.map(() => ["news", LONG]),
      );
    }
    const seen = flags.map((flag) => flag || !honoursCompressFalse);
    for (const transfers of [one, two]) {
      assert.deepEqual(
        transfers.filter(isLong).map(({ isCompressed }) => isCompressed),
        seen,
      );
    }
    assertNoneCompressed(plain);
  });

  test("closes a client whose message is too long, decompressed", GUARD, async (t) => {
    const server = await serve(t, engine, { ...OPTIONS, maxHttpBufferSize: 100_000 });
    const bomber = await enter(server, { perMessageDeflate: { threshold: THRESHOLD } });
    const other = await enter(server);
    const longest = Buffer.alloc(100_000, "b");
    assert.ok(longest.equals(await bomber.client.emitWithAck("echo", longest)));
    const ended = [once(bomber.socket, "disconnect"), once(bomber.client, "disconnect")];
    bomber.client.emit("echo", Buffer.alloc(100_001, "b"));
    const [[reason], [clientReason]] = await Promise.all(ended);
    assert.deepEqual([reason, clientReason], ["transport error", "transport close"]);
    server.io.emit("news", LONG);
    assert.deepEqual(await receivedBy(other), [["news", LONG]]);
  });

  test("reaches clients that compress and others in one broadcast", GUARD, async (t) => {
    if (hasNative) await noConnectionsLeft();
    const server = await serve(t, engine, OPTIONS);
    const entrances = [
      await enter(server),
      await enter(server, PLAIN),
      await enter(server),
      await enter(server, POLLING_ONLY),
      await enter(server, { connectTo: connectV2 }),
      await enter(server, { connectTo: connectV2, ...PLAIN }),
      await enter(server, { connectTo: connectV2, ...POLLING_ONLY }),
      await enter(server, { ...WITH_UPGRADE, ...PLAIN }),
      await enter(server, WITH_UPGRADE),
    ];
    for (const { socket } of entrances.slice(-2)) await upgraded(socket);
    await settled(...entrances);
    // All but those that poll Node.js: workers have no clients of Engine.IO v3 that do.
    const count = hasPollingWorkers ? 8 : 7;
    if (isOurs) await polled(() => connectionCounts().native === count);
    const [one, plain, two] = entrances.slice(0, 3).map(transfersOf);
    const after = transfersOf(entrances.at(-1));
    for (const { socket } of entrances) socket.join("room");
    const expected = [];
    for (const value of VALUES) {
      server.io.emit("news", value);
      server.io.to("room").volatile.emit("news", "is dropped, as something was sent");
      server.io.to("room").emit("news", value);
      expected.push(["news", value], ["news", value]);
    }
    for (const received of await receivedByAll(...entrances)) {
      const kept = received.filter(([, value]) => !String(value).startsWith("is dropped"));
      assert.deepEqual(kept, expected);
    }
    for (const transfers of [one, two, after]) assertLongOnesCompressed(transfers);
    assertNoneCompressed(plain);
  });

  test("keeps the order of packets that are compressed and that are not", GUARD, async (t) => {
    const server = await serve(t, engine, OPTIONS);
    const entrances = [await enter(server), await enter(server, PLAIN), await enter(server)];
    const { below, pick } = randomFrom(1);
    const lengths = [0, 10, 190, 210, 5000, 200_000];
    for (const number of range(200)) {
      const filler = "x".repeat(pick(lengths));
      const value = [number, below(4) === 0 ? Buffer.from(filler) : filler];
      if (below(2) === 0) server.io.emit("news", value);
      else for (const { socket } of entrances) pick(TO_ONE)(socket, value);
    }
    for (const entrance of entrances) {
      const numbers = await numbersReceivedBy(entrance);
      assert.deepEqual(
        numbers.map(([number]) => number),
        range(200),
      );
    }
  });

  test("compresses for a client that has upgraded from polling", GUARD, async (t) => {
    const server = await serve(t, engine, OPTIONS);
    const entrance = await enter(server, WITH_UPGRADE);
    entrance.socket.emit("news", LONG);
    await upgraded(entrance.socket);
    await settled(entrance);
    const transfers = transfersOf(entrance);
    entrance.socket.emit("news", LONG);
    server.io.emit("news", BYTES);
    assert.deepEqual(await receivedBy(entrance), [
      ["news", LONG],
      ["news", LONG],
      ["news", BYTES],
    ]);
    assertLongOnesCompressed(transfers);
  });

  test("receives compressed events and acks, and sends acks back", GUARD, async (t) => {
    if (hasNative) await noConnectionsLeft();
    const server = await serve(t, engine, OPTIONS);
    const perMessageDeflate = { threshold: THRESHOLD };
    const client = await enter(server, { perMessageDeflate, acknowledges: false });
    const other = await enter(server, PLAIN);
    assertNativeCount(engine, 2);
    const transfers = transfersOf(client);
    const connection = client.client.io.engine.transport.ws._socket;
    const before = connection.bytesWritten;
    for (const value of VALUES) {
      assert.deepEqual(await client.client.emitWithAck("echo", value), value);
      assert.deepEqual(await other.client.emitWithAck("echo", value), value);
    }
    assertLongOnesCompressed(transfers);
    const written = connection.bytesWritten - before;
    assert.ok(written < BYTES.length, `${written} bytes for more than ${2 * BYTES.length}`);
    client.client.on("ask", (value, answer) => answer(value, BYTES));
    assert.deepEqual(await client.socket.timeout(20_000).emitWithAck("ask", LONG), LONG);
    const answers = await server.io.to(client.socket.id).timeout(20_000).emitWithAck("ask", BYTES);
    assert.deepEqual(answers, [BYTES]);
  });

  test("receives fragments and packets of one connection in order", GUARD, async (t) => {
    const server = await serve(t, engine, OPTIONS);
    const { client, socket } = await enter(server, { perMessageDeflate: { threshold: 10 } });
    const received = [];
    socket.on("number", (number, filler) => received.push([number, filler.length]));
    const lengths = [0, 5, 50, 5000, 100_000];
    const expected = range(100).map((number) => [number, lengths[number % lengths.length]]);
    for (const [number, length] of expected) {
      const filler = number % 3 === 0 ? Buffer.alloc(length, "b") : "a".repeat(length);
      client.emit("number", number, filler);
    }
    await client.emitWithAck("echo", "end");
    assert.deepEqual(received, expected);
  });

  test("compresses once for each window of the recipients", GUARD, async (t) => {
    const server = await serve(t, engine, OPTIONS);
    const offers = [[], ...range(8, 8).map((bits) => [`server_max_window_bits=${bits}`])];
    const clients = [];
    const path = "/socket.io/?EIO=4&transport=websocket";
    for (const offer of [...offers, ...offers, undefined]) {
      const headers = offer === undefined ? {} : offering(offer).headers;
      const client = await WebSocketClient.open(server.port, { path, headers });
      server.beforeClose(() => client.destroy());
      const connected = once(server.io, "connection");
      await client.write(text("40"));
      await connected;
      await client.hasReceived(2);
      clients.push(client);
    }
    const { below } = randomFrom(1);
    const random = (length) => Buffer.from(Array.from({ length }, () => below(256)));
    const block = random(300);
    const gaps = [10, 300, 700, 1500, 3500, 7500, 15_000, 31_000];
    // Text that is worth compressing with any window, and repetitions at distances that need one.
    const repeated = gaps.flatMap((gap) => [block, random(gap)]);
    const bytes = Buffer.concat([Buffer.alloc(10_000), ...repeated]);
    server.io.emit("news", bytes, LONG);
    for (const client of clients) await client.hasReceived(4);
    const packet = `451-["news",{"_placeholder":true,"num":0},${JSON.stringify(LONG)}]`;
    for (const client of clients) {
      assert.deepEqual(client.frames.slice(2), [
        ["text", shown(packet)],
        ["binary", shown(bytes)],
      ]);
    }
    const compressed = clients.slice(0, -1).map(({ transfers }) => transfers.slice(2));
    assert.ok(compressed.flat().every((transfer) => transfer.compressed));
    assert.ok(clients.at(-1).transfers.every((transfer) => !transfer.compressed));
    // The same bytes for the same window.
    assert.deepEqual(compressed.slice(0, offers.length), compressed.slice(offers.length));
  });
});
