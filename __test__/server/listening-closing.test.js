"use strict";

/** The ends of servers and of connections without a complete request: the same as with Node.js. */

const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const { once } = require("node:events");
const http = require("node:http");
const { describe, test } = require("node:test");
const { hasEngine } = require("../../lib/addon/index.js");
const idle = require("../../lib/server/idle-connections.js");
const { connect, dial, kinds, newServer } = require("../support/http-servers.js");
const { polled } = require("../support/observed.js");
const { connectionsOf } = require("../support/tcp-server.js");

/** True with releases of Node.js that end connections which have sent nothing when they close. */
const areFreshIdle = idle.areFreshIdle();

/** The answers to a client that sent a part of a request just before, which may not have arrived. */
const SERVED = areFreshIdle ? /^(HTTP\/1\.1 (400|200)|$)/ : /^HTTP\/1\.1 (400|200)/;

/** The begin of a request that may be one of Engine.IO, so that I/O threads wait for the rest. */
const HALF = "GET /socket.io/?EIO=4";
const REST = "&transport=none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const WEBSOCKET = "/socket.io/?EIO=4&transport=websocket";

/** A program that sends a request, of a WebSocket if it is for one, and ends. */
const CLIENT = `
  const [, port, target] = process.argv;
  const socket = require("node:net").connect(port, "127.0.0.1", () => {
    const upgrade = target.endsWith("websocket") ? "Connection: Upgrade\\r\\nUpgrade: websocket\\r\\n" +
      "Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n" : "";
    socket.write("GET " + target + " HTTP/1.1\\r\\nHost: a\\r\\n" + upgrade + "\\r\\n");
    // Time for I/O threads; without it the test proves less, and fails for nothing.
    setTimeout(() => process.exit(), 200);
  });
`;

const KEPT = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const LAST = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const OK = /^HTTP\/1\.1 200 OK\r\n/;

/** Starts a server whose requests are answered by `answer`. */
async function start(t, kind, options = {}, answer = (_request, response) => response.end("ok")) {
  const server = newServer(t, kind, options, answer);
  await once(server.listen(0, "127.0.0.1"), "listening");
  return server;
}

/** Connects clients, one after the other, and waits until the server counts them. */
async function connectAll(t, server, count) {
  const clients = [];
  for (let i = 0; i < count; i++) clients.push(await connect(t, server));
  await polled(async () => (await connectionsOf(server)) === count);
  return clients;
}

/**
 * Connects clients in this turn, and waits in it until the server counts them: they are on their way to JavaScript
 * then. With Node.js, and without the engine, it is JavaScript that accepts, in a turn of its own.
 */
async function connectUnseen(t, server, count) {
  if (server.constructor === http.Server || !hasEngine) return connectAll(t, server, count);
  const begin = Date.now();
  const clients = Array.from({ length: count }, () => dial(t, server));
  while ((await connectionsOf(server)) !== count) assert.ok(Date.now() - begin < 20_000);
  return clients;
}

/** Closes a server. Returns a promise of the error of the callback, and whether it has been called. */
function close(server) {
  const state = { isClosed: false };
  state.closed = new Promise((resolve) => {
    server.close((error) => {
      state.isClosed = true;
      resolve(error);
    });
  });
  return state;
}

