"use strict";

/** A server's WebSocket: the messages that it receives, its end, and its properties. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { test } = require("node:test");
const { WebSocket } = require("ws");
const { arrived, connect, connectPair } = require("../support/websocket/pair.js");
const { describeServers } = require("../support/websocket/servers.js");

const GUARD = { timeout: 30_000 };
const MIB = 1024 * 1024;
const BYTES = Buffer.from([0, 127, 128, 255]);
const TEXT = "Žluťoučký kůň 😀";

/** Waits for `count` messages. A pong would not do: workers send it themselves. */
async function hasReceived(socket, messages, count) {
  while (messages.length < count) await once(socket, "message");
}

/** Returns the messages of a socket, which grow. */
function recordMessages(socket) {
  const messages = [];
  socket.on("message", (data, isBinary) => messages.push([data, isBinary]));
  return messages;
}

describeServers("a WebSocket that receives", (kind) => {
  test("receives text and binary messages as Buffers, and which they are", GUARD, async (t) => {
    const { client, socket } = await connectPair(t, kind);
    const messages = recordMessages(socket);
    const sent = [TEXT, BYTES, "", Buffer.alloc(0), "x".repeat(100_000), Buffer.alloc(MIB, BYTES)];
    for (const data of sent) client.send(data);
    await hasReceived(socket, messages, sent.length);
    const expected = sent.map((data) => [Buffer.from(data), typeof data !== "string"]);
    assert.ok(messages.every(([data]) => Buffer.isBuffer(data)));
    assert.deepEqual(messages, expected);
  });

  const BINARY_TYPES = {
    nodebuffer: (data) => Buffer.isBuffer(data) && data,
    arraybuffer: (data) => data instanceof ArrayBuffer && Buffer.from(data),
    fragments: (data) => Array.isArray(data) && Buffer.concat(data),
    blob: async (data) => data instanceof Blob && Buffer.from(await data.arrayBuffer()),
  };
  for (const [binaryType, bytesOf] of Object.entries(BINARY_TYPES)) {
    test(`receives binary messages as its binaryType: ${binaryType}`, GUARD, async (t) => {
      const { client, socket } = await connectPair(t, kind);
      assert.equal(socket.binaryType, "nodebuffer");
      socket.binaryType = binaryType;
      assert.equal(socket.binaryType, binaryType);
      const messages = recordMessages(socket);
      const sent = [BYTES, Buffer.alloc(0), Buffer.alloc(100_000, BYTES)];
      for (const data of sent) client.send(data);
      client.send(TEXT);
      await hasReceived(socket, messages, sent.length + 1);
      assert.deepEqual(messages.pop(), [Buffer.from(TEXT), false]);
      const received = await Promise.all(messages.map(([data]) => bytesOf(data)));
      assert.deepEqual(received, sent);
    });
  }

  test("keeps its binaryType when it is set to a wrong one", GUARD, async (t) => {
    const { socket } = await connectPair(t, kind);
    socket.binaryType = "text";
    assert.equal(socket.binaryType, "nodebuffer");
  });

  test("receives pings, which it answers, and pongs", GUARD, async (t) => {
    const { client, socket } = await connectPair(t, kind);
    const seen = [];
    for (const event of ["ping", "pong"]) socket.on(event, (data) => seen.push([event, data]));
    client.ping(TEXT);
    assert.deepEqual(await once(client, "pong"), [Buffer.from(TEXT)]);
    client.pong(BYTES);
    client.ping();
    assert.deepEqual(await once(client, "pong"), [Buffer.alloc(0)]);
    while (seen.length < 3) await once(socket, "ping");
    assert.deepEqual(seen, [
      ["ping", Buffer.from(TEXT)],
      ["pong", BYTES],
      ["ping", Buffer.alloc(0)],
    ]);
  });

  test("leaves pings to its user with autoPong: false", GUARD, async (t) => {
    const { client, socket } = await connectPair(t, kind, { autoPong: false });
    socket.on("ping", (data) => socket.pong(`mine ${data}`));
    client.ping("one");
    assert.deepEqual(await once(client, "pong"), [Buffer.from("mine one")]);
  });

  test("receives nothing while it is paused, and all messages in order later", GUARD, async (t) => {
    const { client, socket } = await connectPair(t, kind);
    const messages = recordMessages(socket);
    socket.pause();
    assert.equal(socket.isPaused, true);
    // The client's message was sent by the thread that reads, after the pause.
    const passes = async () => {
      socket.send("paused");
      await once(client, "message");
    };
    await passes();
    for (let i = 0; i < 99; i++) client.send(`${i}`);
    await new Promise((resolve) => client.send("99", resolve));
    await passes();
    assert.deepEqual(messages, []);
    socket.resume();
    assert.equal(socket.isPaused, false);
    await hasReceived(socket, messages, 100);
    assert.deepEqual(
      messages.map(([data]) => String(data)),
      Array.from({ length: 100 }, (_, i) => `${i}`),
    );
  });

  test("can pause and resume within a listener", GUARD, async (t) => {
    const { client, socket } = await connectPair(t, kind);
    const messages = recordMessages(socket);
    socket.on("message", () => {
      socket.pause();
      setImmediate(() => socket.resume());
    });
    for (let i = 0; i < 20; i++) client.send(`${i}`);
    await hasReceived(socket, messages, 20);
    assert.deepEqual(
      messages.map(([data]) => String(data)),
      Array.from({ length: 20 }, (_, i) => `${i}`),
    );
  });
});

