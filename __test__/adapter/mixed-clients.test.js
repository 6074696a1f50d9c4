"use strict";

/** Broadcasts to clients of all kinds: both versions of Engine.IO, transports, and other parsers. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { setImmediate: nextTurn } = require("node:timers/promises");
const connectV2 = require("socket.io-client-v2");
const { connectionCounts, hasNative, hasPollingWorkers } = require("../support/engines.js");
const { enterByHand } = require("../support/hand-client.js");
const { parserOf } = require("../support/json-parser.js");
const { createSender, describeConnections, serve } = require("../support/packet-routes.js");
const {
  POLLING_ONLY,
  WEBSOCKET_ONLY,
  WITH_UPGRADE,
  enter,
  numbersReceivedBy,
  range,
  receivedBy,
  receivedByAll,
  settled,
  upgraded,
} = require("../support/socket-io-client.js");

const GUARD = { timeout: 20_000 };
const BYTES = Buffer.from([0, 1, 127, 128, 255]);

function arrayBufferOf({ buffer, byteOffset, byteLength }) {
  return buffer.slice(byteOffset, byteOffset + byteLength);
}

const parsers = {
  "a Buffer": parserOf((bytes) => [bytes]),
  "a Uint8Array": parserOf((bytes) => [new Uint8Array(bytes)]),
  "an ArrayBuffer": parserOf((bytes) => [arrayBufferOf(bytes)]),
  "a string": parserOf((bytes) => [bytes.toString()]),
  "two Buffers": parserOf((bytes) => [bytes.subarray(0, 5), bytes.subarray(5)]),
  "a Buffer and a string": parserOf((bytes) => [bytes.subarray(0, 5), bytes.toString("utf8", 5)]),
  "a string and another": parserOf((bytes) => [
    bytes.toString("utf8", 0, 5),
    bytes.toString("utf8", 5),
  ]),
};

/** Waits until the upgrades are done, and `count` connections are on workers. */
async function workersHave(count) {
  while (connectionCounts().native !== count) await nextTurn();
}

