"use strict";

/** A stock Socket.IO server with our parser, its clients with ours or their own, and bad peers. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { createServer } = require("node:http");
const { describe, test } = require("node:test");
const { setTimeout: delay } = require("node:timers/promises");
const { Server } = require("socket.io");
const { io: connect } = require("socket.io-client");
const officialParser = require("socket.io-parser");
const { WebSocket } = require("ws");
const { parser, turbo } = require("../..");

const MIB = 1024 * 1024;
const BYTES = Buffer.from([0, 1, 127, 128, 255]);
const TEXTS = {
  quotes: 'He said: "no\\yes".\n\t'.repeat(500),
  "two-byte text": "Žluťoučký kůň 你好 ".repeat(500),
  emoji: "👩‍🚀😀".repeat(500),
  "lone surrogates": "\ud800a\udc00".repeat(1000),
};

/** Starts a server that is closed, with its clients, after the test. */
async function startServer(t, options) {
  const httpServer = createServer();
  const io = new Server(httpServer, turbo({ maxHttpBufferSize: 4 * MIB, ...options }));
  io.on("connection", (socket) => {
    socket.on("echo", (...args) => args.pop()(...args));
    socket.on("join", (room, done) => {
      socket.join(room);
      done();
    });
  });
  io.of("/private").use((socket, next) => {
    const { token } = socket.handshake.auth;
    if (token === "right") next();
    else next(Object.assign(new Error("wrong token"), { data: { token } }));
  });
  await once(httpServer.listen(0, "127.0.0.1"), "listening");
  const origin = `127.0.0.1:${httpServer.address().port}`;
  const closers = [];
  t.after(async () => {
    for (const close of closers) close();
    // A server that closes a polling client between two polls keeps the process for 30 s.
    for (let i = 0; i < 100 && io.engine.clientsCount > 0; i++) await delay(10);
    await io.close();
  });
  const open = (path, clientOptions) => {
    const client = connect(`http://${origin}${path}`, {
      forceNew: true,
      reconnection: false,
      ...clientOptions,
    });
    closers.push(() => client.disconnect());
    return client;
  };
  /** A WebSocket that speaks by hand, connected to the main namespace. */
  const openRaw = async () => {
    const peer = new WebSocket(`ws://${origin}/socket.io/?EIO=4&transport=websocket`);
    closers.push(() => peer.terminate());
    await once(peer, "message");
    peer.send("40");
    await once(peer, "message");
    return peer;
  };
  return { io, open, openRaw };
}

/** A client that is connected, and its socket on the server. */
async function connected({ io, open }, clientOptions) {
  const serverSide = once(io, "connection");
  const client = open("/", clientOptions);
  await once(client, "connect");
  const [socket] = await serverSide;
  return { client, socket };
}

const TRANSPORTS = {
  "WebSocket only": { transports: ["websocket"] },
  "polling only": { transports: ["polling"] },
  "polling with an upgrade": {},
};
const PARSERS = { "its own parser": officialParser, "our parser": parser };