describeServers("a WebSocket as EventTarget", (kind) => {
  test("emits events as browsers do", GUARD, async (t) => {
    const { client, socket } = await connectPair(t, kind);
    const events = [];
    const listener = { handleEvent: (event) => events.push(["object", event.data]) };
    const removed = () => events.push("removed");
    socket.addEventListener("message", ({ type, target, data }) => {
      events.push([type, target === socket, data]);
    });
    socket.addEventListener("message", ({ data }) => events.push(["once", data]), { once: true });
    socket.addEventListener("message", listener);
    socket.addEventListener("message", removed);
    socket.removeEventListener("message", removed);
    client.send(TEXT);
    client.send(BYTES);
    while (events.length < 5) await once(socket, "message");
    assert.deepEqual(events, [
      ["message", true, TEXT],
      ["once", TEXT],
      ["object", TEXT],
      ["message", true, BYTES],
      ["object", BYTES],
    ]);
  });

  test("calls onmessage and onclose", GUARD, async (t) => {
    const { client, socket } = await connectPair(t, kind);
    const data = new Promise((resolve) => {
      socket.onmessage = (event) => resolve(event.data);
    });
    const closed = new Promise((resolve) => {
      socket.onclose = resolve;
    });
    client.send("text");
    assert.equal(await data, "text");
    client.close(4000, TEXT);
    const { type, code, reason, wasClean } = await closed;
    assert.deepEqual([type, code, reason, wasClean], ["close", 4000, TEXT, true]);
  });

  test("calls onerror", GUARD, async (t) => {
    const { client, socket } = await connectPair(t, kind, { maxPayload: 10 });
    const failed = new Promise((resolve) => {
      socket.onerror = resolve;
    });
    const closed = once(client, "close");
    client.send("eleven char");
    const { type, message, error } = await failed;
    assert.equal(type, "error");
    assert.equal(message, "Max payload size exceeded");
    assert.equal(error.code, "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH");
    assert.equal((await closed)[0], 1009);
  });
});