describeConnections((engine) => {
  for (const [name, options] of [
    ["WebSocket", WEBSOCKET_ONLY],
    ["polling", POLLING_ONLY],
    ["both", WITH_UPGRADE],
  ]) {
    test(`broadcasts to clients of Engine.IO v3 and v4 alike, by ${name}`, GUARD, async (t) => {
      const server = await serve(t, engine);
      const v3 = [
        await enter(server, { ...options, connectTo: connectV2 }),
        await enter(server, { ...options, connectTo: connectV2 }),
      ];
      const v4 = await enter(server, options);
      const entrances = [...v3, v4];
      if (name === "both") for (const { socket } of entrances) await upgraded(socket);
      assert.deepEqual(
        entrances.map(({ socket }) => socket.conn.protocol),
        [3, 3, 4],
      );
      v3[0].socket.join("room");
      v4.socket.join("room");
      const { send, sent } = createSender(v3[0].socket);
      const values = ["", "text", "žluťoučký 😀 \u0000", "ž".repeat(50_000), BYTES, [{ BYTES }]];
      for (const value of values) {
        server.io.emit("news", value);
        server.io.to("room").emit("news", value, BYTES, value);
        v4.socket.broadcast.emit("news", value);
      }
      server.io.to("room").volatile.emit("news", "dropped, as something was sent");
      const [first, second, third] = await receivedByAll(...entrances);
      const one = (value) => ["news", value];
      const room = (value) => ["news", value, BYTES, value];
      assert.deepEqual(
        first,
        values.flatMap((value) => [one(value), room(value), one(value)]),
      );
      assert.deepEqual(
        second,
        values.flatMap((value) => [one(value), one(value)]),
      );
      assert.deepEqual(
        third,
        values.flatMap((value) => [one(value), room(value)]),
      );
      send(30);
      assert.deepEqual(await numbersReceivedBy(v3[0]), sent());
    });
  }

  test("broadcasts to clients of Engine.IO v3 in a namespace of their own", GUARD, async (t) => {
    const server = await serve(t, engine);
    const nsp = server.io.of("/other");
    const entrances = [];
    for (const query of ["", "?token=1"]) {
      const options = { namespace: `/other${query}`, from: nsp, connectTo: connectV2 };
      entrances.push(await enter(server, options));
    }
    const expected = [];
    for (const number of range(20)) {
      const args = ["news", number, number % 2 === 0 ? BYTES : "ž"];
      expected.push(args);
      if (number % 3 === 0) nsp.emit(...args);
      else if (number % 3 === 1) for (const { socket } of entrances) socket.emit(...args);
      else for (const { socket } of entrances) nsp.to(socket.id).emit(...args);
    }
    for (const entrance of entrances) assert.deepEqual(await receivedBy(entrance), expected);
  });

  for (const [what, parser] of Object.entries(parsers)) {
    test(`broadcasts packets that a parser encodes as ${what}`, GUARD, async (t) => {
      const server = await serve(t, engine, { parser });
      const entrances = [
        await enter(server, { parser }),
        await enter(server, { parser }),
        await enter(server, { parser, ...POLLING_ONLY }),
      ];
      for (const { socket } of entrances) socket.join("room");
      const expected = [];
      for (const number of range(30)) {
        const args = ["news", number, "ž".repeat(number * number)];
        expected.push(args);
        if (number % 3 === 0) server.io.emit(...args);
        else if (number % 3 === 1) server.io.to("room").emit(...args);
        else for (const { socket } of entrances) socket.emit(...args);
      }
      for (const entrance of entrances) assert.deepEqual(await receivedBy(entrance), expected);
    });
  }

  test("sends nothing for a packet that a parser encodes as nothing", GUARD, async (t) => {
    const parser = parserOf((bytes) => (bytes.includes("nothing") ? [] : [bytes]));
    const server = await serve(t, engine, { parser });
    const entrance = await enter(server, { parser });
    server.io.emit("nothing");
    server.io.emit("news", 1);
    entrance.socket.emit("nothing");
    server.io.emit("news", 2);
    assert.deepEqual(await numbersReceivedBy(entrance), [1, 2]);
  });

  test("broadcasts base64 to a client that asks for it over WebSocket", GUARD, async (t) => {
    const server = await serve(t, engine);
    const base64 = await enterByHand(server, "&b64=1");
    const plain = await enterByHand(server);
    for (const { socket } of [base64, plain]) socket.join("room");
    server.io.emit("text", "ž");
    server.io.to("room").emit("bytes", BYTES);
    base64.socket.emit("own", BYTES);
    await settled(base64, plain);
    server.io.volatile.emit("bytes", BYTES);
    const texts = ['42["text","ž"]', '451-["bytes",{"_placeholder":true,"num":0}]'];
    const encoded = `b${BYTES.toString("base64")}`;
    const own = '451-["own",{"_placeholder":true,"num":0}]';
    assert.deepEqual(await receivedByAll(base64, plain), [
      [...texts, encoded, own, encoded, texts[1], encoded],
      [...texts, BYTES, texts[1], BYTES],
    ]);
  });

  test("reaches all kinds of clients in one room, in order", GUARD, async (t) => {
    const server = await serve(t, engine, { perMessageDeflate: { threshold: 0 } });
    // Clients in Node.js offer permessage-deflate by default.
    const plain = { perMessageDeflate: false };
    const entrances = [
      await enter(server, plain),
      await enter(server, POLLING_ONLY),
      await enter(server, { ...WITH_UPGRADE, ...plain }),
      await enter(server, WEBSOCKET_ONLY),
      await enter(server, { ...plain, connectTo: connectV2 }),
      await enter(server, { ...POLLING_ONLY, connectTo: connectV2 }),
      await enter(server, plain),
    ];
    // All but those that poll Node.js, whether they compress or not.
    const ofNode = hasPollingWorkers ? 1 : 2;
    if (hasNative) await workersHave(engine.name === "turbo" ? entrances.length - ofNode : 0);
    const observed = [];
    entrances.at(-1).socket.onAnyOutgoing((_event, number) => observed.push(number));
    const quiet = await enter(server);
    const room = entrances.map(({ socket }) => socket);
    for (const socket of room) socket.join(["room", `only ${socket.id}`]);
    for (const number of range(100)) {
      const args = ["news", number, number % 3 === 0 ? BYTES : "text"];
      if (number % 5 === 0) server.io.to("room").emit(...args);
      else if (number % 5 === 1) quiet.socket.broadcast.emit(...args);
      else if (number % 5 === 2) server.io.except(quiet.socket.id).emit(...args);
      else if (number % 5 === 3) server.io.to(["room", room[0].id, room[1].id]).emit(...args);
      else for (const { id } of room) server.io.to([`only ${id}`, id]).emit(...args);
      if (number % 10 === 0) await nextTurn();
    }
    for (const entrance of entrances) {
      assert.deepEqual(await numbersReceivedBy(entrance), range(100));
    }
    assert.deepEqual(
      observed.filter((number) => number !== undefined && typeof number !== "function"),
      range(100),
    );
    assert.deepEqual(await receivedBy(quiet), []);
  });

  const skip = !hasNative || engine.name === "stock";
  for (const [name, options] of [
    ["by WebSocket", WEBSOCKET_ONLY],
    ["that has upgraded", WITH_UPGRADE],
  ]) {
    test(`needs no write in JavaScript for a client ${name}`, { ...GUARD, skip }, async (t) => {
      const server = await serve(t, engine);
      const entrance = await enter(server, options);
      await upgraded(entrance.socket);
      const { conn, client } = entrance.socket;
      const served = t.mock.method(client, "writeToEngine").mock;
      const sent = t.mock.method(conn.transport, "send").mock;
      const counts = () => [served.callCount(), sent.callCount()];
      server.io.emit("news", 0);
      assert.deepEqual(counts(), [0, 0]);
      entrance.socket.emit("news", 1, BYTES);
      assert.deepEqual(counts(), [1, 0]);
      const listener = () => {};
      entrance.socket.onAnyOutgoing(listener);
      server.io.emit("news", 2);
      assert.deepEqual(counts(), [2, 0]);
      entrance.socket.offAnyOutgoing(listener);
      server.io.emit("news", 3);
      assert.deepEqual(counts(), [2, 0]);
      // Until the next turn the transport is not writable, and engine.io would queue the packet.
      await nextTurn();
      conn.once("packetCreate", () => {});
      server.io.emit("news", 4);
      assert.deepEqual(counts(), [3, 1]);
      server.io.emit("news", 5);
      assert.deepEqual(counts(), [3, 1]);
      assert.deepEqual(await numbersReceivedBy(entrance), range(6));
    });
  }
});
