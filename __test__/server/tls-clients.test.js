"use strict";

/** Clients of Socket.IO over TLS: served by I/O threads from their first request, or by Node.js. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const net = require("node:net");
const { after, describe, test } = require("node:test");
const tls = require("node:tls");
const { Server } = require("socket.io");
const { io: connect } = require("socket.io-client");
const { stats, turbo } = require("../..");
const { hasEngine } = require("../../lib/addon/index.js");
const { createCertificates, skipWithoutOpenssl } = require("../support/certificates.js");
const { kinds, ours, stock } = require("../support/https-servers.js");
const { listen } = require("../support/tcp-server.js");

const skip = skipWithoutOpenssl;
const { forClient, forServer } = skip ? {} : createCertificates(after);

const TRANSPORTS = {
  WebSocket: ["websocket"],
  polling: ["polling"],
  "polling and WebSocket": ["polling", "websocket"],
};

/** More than a record of TLS, and than the kernel takes at once. */
const LONG = "day. ".repeat(1_000_000);

/** Starts a server with Socket.IO, which is closed after the test. */
async function startServer(t, kind, options) {
  const server = kind.createServer({ ...forServer, ...options });
  const io = new Server(server, {
    ...(kind.isOurs ? turbo() : {}),
    maxHttpBufferSize: 1e8,
    httpCompression: false,
  });
  t.after(() => io.close());
  io.on("connection", (socket) => {
    socket.on("echo", (...args) => args.pop()(...args));
  });
  const { port } = await listen(server);
  return { server, io, url: `https://127.0.0.1:${port}` };
}

/** Connects a client, which is closed after the test. Returns it and the server's socket. */
async function enter(t, { io, url }, options) {
  const client = connect(url, {
    forceNew: true,
    reconnection: false,
    rejectUnauthorized: false,
    transports: ["websocket"],
    ...options,
  });
  t.after(() => client.close());
  const [[socket]] = await Promise.all([once(io, "connection"), once(client, "connect")]);
  return { client, socket };
}

/** Returns what a program sees of TLS. */
function factsOf(socket) {
  const { handshake, request } = socket;
  const { socket: transport } = request;
  return {
    secure: handshake.secure,
    encrypted: request.connection.encrypted,
    isTlsSocket: transport instanceof tls.TLSSocket,
    name: transport.constructor.name,
    authorized: transport.authorized,
    authorizationError: transport.authorizationError,
    servername: transport.servername,
    alpnProtocol: transport.alpnProtocol,
    protocol: transport.getProtocol(),
    cipher: transport.getCipher(),
    peer: transport.getPeerCertificate(),
    own: transport.getCertificate(),
    isReused: transport.isSessionReused(),
    address: transport.remoteAddress,
    family: transport.remoteFamily,
    port: typeof transport.remotePort,
    local: transport.localAddress,
    isWritable: transport.writable,
  };
}

for (const kind of kinds.filter(({ attach }) => attach !== null)) {
  describe(`clients over TLS of ${kind.name}`, { skip, timeout: 60_000 }, () => {
    for (const [name, transports] of Object.entries(TRANSPORTS)) {
      test(`talk by ${name}`, async (t) => {
        const started = await startServer(t, kind);
        const { client, socket } = await enter(t, started, { transports });
        assert.equal(socket.handshake.secure, true);
        const answers = await Promise.all(
          ["short", LONG, Buffer.alloc(1_000_000, 7)].map((data) =>
            client.emitWithAck("echo", data),
          ),
        );
        assert.equal(answers[0], "short");
        assert.ok(answers[1] === LONG);
        assert.ok(Buffer.alloc(1_000_000, 7).equals(answers[2]));
        const received = once(client, "news");
        started.io.emit("news", LONG);
        assert.ok((await received)[0] === LONG);
        const gone = once(socket, "disconnect");
        client.close();
        assert.equal((await gone)[0], "client namespace disconnect");
      });
    }

    test("are disconnected by the server", async (t) => {
      const started = await startServer(t, kind);
      const { client, socket } = await enter(t, started);
      socket.emit("news", LONG);
      const [[text]] = await Promise.all([
        once(client, "news"),
        once(client, "disconnect"),
        socket.disconnect(true),
      ]);
      assert.ok(text === LONG);
    });

    test("keep their connections while the certificate is renewed", async (t) => {
      const started = await startServer(t, kind);
      const clients = [];
      for (let i = 0; i < 20; i++) {
        clients.push((await enter(t, started)).client);
        started.server.setSecureContext(i % 2 === 0 ? forClient : forServer);
        started.io.emit("news", i);
      }
      const echoes = clients.map((client, i) => client.emitWithAck("echo", i));
      assert.deepEqual(
        await Promise.all(echoes),
        clients.map((_, i) => i),
      );
    });
  });
}