describeServers("a WebSocket that ends", (kind) => {
  test("closes with code and reason, and reports them on both sides", GUARD, async (t) => {
    const { client, socket } = await connectPair(t, kind);
    const both = Promise.all([once(client, "close"), once(socket, "close")]);
    socket.close(4321, TEXT);
    assert.equal(socket.readyState, WebSocket.CLOSING);
    socket.close(1000, "again");
    for (const args of await both) assert.deepEqual(args, [4321, Buffer.from(TEXT)]);
    assert.equal(socket.readyState, WebSocket.CLOSED);
    socket.close();
    socket.terminate();
    assert.equal(socket.readyState, WebSocket.CLOSED);
  });

  test("closes without a code", GUARD, async (t) => {
    const { client, socket } = await connectPair(t, kind);
    const both = Promise.all([once(client, "close"), once(socket, "close")]);
    socket.close();
    for (const args of await both) assert.deepEqual(args, [1005, Buffer.alloc(0)]);
  });

  for (const [code, reason] of [
    [1000, undefined],
    [3000, ""],
    [1001, Buffer.from("bytes")],
    [4999, "x".repeat(123)],
  ]) {
    test(`closes with ${code} and ${reason?.length ?? "no"} bytes of reason`, GUARD, async (t) => {
      const { client, socket } = await connectPair(t, kind);
      const closed = once(client, "close");
      socket.close(code, reason);
      assert.deepEqual(await closed, [code, Buffer.from(reason ?? "")]);
    });
  }

  test("throws for a wrong code or reason, and stays open", GUARD, async (t) => {
    const { client, socket } = await connectPair(t, kind);
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, "1000", null]) {
      assert.throws(() => socket.close(code), {
        name: "TypeError",
        message: "First argument must be a valid error code number",
      });
    }
    assert.throws(() => socket.close(1000, "x".repeat(124)), {
      name: "RangeError",
      message: "The message must not be greater than 123 bytes",
    });
    assert.equal(socket.readyState, WebSocket.OPEN);
    socket.send("text");
    await arrived(socket);
    assert.deepEqual(client.messages, [[Buffer.from("text"), false]]);
  });

  test("sends all that is queued before it closes", GUARD, async (t) => {
    const { server, client, socket } = await connectPair(t, kind);
    const other = await connect(t, server);
    client.pause();
    for (let i = 0; i < 10; i++) socket.send(`${i}`);
    const big = Buffer.alloc(16 * MIB, BYTES);
    socket.send(big);
    socket.close(1000, "bye");
    await arrived(other.socket);
    const closed = once(client, "close");
    client.resume();
    assert.deepEqual(await closed, [1000, Buffer.from("bye")]);
    assert.ok(client.messages.pop()[0].equals(big));
    assert.equal(client.messages.length, 10);
  });

  test("receives the messages under way while it closes", GUARD, async (t) => {
    const { client, socket } = await connectPair(t, kind);
    const messages = recordMessages(socket);
    const closed = once(socket, "close");
    for (let i = 0; i < 10; i++) client.send(`${i}`);
    socket.close();
    await closed;
    assert.equal(messages.length, 10);
  });

  test("terminates without a close frame", GUARD, async (t) => {
    const { client, socket } = await connectPair(t, kind);
    const both = Promise.all([once(client, "close"), once(socket, "close")]);
    socket.terminate();
    assert.equal(socket.readyState, WebSocket.CLOSING);
    for (const args of await both) assert.deepEqual(args, [1006, Buffer.alloc(0)]);
    assert.equal(socket.readyState, WebSocket.CLOSED);
  });

  test("receives code and reason of the peer that closes", GUARD, async (t) => {
    const { client, socket } = await connectPair(t, kind);
    const closed = once(socket, "close");
    client.send("last words");
    client.close(4000, TEXT);
    assert.deepEqual(await once(socket, "message"), [Buffer.from("last words"), false]);
    assert.deepEqual(await closed, [4000, Buffer.from(TEXT)]);
  });

  for (const way of ["destroy", "end", "resetAndDestroy"]) {
    test(`ends with 1006 and no error after the peer's ${way}()`, GUARD, async (t) => {
      const { client, socket } = await connectPair(t, kind);
      const errors = [];
      socket.on("error", (error) => errors.push(error));
      const closed = once(socket, "close");
      client._socket[way]();
      assert.deepEqual(await closed, [1006, Buffer.alloc(0)]);
      assert.deepEqual(errors, []);
    });
  }

  test("can end within its listeners", GUARD, async (t) => {
    for (const end of ["close", "terminate"]) {
      const { client, socket } = await connectPair(t, kind);
      const messages = recordMessages(socket);
      socket.on("message", () => socket[end]());
      const closed = once(socket, "close");
      for (let i = 0; i < 10; i++) client.send(`${i}`);
      await closed;
      assert.ok(messages.length >= 1);
    }
  });
});

describeServers("a WebSocket", (kind) => {
  test("has the addresses of both ends", GUARD, async (t) => {
    const { server, client, socket } = await connectPair(t, kind);
    const { address, port } = server.address();
    const { _socket: tcp } = socket;
    assert.equal(tcp.remoteAddress, client._socket.localAddress);
    assert.equal(tcp.remotePort, client._socket.localPort);
    assert.equal(tcp.remoteFamily, "IPv4");
    assert.equal(tcp.localAddress, address);
    assert.equal(tcp.localPort, port);
    assert.deepEqual(tcp.address(), { address, port, family: "IPv4" });
  });

  test("has the members that ws documents", GUARD, async (t) => {
    const { socket } = await connectPair(t, kind);
    assert.ok(socket instanceof WebSocket);
    assert.equal(socket.readyState, socket.OPEN);
    assert.deepEqual([socket.CONNECTING, socket.OPEN, socket.CLOSING, socket.CLOSED], [0, 1, 2, 3]);
    assert.equal(socket.protocol, "");
    assert.equal(socket.extensions, "");
    assert.equal(socket.url, undefined);
    assert.equal(socket.isPaused, false);
    assert.equal(socket.bufferedAmount, 0);
    for (const handler of ["onopen", "onmessage", "onerror", "onclose"]) {
      assert.equal(socket[handler], null);
    }
  });
});
