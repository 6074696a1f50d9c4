"use strict";

/** A server's WebSocket: `send()`, `ping()` and `pong()`, their callbacks and errors. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { test } = require("node:test");
const { Sender } = require("ws");
const { arrived, connect, connectPair } = require("../support/websocket/pair.js");
const { describeServers } = require("../support/websocket/servers.js");

const GUARD = { timeout: 30_000 };
const MIB = 1024 * 1024;
const BYTES = Buffer.from([1, 2, 3, 4, 5, 6, 7, 8]);
const { buffer: ARRAY_BUFFER } = new Uint8Array(BYTES);
const TEXT = "Žluťoučký kůň 😀";

/** Values, the bytes in which they arrive, and true if as a binary message. */
const DATA = {
  "an ASCII string": ["text", "text", false],
  "a string of many scripts": [TEXT, TEXT, false],
  "a string of 70,000 characters": ["x".repeat(70_000), "x".repeat(70_000), false],
  "an empty string": ["", "", false],
  "a number": [-0.5, "-0.5", false],
  zero: [0, "0", false],
  "a Buffer": [BYTES, BYTES, true],
  "a part of a Buffer": [BYTES.subarray(2, 5), BYTES.subarray(2, 5), true],
  "an empty Buffer": [Buffer.alloc(0), "", true],
  "a Uint8Array": [new Uint8Array(BYTES), BYTES, true],
  "an ArrayBuffer": [ARRAY_BUFFER, BYTES, true],
  "a part of an ArrayBuffer as Uint16Array": [
    new Uint16Array(ARRAY_BUFFER, 2, 2),
    BYTES.subarray(2, 6),
    true,
  ],
  "a DataView": [new DataView(ARRAY_BUFFER, 1, 3), BYTES.subarray(1, 4), true],
  "a SharedArrayBuffer's view": [new Uint8Array(new SharedArrayBuffer(2)), "\0\0", true],
  "an array of bytes": [[1, 2, 3], BYTES.subarray(0, 3), true],
  "a Blob": [new Blob(["blob ", BYTES]), Buffer.concat([Buffer.from("blob "), BYTES]), true],
  "an empty Blob": [new Blob([]), "", true],
  null: [null, "", true],
  undefined: [undefined, "", true],
  false: [false, "", true],
};

/** The forms of calls of `send()`. */
const CALLS = {
  "data alone": (socket, data, done) => {
    socket.send(data);
    done();
  },
  "a callback": (socket, data, done) => socket.send(data, done),
  "options and a callback": (socket, data, done) => socket.send(data, {}, done),
  "undefined options": (socket, data, done) => socket.send(data, undefined, done),
};

