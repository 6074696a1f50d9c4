"use strict";

/** A Socket.IO server with our parser; its clients with ours or the official one; invalid packets. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { describe, test } = require("node:test");
const officialParser = require("socket.io-parser");
const { parser } = require("../..");
const { engineNamed } = require("../support/engines.js");
const { enterByHand } = require("../support/hand-client.js");
const { polled } = require("../support/observed.js");
const {
  POLLING_ONLY,
  WEBSOCKET_ONLY,
  WITH_UPGRADE,
  enter,
  openClient,
  receivedByAll,
  upgraded,
} = require("../support/socket-io-client.js");
const { startServer } = require("../support/socket-io-server.js");

const MIB = 1024 * 1024;
const BYTES = Buffer.from([0, 1, 127, 128, 255]);
const TEXTS = {
  quotes: 'He said: "no\\yes".\n\t'.repeat(500),
  "two-byte text": "Žluťoučký kůň 你好 ".repeat(500),
  emoji: "👩‍🚀😀".repeat(500),
  "lone surrogates": "\ud800a\udc00".repeat(1000),
};

const serve = (t, options) => startServer(t, engineNamed("turbo"), options);

/** Lets a client enter a server of its own. */
async function connect(t, options) {
  return enter(await serve(t), options);
}

/** Asserts that the server still serves a client by hand. */
async function assertServes({ client }) {
  client.webSocket.send('420["echo","still here"]');
  await client.until(() => client.received.length > 0, "the acknowledgement");
  assert.deepEqual(client.received, ['430["still here"]']);
}

const TRANSPORTS = {
  "WebSocket only": WEBSOCKET_ONLY,
  "polling only": POLLING_ONLY,
  "polling with an upgrade": WITH_UPGRADE,
};
const PARSERS = { "its own parser": officialParser, "our parser": parser };

for (const [transportName, transportOptions] of Object.entries(TRANSPORTS)) {
  for (const [parserName, clientParser] of Object.entries(PARSERS)) {
    describe(`a client with ${transportName} and ${parserName}`, () => {
      const options = { ...transportOptions, parser: clientParser };

      test("exchanges events and acks in both directions", async (t) => {
        const { client, socket } = await connect(t, options);
        const args = [1, "two", [3, { four: null }], true];
        assert.equal(await client.emitWithAck("echo", 1), 1);
        client.on("ask", (...received) => received.pop()(received));
        assert.deepEqual(await socket.emitWithAck("ask", ...args), args);
        const received = once(socket, "event");
        client.emit("event", ...args);
        assert.deepEqual(await received, args);
      });

      test("exchanges binary data in both directions", async (t) => {
        const { client, socket } = await connect(t, options);
        const value = { a: [BYTES, { b: BYTES }], c: "text" };
        assert.deepEqual(await client.emitWithAck("echo", value), value);
        client.on("ask", (received, reply) => reply(received));
        assert.deepEqual(await socket.emitWithAck("ask", value), value);
      });

      for (const [name, text] of Object.entries(TEXTS)) {
        test(`exchanges long strings of ${name}`, async (t) => {
          const { client } = await connect(t, options);
          const value = { [text]: [text, BYTES], text };
          assert.deepEqual(await client.emitWithAck("echo", text), text);
          assert.deepEqual(await client.emitWithAck("echo", value), value);
        });
      }

      test("exchanges messages of 1 MiB", async (t) => {
        const { client } = await connect(t, options);
        const text = "ž\n".repeat(MIB / 4);
        assert.equal(await client.emitWithAck("echo", text), text);
        const bytes = Buffer.alloc(MIB, "bytes");
        assert.ok(bytes.equals(await client.emitWithAck("echo", bytes)));
      });

      test("enters a namespace with the right token, and receives the error otherwise", async (t) => {
        const server = await serve(t);
        const secret = { ...options, namespace: "/private" };
        const right = openClient(server, { ...secret, auth: { token: "right" } });
        await once(right, "connect");
        const wrong = openClient(server, { ...secret, auth: { token: "wröng" } });
        const error = await new Promise((resolve) => wrong.on("connect_error", resolve));
        assert.equal(error.message, "wrong token, žluťoučký");
        assert.deepEqual(error.data, { token: "wröng" });
        const none = openClient(server, { ...options, namespace: "/nowhere" });
        const { message } = await new Promise((resolve) => none.on("connect_error", resolve));
        assert.equal(message, "Invalid namespace");
      });

      test("receives volatile events, some of them", async (t) => {
        const { client, socket } = await connect(t, options);
        let received;
        client.on("volatile", (...args) => {
          received = args;
        });
        await polled(() => {
          socket.volatile.emit("volatile", "text", BYTES);
          return received !== undefined;
        });
        assert.deepEqual(received, ["text", BYTES]);
      });

      test("receives broadcasts to its rooms, and no others", async (t) => {
        const server = await serve(t);
        const inside = await enter(server, options);
        const outside = await enter(server, options);
        inside.socket.join("room");
        server.io.to("room").emit("news", TEXTS.quotes);
        server.io.to("room").emit("news", BYTES, { BYTES });
        server.io.emit("news", "for all");
        const news = (...args) => ["news", ...args];
        assert.deepEqual(await receivedByAll(inside, outside), [
          [news(TEXTS.quotes), news(BYTES, { BYTES }), news("for all")],
          [news("for all")],
        ]);
      });
    });
  }
}