for (const kind of kinds) {
  describe(`a server of ${kind.name}`, { timeout: 60_000 }, () => {
    test("serves no client that came in the turn in which it closes", async (t) => {
      const seen = [];
      const server = newServer(t, { ...kind, attach: null }, (request) => seen.push(request.url));
      const io = kind.attach?.(server);
      io?.engine.on("connection", (conn) => seen.push(conn.transport.name));
      t.after(() => io?.engine.close());
      await once(server.listen(0, "127.0.0.1"), "listening");
      const { port } = server.address();
      const targets = ["/", "/socket.io/?EIO=4&transport=polling", WEBSOCKET];
      // Meanwhile JavaScript stands still here: Node.js has accepted none of them.
      for (const target of targets) execFileSync(process.execPath, ["-e", CLIENT, port, target]);
      // As with the end of all connections, some of which come again at once.
      server.closeAllConnections();
      await close(server).closed;
      assert.deepEqual(seen, []);
    });

    test("closes at once without connections, and refuses more", async (t) => {
      const server = await start(t, kind);
      const { port } = server.address();
      const { closed } = close(server);
      assert.equal(server.listening, false);
      assert.equal(server.address(), null);
      assert.equal(await closed, undefined);
      const client = require("node:net").connect(port, "127.0.0.1");
      const [error] = await once(client, "error");
      assert.equal(error.code, "ECONNREFUSED");
    });

    for (const [place, connectThem] of [
      ["", connectAll],
      [", on its way to JavaScript", connectUnseen],
    ]) {
      test(`waits for a client that has sent nothing${place}, unless it counts as idle`, async (t) => {
        const server = await start(t, kind);
        const [client] = await connectThem(t, server, 1);
        const state = close(server);
        if (!areFreshIdle) client.write(LAST);
        assert.match(await client.ended(), areFreshIdle ? /^$/ : OK);
        assert.equal(await state.closed, undefined);
      });

      test(`keeps a client that has sent nothing${place}, unless it counts as idle`, async (t) => {
        const server = await start(t, kind);
        const [client] = await connectThem(t, server, 1);
        server.closeIdleConnections();
        if (!areFreshIdle) client.write(LAST);
        assert.match(await client.ended(), areFreshIdle ? /^$/ : OK);
        const later = await connect(t, server);
        later.write(LAST);
        assert.match(await later.ended(), OK);
      });
    }

    test("waits for a client that has sent half of a request", async (t) => {
      const server = await start(t, kind);
      const [client] = await connectAll(t, server, 1);
      client.write(HALF);
      const state = close(server);
      if (!areFreshIdle) assert.equal(await connectionsOf(server), 1);
      assert.equal(state.isClosed, false);
      client.write(REST);
      assert.match(await client.ended(), SERVED);
      assert.equal(await state.closed, undefined);
    });

    test("waits for a client that leaves", { skip: areFreshIdle && "it is idle" }, async (t) => {
      const server = await start(t, kind);
      const clients = await connectAll(t, server, 2);
      const state = close(server);
      clients[0].socket.destroy();
      await polled(async () => (await connectionsOf(server)) === 1);
      assert.equal(state.isClosed, false);
      clients[1].socket.resetAndDestroy();
      assert.equal(await state.closed, undefined);
      assert.equal(await connectionsOf(server), 0);
    });

    test("waits for a response, and closes connections between two requests", async (t) => {
      let respond;
      const server = await start(t, kind, {}, (request, response) => {
        if (request.url === "/") response.end("ok");
        else respond = () => response.end("late");
      });
      const [kept, busy] = await connectAll(t, server, 2);
      kept.write(KEPT);
      await kept.until((received) => received.endsWith("ok"));
      busy.write("GET /late HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
      await polled(() => respond !== undefined);
      const state = close(server);
      await kept.ended();
      assert.equal(state.isClosed, false);
      respond();
      assert.match(await busy.ended(), /late$/);
      assert.equal(await state.closed, undefined);
    });

    test("closes connections between two requests, and no others", async (t) => {
      const server = await start(t, kind);
      const [kept, half, fresh] = await connectAll(t, server, 3);
      kept.write(KEPT);
      await kept.until((received) => received.endsWith("ok"));
      half.write(HALF);
      server.closeIdleConnections();
      await kept.ended();
      half.write(REST);
      assert.match(await half.ended(), SERVED);
      fresh.write(HALF + REST);
      assert.match(await fresh.ended(), areFreshIdle ? /^$/ : SERVED);
    });

    test("closes all connections", async (t) => {
      const server = await start(t, kind);
      const clients = await connectAll(t, server, 3);
      clients[0].write(KEPT);
      await clients[0].until((received) => received.endsWith("ok"));
      clients[1].write(HALF);
      const { closed } = close(server);
      server.closeAllConnections();
      for (const client of clients) await client.ended();
      assert.equal(await closed, undefined);
    });

    test("answers the requests that came before it was closed", async (t) => {
      const server = await start(t, kind);
      const clients = await connectAll(t, server, 5);
      for (const client of clients) client.write(HALF + REST);
      const { closed } = close(server);
      for (const client of clients) assert.match(await client.ended(), SERVED);
      assert.equal(await closed, undefined);
    });

    test("drops what is more than `maxConnections`", async (t) => {
      const server = await start(t, kind);
      const [first] = await connectAll(t, server, 1);
      first.write(KEPT);
      await first.until((received) => received.endsWith("ok"));
      server.maxConnections = 1;
      const dropped = once(server, "drop");
      const second = await connect(t, server);
      const [{ remotePort, remoteFamily, localPort }] = await dropped;
      assert.equal(remotePort, second.socket.localPort);
      assert.deepEqual([remoteFamily, localPort], ["IPv4", server.address().port]);
      assert.equal(await second.ended(), "");
      first.write(HALF + REST);
      assert.match(await first.ended(), /okHTTP\/1\.1 (400|200)/);
      server.maxConnections = undefined;
      await polled(async () => (await connectionsOf(server)) === 0);
      await connectAll(t, server, 2);
    });

    test("emits `timeout` for a connection without traffic", async (t) => {
      const server = await start(t, kind);
      const clients = await connectAll(t, server, 1);
      assert.equal(server.setTimeout(1), server);
      const timedOut = once(server, "timeout");
      clients.push(await connect(t, server));
      const [socket] = await timedOut;
      // Those that had been accepted before have no timeout with Node.js.
      assert.ok(clients.some((client) => client.socket.localPort === socket.remotePort));
      server.closeAllConnections();
      await clients[1].ended();
    });

    for (const [name, sent] of [
      ["no request", ""],
      ["half of a request", HALF],
      ["half of a head", `${HALF}&transport=polling HTTP/1.1\r\nHost: `],
      ["half of a request of another path", "GET /ano"],
    ]) {
      const options = { headersTimeout: 100, requestTimeout: 150, connectionsCheckingInterval: 10 };

      test(`answers a client that sends ${name} in time`, async (t) => {
        const server = await start(t, kind, options);
        const client = await connect(t, server);
        client.write(sent);
        const expected = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n";
        assert.equal(await client.ended(), expected);
      });

      test(`emits clientError for a client that sends ${name} in time`, async (t) => {
        const server = await start(t, kind, options);
        const failed = once(server, "clientError");
        const client = await connect(t, server);
        client.write(sent);
        const [error, socket] = await failed;
        const { name: kindOfError, code, message } = error;
        assert.deepEqual(
          { kindOfError, code, message },
          { kindOfError: "Error", code: "ERR_HTTP_REQUEST_TIMEOUT", message: "Request timeout" },
        );
        assert.equal(socket.remotePort, client.socket.localPort);
        socket.end("late");
        assert.equal(await client.ended(), "late");
      });

      test(`ends a client that ends after ${name}`, async (t) => {
        const server = await start(t, kind);
        const client = await connect(t, server);
        client.socket.end(sent);
        const expected = sent === "" ? "" : "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
        assert.equal(await client.ended(), expected);
        await polled(async () => (await connectionsOf(server)) === 0);
      });

      test(`forgets a client that resets its connection after ${name}`, async (t) => {
        const server = await start(t, kind);
        const [client] = await connectAll(t, server, 1);
        client.write(sent);
        client.socket.resetAndDestroy();
        await polled(async () => (await connectionsOf(server)) === 0);
      });
    }

    test("ends a connection between two requests after `keepAliveTimeout`", async (t) => {
      const server = await start(t, kind);
      server.keepAliveTimeout = 1;
      const client = await connect(t, server);
      client.write(KEPT);
      assert.match(await client.ended(), /ok$/);
    });

    test("has the timeouts that are set while it listens", async (t) => {
      const server = await start(t, kind, { connectionsCheckingInterval: 10 });
      const client = await connect(t, server);
      server.headersTimeout = 100;
      server.requestTimeout = 100;
      const late = await connect(t, server);
      late.write(HALF);
      assert.match(await late.ended(), /^HTTP\/1\.1 408/);
      client.socket.destroy();
    });

    test("has no timeouts if they are 0", async (t) => {
      const options = { headersTimeout: 0, requestTimeout: 0, connectionsCheckingInterval: 1 };
      const server = await start(t, kind, options);
      const client = await connect(t, server);
      for (const byte of HALF + REST) {
        client.write(byte);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      assert.match(await client.ended(), /^HTTP\/1\.1 (400|200)/);
    });
  });
}