for (const [transportName, transportOptions] of Object.entries(TRANSPORTS)) {
  for (const [parserName, clientParser] of Object.entries(PARSERS)) {
    describe(`a client with ${transportName} and ${parserName}`, () => {
      const options = { ...transportOptions, parser: clientParser };

      test("exchanges events and acks in both directions", async (t) => {
        const { client, socket } = await connected(await startServer(t), options);
        const args = [1, "two", [3, { four: null }], true];
        assert.equal(await client.emitWithAck("echo", 1), 1);
        client.on("ask", (...received) => received.pop()(received));
        assert.deepEqual(await socket.emitWithAck("ask", ...args), args);
        const heard = once(socket, "tell");
        client.emit("tell", ...args);
        assert.deepEqual(await heard, args);
      });

      test("exchanges binary data in both directions", async (t) => {
        const { client, socket } = await connected(await startServer(t), options);
        const value = { a: [BYTES, { b: BYTES }], c: "text" };
        assert.deepEqual(await client.emitWithAck("echo", value), value);
        client.on("ask", (received, reply) => reply(received));
        assert.deepEqual(await socket.emitWithAck("ask", value), value);
      });

      for (const [name, text] of Object.entries(TEXTS)) {
        test(`exchanges long strings of ${name}`, async (t) => {
          const { client } = await connected(await startServer(t), options);
          const value = { [text]: [text, BYTES], text };
          assert.deepEqual(await client.emitWithAck("echo", text), text);
          assert.deepEqual(await client.emitWithAck("echo", value), value);
        });
      }

      test("exchanges messages of 1 MiB", async (t) => {
        const { client } = await connected(await startServer(t), options);
        const text = "ž\n".repeat(MIB / 4);
        assert.equal(await client.emitWithAck("echo", text), text);
        const bytes = Buffer.alloc(MIB, "bytes");
        assert.ok(bytes.equals(await client.emitWithAck("echo", bytes)));
      });

      test("is let into a namespace with the right token, and told why not", async (t) => {
        const server = await startServer(t);
        const right = server.open("/private", { ...options, auth: { token: "right" } });
        await once(right, "connect");
        const wrong = server.open("/private", { ...options, auth: { token: "wröng" } });
        const error = await new Promise((resolve) => wrong.on("connect_error", resolve));
        assert.equal(error.message, "wrong token");
        assert.deepEqual(error.data, { token: "wröng" });
        const none = server.open("/nowhere", options);
        const { message } = await new Promise((resolve) => none.on("connect_error", resolve));
        assert.equal(message, "Invalid namespace");
      });

      test("receives volatile events, some of them", async (t) => {
        const { client, socket } = await connected(await startServer(t), options);
        let received;
        client.on("volatile", (...args) => {
          received = args;
        });
        while (received === undefined) {
          socket.volatile.emit("volatile", "text", BYTES);
          await delay(5);
        }
        assert.deepEqual(received, ["text", BYTES]);
      });

      test("receives what is broadcast to its rooms, and no more", async (t) => {
        const server = await startServer(t);
        const inside = await connected(server, options);
        const outside = await connected(server, options);
        await inside.client.emitWithAck("join", "room");
        const heard = [];
        inside.client.on("news", (...args) => heard.push(["inside", ...args]));
        outside.client.on("news", (...args) => heard.push(["outside", ...args]));
        server.io.to("room").emit("news", TEXTS.quotes);
        server.io.to("room").emit("news", BYTES, { BYTES });
        server.io.emit("news", "for all");
        await inside.client.emitWithAck("echo", 1);
        await outside.client.emitWithAck("echo", 1);
        const of = (who) => heard.filter(([name]) => name === who).map(([, ...args]) => args);
        assert.deepEqual(of("inside"), [[TEXTS.quotes], [BYTES, { BYTES }], ["for all"]]);
        assert.deepEqual(of("outside"), [["for all"]]);
      });
    });
  }
}

test("a client that upgrades goes on where polling ended", async (t) => {
  const { client } = await connected(await startServer(t), { parser });
  assert.deepEqual(await client.emitWithAck("echo", { BYTES }), { BYTES });
  while (client.io.engine.transport.name !== "websocket") await delay(5);
  assert.deepEqual(await client.emitWithAck("echo", { BYTES }), { BYTES });
});

test("a connection is recovered with the events that it missed", async (t) => {
  const server = await startServer(t, { connectionStateRecovery: {} });
  const { client, socket } = await connected(server, {
    transports: ["websocket"],
    reconnection: true,
    reconnectionDelay: 50,
    parser,
  });
  const heard = [];
  client.on("news", (...args) => heard.push(args));
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
    heard.map((args) => args.slice(0, -1)), // without the offset
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
    test(`is cut off after ${name}, and nobody else`, async (t) => {
      const server = await startServer(t);
      const { client } = await connected(server, { transports: ["websocket"] });
      const bystander = await server.openRaw();
      const peer = await server.openRaw();
      const closed = once(peer, "close");
      for (const frame of frames) peer.send(frame);
      await closed;
      assert.equal(bystander.readyState, WebSocket.OPEN);
      bystander.send('420["echo","still here"]');
      const [answer] = await once(bystander, "message");
      assert.equal(String(answer), '430["still here"]');
      assert.deepEqual(await client.emitWithAck("echo", { BYTES }), { BYTES });
    });
  }

  test("does no harm with an event named error (CVE-2024-38355)", async (t) => {
    const server = await startServer(t);
    const peer = await server.openRaw();
    peer.send('42["error"]');
    peer.send('42["error",{"message":"text"}]');
    peer.send('420["echo","still here"]');
    const [answer] = await once(peer, "message");
    assert.equal(String(answer), '430["still here"]');
  });

  test("that leaves an event unfinished takes nothing with it", async (t) => {
    const server = await startServer(t);
    const { client } = await connected(server, { transports: ["websocket"] });
    const peer = await server.openRaw();
    const [socket] = await server.io
      .fetchSockets()
      .then((all) => all.filter((s) => s.id !== client.id));
    peer.send('452-["e",{"_placeholder":true,"num":0}]');
    peer.send(BYTES);
    const left = new Promise((resolve) => {
      server.io.sockets.sockets.get(socket.id).on("disconnect", resolve);
    });
    peer.close();
    await left;
    assert.equal(await client.emitWithAck("echo", 1), 1);
  });
});