describeServers("WebSocket.send()", (kind) => {
  for (const [name, [data, expected, isBinary]] of Object.entries(DATA)) {
    test(`sends ${name}`, GUARD, async (t) => {
      const { client, socket } = await connectPair(t, kind);
      for (const call of Object.values(CALLS)) {
        await new Promise((resolve, reject) => {
          call(socket, data, (error) => (error ? reject(error) : resolve()));
        });
      }
      socket.send("end");
      await arrived(socket);
      const each = [Buffer.from(expected), isBinary];
      const end = [Buffer.from("end"), false];
      assert.deepEqual(client.messages, [...Object.values(CALLS).map(() => each), end]);
    });
  }

  test("throws for values that cannot be sent, and works afterwards", GUARD, async (t) => {
    const { client, socket } = await connectPair(t, kind);
    for (const data of [{}, true, Symbol("symbol"), () => {}]) {
      assert.throws(() => socket.send(data), TypeError);
    }
    socket.send("text");
    await arrived(socket);
    assert.deepEqual(client.messages, [[Buffer.from("text"), false]]);
  });

  test("sends text as binary and bytes as text with the option binary", GUARD, async (t) => {
    const { client, socket } = await connectPair(t, kind);
    socket.send(TEXT, { binary: true });
    socket.send(Buffer.from(TEXT), { binary: false });
    socket.send(new Blob([TEXT]), { binary: false });
    socket.send(BYTES, { binary: true, fin: true, compress: true, mask: false });
    await arrived(socket);
    const text = Buffer.from(TEXT);
    assert.deepEqual(client.messages, [
      [text, true],
      [text, false],
      [text, false],
      [BYTES, true],
    ]);
  });

  test("sends fragments with the option fin", GUARD, async (t) => {
    const { client, socket } = await connectPair(t, kind);
    socket.send("one ", { fin: false });
    socket.ping("between");
    socket.send("two ", { fin: false });
    socket.send("", { fin: false });
    socket.send("three", { fin: true });
    socket.send(BYTES, { fin: false });
    socket.send("abc", { fin: true });
    await arrived(socket);
    assert.deepEqual(client.messages, [
      [Buffer.from("one two three"), false],
      [Buffer.concat([BYTES, Buffer.from("abc")]), true],
    ]);
  });

  test(
    "sends by methods of a Proxy of its sender, and of an object with that prototype",
    GUARD,
    async (t) => {
      const { client, socket } = await connectPair(t, kind);
      const { _sender: sender } = socket;
      const [one, two] = [new Proxy(sender, {}), Object.create(sender)];
      await new Promise((resolve) => one.send("one", { binary: false, fin: true }, resolve));
      await new Promise((resolve) => two.send("two", { binary: false, fin: true }, resolve));
      socket.send("three");
      await arrived(socket);
      assert.deepEqual(client.messages.map(String), ["one,false", "two,false", "three,false"]);
    },
  );

  test("keeps the order of all messages of one turn", GUARD, async (t) => {
    const { client, socket } = await connectPair(t, kind);
    const seen = [];
    for (const event of ["message", "ping", "pong"]) {
      client.on(event, (data) => seen.push(`${event} ${data}`));
    }
    socket.send("1");
    socket.ping("2");
    socket.send(new Blob(["3"]));
    socket.send("4");
    socket.pong("5");
    socket._sender.sendFrame(Sender.frame(Buffer.from("6"), { fin: true, opcode: 1 }));
    socket.send(Buffer.from("7"));
    socket.close();
    await once(client, "close");
    const expected = ["message 1", "ping 2", "message 3", "message 4", "pong 5"];
    assert.deepEqual(
      seen.filter((entry) => !entry.endsWith("6")),
      [...expected, "message 7"],
    );
    // ws sends other frames at once while the content of a Blob is read.
    assert.ok(seen.includes("message 6"));
  });

  test("calls back in order and never in the same turn", GUARD, async (t) => {
    const { socket } = await connectPair(t, kind);
    const called = [];
    const callback = (number) => (error) => called.push([number, Boolean(error)]);
    const frame = Sender.frame(Buffer.from("frame"), { fin: true, opcode: 1 });
    socket.send("text", callback(0));
    socket.send("", callback(1));
    socket.ping("ping", false, callback(2));
    socket.send(Buffer.alloc(4 * MIB), callback(3));
    socket.pong("pong", false, callback(4));
    socket._sender.sendFrame(frame, callback(5));
    const last = new Promise((resolve) => socket.send("last", {}, resolve));
    assert.deepEqual(called, []);
    await last;
    assert.deepEqual(
      called,
      [0, 1, 2, 3, 4, 5].map((number) => [number, false]),
    );
  });

  test("calls back also when the connection ends before all is sent", GUARD, async (t) => {
    const { client, socket } = await connectPair(t, kind);
    client.pause();
    const called = new Promise((resolve) => socket.send(Buffer.alloc(32 * MIB), resolve));
    const closed = once(socket, "close");
    socket.terminate();
    await Promise.all([called, closed]);
  });

  test("calls back with an error when the connection is closing or closed", GUARD, async (t) => {
    const { client, socket } = await connectPair(t, kind);
    const errorOf = (call) => new Promise((resolve) => call(resolve));
    const calls = {
      send: (callback) => socket.send("12345", callback),
      "send with options": (callback) => socket.send("12345", {}, callback),
      ping: (callback) => socket.ping("12345", false, callback),
      pong: (callback) => socket.pong("12345", false, callback),
    };
    const fail = async (message) => {
      for (const [name, call] of Object.entries(calls)) {
        assert.equal((await errorOf(call))?.message, message, name);
      }
      const before = socket.bufferedAmount;
      socket.send("12345");
      assert.equal(socket.bufferedAmount, before + 5);
    };
    const closed = once(socket, "close");
    client.pause();
    socket.close();
    await fail("WebSocket is not open: readyState 2 (CLOSING)");
    client.resume();
    await closed;
    await fail("WebSocket is not open: readyState 3 (CLOSED)");
  });

  test("counts in bufferedAmount the bytes that the peer has not taken", GUARD, async (t) => {
    const { client, socket } = await connectPair(t, kind);
    assert.equal(socket.bufferedAmount, 0);
    client.pause();
    const sent = new Promise((resolve) => socket.send(Buffer.alloc(32 * MIB), resolve));
    assert.ok(socket.bufferedAmount > 0 && socket.bufferedAmount <= 32 * MIB + 10);
    client.resume();
    await sent;
    assert.equal(socket.bufferedAmount, 0);
  });
});