describe("clients over TLS of createSecureServer()", {
  skip: skip || !hasEngine,
  timeout: 60_000,
}, () => {
  const cases = {
    "any client": [{}, {}],
    "a client of TLS 1.2": [{ maxVersion: "TLSv1.2" }, {}],
    "a client with a certificate": [{ requestCert: true, ca: forClient?.ca }, forClient],
    "a client without a certificate": [{ requestCert: true, rejectUnauthorized: false }, {}],
  };
  for (const [name, [serverOptions, clientOptions]] of Object.entries(cases)) {
    test(`show of ${name} what Node.js shows`, async (t) => {
      const facts = [];
      for (const kind of [stock, ours]) {
        const { socket } = await enter(t, await startServer(t, kind, serverOptions), clientOptions);
        facts.push(factsOf(socket));
      }
      assert.deepEqual(facts[1], facts[0]);
    });
  }

  test("show their certificate when they have gone, as to a listener of disconnect", async (t) => {
    const facts = [];
    for (const kind of [stock, ours]) {
      const options = { requestCert: true, ca: forClient.ca };
      const { client, socket } = await enter(t, await startServer(t, kind, options), forClient);
      const gone = once(socket, "disconnect");
      client.close();
      await gone;
      const { encrypted, authorized, servername } = socket.request.socket;
      facts.push({ encrypted, authorized, servername });
    }
    assert.deepEqual(facts[1], facts[0]);
    assert.equal(facts[1].authorized, true);
  });

  for (const [name, transports] of Object.entries(TRANSPORTS)) {
    test(`are served by I/O threads from the first request, by ${name}`, async (t) => {
      const before = stats();
      const started = await startServer(t, ours);
      const { client, socket } = await enter(t, started, { transports });
      const { engine } = client.io;
      if (engine.transport.name !== transports.at(-1)) await once(engine, "upgrade");
      assert.deepEqual(await client.emitWithAck("echo", LONG), LONG);
      assert.equal(socket.conn.transport.name, transports.at(-1));
      const { connections, server } = stats();
      assert.equal(connections.opened, before.connections.opened + 1);
      assert.deepEqual(connections.fallback, before.connections.fallback);
      assert.deepEqual(server.passed, before.server.passed);
    });
  }

  test("are not harmed by strangers", async (t) => {
    const started = await startServer(t, ours, { handshakeTimeout: 2_000 });
    const { port } = started.server.address();
    const { client } = await enter(t, started);
    const { tlsFailed } = stats().server;
    const strangers = Array.from({ length: 300 }, (_, i) => {
      const stranger = net.connect(port, "127.0.0.1").on("error", () => {});
      // Some say nothing, some begin, and some do not speak TLS.
      if (i % 3 === 1) stranger.write(Buffer.from([0x16, 3, 1, 1, 0]));
      if (i % 3 === 2) stranger.write("GET / HTTP/1.1\r\nHost: me\r\n\r\n");
      return stranger.resume();
    });
    assert.equal(await client.emitWithAck("echo", "here"), "here");
    await Promise.all(strangers.map((stranger) => stranger.closed || once(stranger, "close")));
    // Reports of I/O threads that came before the answer are counted by now.
    while (stats().server.tlsFailed < tlsFailed + strangers.length) {
      assert.equal(await client.emitWithAck("echo", "still"), "still");
    }
  });
});