test("a client that upgrades goes on", async (t) => {
  const { client, socket } = await connect(t, { ...WITH_UPGRADE, parser });
  assert.deepEqual(await client.emitWithAck("echo", { BYTES }), { BYTES });
  await upgraded(socket);
  assert.deepEqual(await client.emitWithAck("echo", { BYTES }), { BYTES });
});

test("a connection is recovered with the events that it missed", async (t) => {
  const server = await serve(t, { connectionStateRecovery: {} });
  const { client, socket } = await enter(server, {
    reconnection: true,
    reconnectionDelay: 50,
    parser,
  });
  socket.join("room");
  socket.emit("news", 1);
  await client.emitWithAck("echo", 1);
  const left = once(socket, "disconnect");
  client.io.engine.close();
  await left;
  server.io.to("room").emit("news", 2, TEXTS["two-byte text"]);
  server.io.to("room").emit("news", 3, BYTES);
  await once(client, "connect");
  await client.emitWithAck("echo", 1);
  assert.equal(client.recovered, true);
  assert.deepEqual(
    client.received.map(([, ...args]) => args.slice(0, -1)), // without the offset
    [[1], [2, TEXTS["two-byte text"]], [3, BYTES]],
  );
});

describe("a peer that breaks the protocol", () => {
  const DEEP = "[".repeat(50_000) + "]".repeat(50_000);
  const ATTACKS = {
    "an unknown packet type": ["47"],
    "a type that is no number": ["4x"],
    "text that is not JSON": ['42["e"'],
    "an event without a name": ["42[]"],
    "an object as the name of an event (CVE-2023-32695)": ['42[{"toString":"foo"}]'],
    "a reserved event": ['42["disconnecting"]'],
    "the placeholder splice (CVE-2022-2421)": [
      '451-["e",{"_placeholder":true,"num":"splice"}]',
      BYTES,
    ],
    "a thousand million attachments (CVE-2026-33151)": ['451000000000-["e"]', BYTES],
    "no attachments at all (CVE-2026-69185)": ['450-["e"]'],
    "an attachment to nothing": [BYTES],
    "text between attachments": ['452-["e"]', BYTES, '42["e"]'],
    "deep nesting around an attachment": [`451-["e",${DEEP}]`, BYTES],
  };

  for (const [name, frames] of Object.entries(ATTACKS)) {
    test(`is cut off after ${name}, and no other client is`, async (t) => {
      const server = await serve(t);
      const { client } = await enter(server);
      const bystander = await enterByHand(server);
      const { client: peer } = await enterByHand(server);
      const closed = once(peer.webSocket, "close");
      for (const frame of frames) peer.webSocket.send(frame);
      await closed;
      assert.equal(bystander.client.disconnected, false);
      await assertServes(bystander);
      assert.deepEqual(await client.emitWithAck("echo", { BYTES }), { BYTES });
    });
  }

  test("does no harm with an event named error (CVE-2024-38355)", async (t) => {
    const server = await serve(t);
    const peer = await enterByHand(server);
    peer.client.webSocket.send('42["error"]');
    peer.client.webSocket.send('42["error",{"message":"text"}]');
    await assertServes(peer);
  });

  test("that leaves an event unfinished affects no other", async (t) => {
    const server = await serve(t);
    const { client } = await enter(server);
    const { client: peer, socket } = await enterByHand(server);
    peer.webSocket.send('452-["e",{"_placeholder":true,"num":0}]');
    peer.webSocket.send(BYTES);
    const left = once(socket, "disconnect");
    peer.webSocket.close();
    await left;
    assert.equal(await client.emitWithAck("echo", 1), 1);
  });
});
