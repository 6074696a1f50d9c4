"use strict";

/** Sessions that begin with long-polling and change to a WebSocket, on a stock server and on workers. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const http = require("node:http");
const { describe, test } = require("node:test");
const { io: connect } = require("socket.io-client");
const { WebSocket } = require("ws");
const { createServer, turbo } = require("../..");
const { hasEngine } = require("../../lib/addon/index.js");
const { attach, serve } = require("../support/http-servers.js");
const { released } = require("../support/polling-session.js");

const kinds = [
  { name: "stock", serve: (options) => attach(http.createServer(), options) },
  { name: "ours", isOurs: true, serve: (options) => attach(createServer(), turbo(options)) },
].slice(0, hasEngine ? 2 : 1);

/** Connects a client and returns it with its socket on the server. */
async function join(t, { io, url }, options = {}) {
  const joined = once(io, "connection");
  const client = connect(url, { forceNew: true, reconnection: false, ...options });
  t.after(() => client.close());
  await once(client, "connect");
  const [socket] = await joined;
  return { client, socket };
}

/** The requests that workers have left to Node.js. */
function passed() {
  const { passed } = turbo.stats().server;
  return Object.values(passed).reduce((sum, count) => sum + count, 0);
}

/** Opens a session by hand, which polls. */
async function openSession({ url, io }) {
  const opened = once(io.engine, "connection");
  const query = `${url}/socket.io/?EIO=4&transport=polling`;
  const text = await (await fetch(query)).text();
  const { sid } = JSON.parse(text.slice(1));
  const [conn] = await opened;
  const poll = async () => (await fetch(`${query}&sid=${sid}`)).text();
  const post = async (body) =>
    (await fetch(`${query}&sid=${sid}`, { method: "POST", body })).text();
  const probe = async () => {
    const address = `${url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket&sid=${sid}`;
    const websocket = new WebSocket(address);
    await once(websocket, "open");
    return websocket;
  };
  return { conn, poll, post, probe };
}

async function next(websocket) {
  const [data] = await once(websocket, "message");
  return String(data);
}