describeServers("WebSocket.ping() and pong()", (kind) => {
  for (const method of ["ping", "pong"]) {
    test(`${method}() sends all forms of data`, GUARD, async (t) => {
      const { client, socket } = await connectPair(t, kind);
      const received = [];
      client.on(method, (data) => received.push(data));
      socket[method]();
      socket[method]("text");
      socket[method](TEXT, false);
      socket[method](5);
      socket[method](BYTES.subarray(1));
      socket[method](ARRAY_BUFFER);
      await new Promise((resolve) => socket[method](resolve));
      await new Promise((resolve) => socket[method]("x".repeat(125), resolve));
      assert.throws(() => socket[method]("x".repeat(126)), {
        name: "RangeError",
        message: "The data size must not be greater than 125 bytes",
      });
      const closed = once(client, "close");
      socket.close();
      await closed;
      const expected = ["", "text", TEXT, "5", BYTES.subarray(1), BYTES, "", "x".repeat(125)];
      assert.deepEqual(
        received,
        expected.map((data) => Buffer.from(data)),
      );
    });
  }
});

describeServers("WebSocket._sender.sendFrame(), as engine.io uses it", (kind) => {
  const frames = {
    "text of a few bytes": ["text", 1],
    "text of 200 bytes": ["x".repeat(200), 1],
    "text of 70,000 bytes": ["x".repeat(70_000), 1],
    "an empty text": ["", 1],
    "binary data": [BYTES, 2],
    "empty binary data": ["", 2],
  };

  for (const [name, [data, opcode]] of Object.entries(frames)) {
    test(`sends ${name} to several at once`, GUARD, async (t) => {
      const { server, ...first } = await connectPair(t, kind);
      const pairs = [first, await connect(t, server)];
      const list = Sender.frame(Buffer.from(data), { fin: true, opcode, mask: false });
      const copy = list.map((part) => Buffer.from(part));
      for (const { socket } of pairs) {
        socket.send("before");
        socket._sender.sendFrame(list);
        await new Promise((resolve) => socket._sender.sendFrame(list, resolve));
        socket.send("after");
      }
      assert.deepEqual(list, copy);
      const message = [Buffer.from(data), opcode === 2];
      const [before, after] = ["before", "after"].map((text) => [Buffer.from(text), false]);
      for (const { client, socket } of pairs) {
        await arrived(socket);
        assert.deepEqual(client.messages, [before, message, message, after]);
      }
    });
  }
});