describe("changes to a WebSocket", { timeout: 60_000 }, () => {
  for (const kind of kinds) {
    test(`a client of Socket.IO changes (${kind.name})`, async (t) => {
      const before = passed();
      const server = await serve(t, kind.serve());
      const joined = once(server.io, "connection");
      const client = connect(server.url, { forceNew: true, reconnection: false });
      t.after(() => client.close());
      const [socket] = await joined;
      const names = [socket.conn.transport.name];
      const upgraded = once(socket.conn, "upgrade");
      await once(client.io.engine, "upgrade");
      const [transport] = await upgraded;
      names.push(transport.name, socket.conn.transport.name);
      assert.deepEqual(names, ["polling", "websocket", "websocket"]);
      assert.equal(socket.conn.transport, transport);
      assert.equal(socket.conn.upgraded, true);
      assert.equal(socket.conn.upgrading, false);
      socket.on("echo", (...args) => args.pop()(args));
      assert.deepEqual(await client.emitWithAck("echo", 1, "é"), [1, "é"]);
      const ended = once(socket, "disconnect");
      client.io.engine.close();
      assert.deepEqual((await ended)[0], "transport close");
      assert.equal(server.io.engine.clientsCount, 0);
      if (kind.isOurs) assert.equal(passed(), before);
    });

    test(`a client that nobody looks at changes (${kind.name})`, async (t) => {
      const server = await serve(t, kind.serve());
      const { client, socket } = await join(t, server);
      if (client.io.engine.transport.name !== "websocket") await once(client.io.engine, "upgrade");
      socket.on("echo", (...args) => args.pop()(args));
      assert.deepEqual(await client.emitWithAck("echo", Buffer.from("a")), [Buffer.from("a")]);
      server.io.emit("all", 1);
      assert.deepEqual(await once(client, "all"), [1]);
      assert.equal(socket.conn.transport.name, "websocket");
      const ended = once(client, "disconnect");
      socket.disconnect(true);
      assert.equal((await ended)[0], "io server disconnect");
    });

    test(`packets keep their order (${kind.name})`, async (t) => {
      const server = await serve(t, kind.serve());
      for (let round = 0; round < 5; round++) {
        const { client, socket } = await join(t, server);
        const [sent, received] = [[], []];
        client.on("n", (n) => received.push(n));
        const fromClient = [];
        socket.on("n", (n) => fromClient.push(n));
        const isUpgraded = () => client.io.engine.transport.name === "websocket";
        while (!isUpgraded() || sent.length < 50) {
          sent.push(sent.length);
          if (sent.length % 3 === 0) server.io.emit("n", sent.length - 1);
          else socket.emit("n", sent.length - 1);
          client.emit("n", sent.length - 1);
          await new Promise(setImmediate);
        }
        while (received.length < sent.length || fromClient.length < sent.length) {
          await new Promise(setImmediate);
        }
        assert.deepEqual(received, sent);
        assert.deepEqual(fromClient, sent);
        client.close();
      }
    });

    test(`a WebSocket that goes again leaves the session as it was (${kind.name})`, async (t) => {
      const server = await serve(t, kind.serve());
      server.io.engine.removeAllListeners("connection");
      const { conn, poll, post, probe } = await openSession(server);
      for (const leave of [
        (websocket) => websocket.terminate(),
        (websocket) => websocket.send("4no"),
      ]) {
        const websocket = await probe();
        websocket.on("error", () => {});
        const upgrading = once(conn, "upgrading");
        websocket.send("2probe");
        assert.equal(await next(websocket), "3probe");
        const [transport] = await upgrading;
        assert.equal(transport.name, "websocket");
        const closed = once(websocket, "close");
        leave(websocket);
        await closed;
        while (conn.upgrading) await new Promise(setImmediate);
        conn.send("a");
        assert.equal(await poll(), "4a");
        const received = once(conn, "message");
        assert.equal(await post("4b"), "ok");
        assert.equal((await received)[0], "b");
      }
      const websocket = await probe();
      websocket.send("2probe");
      assert.equal(await next(websocket), "3probe");
      const upgraded = once(conn, "upgrade");
      conn.send("kept");
      websocket.send("5");
      assert.equal(await next(websocket), "4kept");
      await upgraded;
      const received = once(conn, "message");
      websocket.send("4c");
      assert.equal((await received)[0], "c");
      websocket.close();
    });

    test(`a pending poll ends while the WebSocket is probed (${kind.name})`, async (t) => {
      const server = await serve(t, kind.serve());
      server.io.engine.removeAllListeners("connection");
      const { conn, poll, probe } = await openSession(server);
      const pending = poll();
      const websocket = await probe();
      websocket.send("2probe");
      assert.equal(await next(websocket), "3probe");
      assert.equal(await pending, "6");
      const upgraded = once(conn, "upgrade");
      websocket.send("5");
      await upgraded;
      websocket.close();
      await once(conn, "close");
    });

    for (const [title, options, leave] of [
      ["goes", {}, (_conn, websocket) => websocket.terminate()],
      // A slow machine needs some time for the probe.
      ["is late", { upgradeTimeout: 1_000 }, () => {}],
      [
        "ends with the session",
        {},
        (conn, _websocket, poll) => {
          conn.close();
          poll();
        },
      ],
    ]) {
      test(`the transport of a WebSocket that ${title} closes (${kind.name})`, async (t) => {
        const server = await serve(t, kind.serve(options));
        server.io.engine.removeAllListeners("connection");
        const { conn, poll, probe } = await openSession(server);
        const websocket = await probe();
        websocket.on("error", () => {});
        const closed = once(conn, "upgrading").then(([transport]) => {
          leave(conn, websocket, poll);
          return Promise.all([transport, once(transport, "close")]);
        });
        websocket.send("2probe");
        const [transport] = await closed;
        assert.equal(transport.readyState, "closed");
        assert.equal(conn.upgrading, false);
      });
    }

    test(`a WebSocket that says nothing is closed (${kind.name})`, async (t) => {
      const server = await serve(t, kind.serve({ upgradeTimeout: 50 }));
      server.io.engine.removeAllListeners("connection");
      const { conn, poll, probe } = await openSession(server);
      const websocket = await probe();
      await once(websocket, "close");
      conn.send("a");
      assert.equal(await poll(), "4a");
      assert.equal(conn.upgraded, false);
    });

    test(`the WebSocket ends with the session (${kind.name})`, async (t) => {
      const server = await serve(t, kind.serve());
      server.io.engine.removeAllListeners("connection");
      const { post, probe } = await openSession(server);
      const websocket = await probe();
      websocket.send("2probe");
      assert.equal(await next(websocket), "3probe");
      const closed = once(websocket, "close");
      assert.equal(await post("1"), "ok");
      await closed;
      assert.equal(server.io.engine.clientsCount, 0);
    });

    for (const [title, look] of [
      ["is being closed", () => {}],
      ["is being closed, and has been looked at,", (conn) => conn.transport.name],
      ["is being closed, and is listened to,", (conn) => conn.on("upgrade", () => {})],
    ]) {
      test(`a session that ${title} ends when it changes (${kind.name})`, async (t) => {
        const server = await serve(t, kind.serve());
        server.io.engine.removeAllListeners("connection");
        const { conn, probe } = await openSession(server);
        look(conn);
        const closed = once(conn, "close");
        conn.close();
        assert.equal(conn.readyState, "closing");
        const websocket = await probe();
        websocket.send("2probe");
        assert.equal(await next(websocket), "3probe");
        const ended = once(websocket, "close");
        websocket.send("5");
        assert.equal((await closed)[0], "forced close");
        await ended;
      });
    }

    test(`a probe behind the end of the session is ignored (${kind.name})`, async (t) => {
      const server = await serve(t, kind.serve());
      server.io.engine.removeAllListeners("connection");
      const { conn, probe } = await openSession(server);
      const websocket = await probe();
      const received = [];
      websocket.on("message", (data) => received.push(String(data)));
      // So that it does not answer the close frame.
      websocket.pause();
      conn.close(true);
      await released(conn);
      websocket.send("2probe");
      const closed = once(websocket, "close");
      websocket.resume();
      await closed;
      assert.deepEqual(received, []);
    });

    test(`a client that stays with polling gets all (${kind.name})`, async (t) => {
      const before = passed();
      const server = await serve(t, kind.serve({ pingInterval: 20, pingTimeout: 20_000 }));
      const { client, socket } = await join(t, server, { transports: ["polling"] });
      const received = [];
      client.on("n", (...args) => received.push(args));
      for (let n = 0; n < 20; n++) {
        socket.emit("n", n, Buffer.from([n]));
        server.io.to(socket.id).emit("n", n);
      }
      let pings = 0;
      client.io.engine.on("ping", () => pings++);
      while (received.length < 40 || pings < 3) await new Promise(setImmediate);
      assert.deepEqual(
        received,
        Array.from({ length: 40 }, (_, index) =>
          index % 2 === 0 ? [index / 2, Buffer.from([index / 2])] : [(index - 1) / 2],
        ),
      );
      const ended = once(socket, "disconnect");
      client.close();
      assert.equal((await ended)[0], "client namespace disconnect");
      if (kind.isOurs) assert.equal(passed(), before);
    });

    test(`a client that does not poll any more times out (${kind.name})`, async (t) => {
      const server = await serve(t, kind.serve({ pingInterval: 20, pingTimeout: 20 }));
      server.io.engine.removeAllListeners("connection");
      const closed = new Promise((resolve) => {
        server.io.engine.once("connection", (conn) => conn.once("close", resolve));
      });
      await openSession(server);
      assert.equal(await closed, "ping timeout");
      assert.equal(server.io.engine.clientsCount, 0);
    });

    test(`volatile packets are for clients that wait (${kind.name})`, async (t) => {
      const server = await serve(t, kind.serve());
      const session = await openSession(server);
      await session.post("40");
      await session.poll();
      const [socket] = [...server.io.sockets.sockets.values()];
      socket.volatile.emit("lost");
      socket.emit("kept");
      assert.equal(await session.poll(), '42["kept"]');
    });
  }

  test("sessions whose requests a program may see are left to Node.js", {
    skip: !hasEngine,
  }, async (t) => {
    for (const prepare of [
      ({ io }) => io.engine.use((_req, _res, next) => next()),
      ({ io }) => io.engine.on("headers", () => {}),
      ({ io }) => io.engine.on("initial_headers", () => {}),
      ({ io }) => (io.engine.opts.allowRequest = (_req, callback) => callback(null, true)),
      ({ io }) => (io.engine.opts.httpCompression = { threshold: 1, level: 9 }),
    ]) {
      const server = await serve(t, kinds[1].serve());
      prepare(server);
      const before = turbo.stats().server.passed.polling ?? 0;
      const { client, socket } = await join(t, server, { transports: ["polling"] });
      socket.on("echo", (...args) => args.pop()(args));
      assert.deepEqual(await client.emitWithAck("echo", 1), [1]);
      assert.ok(turbo.stats().server.passed.polling > before);
      client.close();
    }
  });
});
