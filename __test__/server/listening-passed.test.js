"use strict";

/** Connections that are passed to Node.js, and the reasons: a program must see the same as with a server of Node.js. */

const assert = require("node:assert/strict");
const { channel, subscribe, unsubscribe } = require("node:diagnostics_channel");
const { once } = require("node:events");
const http = require("node:http");
const { describe, test } = require("node:test");
const { Server } = require("socket.io");
const { WebSocket, WebSocketServer } = require("ws");
const { createServer, stats, turbo } = require("../..");
const { hasEngine } = require("../../lib/addon/index.js");
const { polled } = require("../support/observed.js");
const { connect, request } = require("../support/http-servers.js");

const skip = !hasEngine && "without the engine, nothing is passed";

/** Starts a server with Socket.IO, which is closed after the test. */
async function start(t, { options, prepare = () => {}, attach = [{}] } = {}) {
  const server = createServer(options ?? {}, (_request, response) => response.end("ok"));
  const servers = attach.map((each) => new Server(server, turbo(each)));
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => Promise.all(servers.map((io) => io.close())));
  await prepare(server, servers);
  return { server, servers };
}

/** Returns the differences of counts that only grow. */
function growth(before, after) {
  const entries = Object.entries(after).map(([name, count]) => [name, count - (before[name] ?? 0)]);
  return Object.fromEntries(entries.filter(([, count]) => count > 0));
}

/** Connects a client of Socket.IO by WebSocket, until it is in. Returns what has been passed meanwhile. */
async function enter(t, server, path = "/socket.io/") {
  const before = stats().server.passed;
  const { port } = server.address();
  const client = new WebSocket(`ws://127.0.0.1:${port}${path}?EIO=4&transport=websocket`);
  t.after(() => client.terminate());
  const [message] = await once(client, "message");
  assert.match(`${message}`, /^0\{/);
  return growth(before, stats().server.passed);
}

const ignore = () => {};

/** By the reason: what a program does with its server, before clients come. */
const REASONS = {
  connectionListeners: {
    "a listener of `connection`": { prepare: (server) => server.on("connection", ignore) },
    "a listener of `connection` for one": {
      prepare: (server) => server.once("connection", ignore),
    },
    "a first listener of `connection`": {
      prepare: (server) => server.prependListener("connection", ignore),
    },
    "a first listener of `connection` for one": {
      prepare: (server) => server.prependOnceListener("connection", ignore),
    },
    "a listener of `timeout`": { prepare: (server) => server.addListener("timeout", ignore) },
  },
  upgradeListeners: {
    "a listener of `upgrade`": { prepare: (server) => server.on("upgrade", ignore) },
    "a second WebSocket server": {
      prepare: (server) => new WebSocketServer({ noServer: true }) && server.on("upgrade", ignore),
    },
  },
  requestListeners: {
    "a listener of `request` behind Socket.IO": {
      prepare: (server) => server.on("request", (_request, response) => response.headersSent),
    },
    "a listener of `request` that wraps Socket.IO's": {
      prepare: (server) => {
        const [own] = server.listeners("request");
        server.removeAllListeners("request");
        server.on("request", (...args) => own.apply(server, args));
      },
    },
  },
  overlappingPaths: {
    "a second server whose path begins with the first's": {
      attach: [{}, { path: "/socket.io/more", destroyUpgrade: false }],
    },
  },
  tracing: {
    "another emit()": {
      prepare: (server) => {
        const { emit } = server;
        server.emit = function (...args) {
          return emit.apply(this, args);
        };
      },
    },
  },
  diagnostics: {},
  timeout: {
    "a `timeout`": { prepare: (server) => server.setTimeout(60_000) },
  },
  maxConnections: {
    "`maxConnections`": {
      prepare: (server) => {
        server.maxConnections = 10;
      },
    },
  },
  serverOptions: {
    "a class of its own": { options: { IncomingMessage: class extends http.IncomingMessage {} } },
    "`joinDuplicateHeaders`": { options: { joinDuplicateHeaders: true } },
    "`maxRequestsPerSocket`": {
      prepare: (server) => {
        server.maxRequestsPerSocket = 5;
      },
    },
    "`maxHeadersCount`": {
      prepare: (server) => {
        server.maxHeadersCount = 50;
      },
    },
  },
};

describe("a server with Socket.IO", { skip, timeout: 60_000 }, () => {
  for (const [reason, cases] of Object.entries(REASONS)) {
    for (const [name, options] of Object.entries(cases)) {
      test(`passes a client if it has ${name}`, async (t) => {
        const { server } = await start(t, options);
        assert.deepEqual(await enter(t, server), { [reason]: 1 });
      });
    }
  }

  for (const name of [
    "net.server.socket",
    "http.server.request.start",
    "http.server.response.finish",
  ]) {
    test(`passes a client while ${name} has subscribers`, async (t) => {
      const { server } = await start(t);
      const seen = [];
      const keep = (message) => seen.push(message);
      subscribe(name, keep);
      t.after(() => unsubscribe(name, keep));
      assert.ok(channel(name).hasSubscribers);
      assert.deepEqual(await enter(t, server), { diagnostics: 1 });
      await request(server, { path: "/socket.io/?EIO=4&transport=polling" });
      assert.ok(seen.length > 0);
    });
  }

  test("passes a client if a class has another emit()", async (t) => {
    const { prototype } = http.Server;
    const events = [];
    prototype.emit = function (...args) {
      events.push(args[0]);
      return Object.getPrototypeOf(prototype).emit.apply(this, args);
    };
    t.after(() => delete prototype.emit);
    const { server } = await start(t);
    assert.deepEqual(await enter(t, server), { tracing: 1 });
    assert.ok(events.includes("upgrade"));
  });

  test("passes clients of the first of two servers, if a listener is between them", async (t) => {
    const prepare = (server, servers) => {
      server.on("request", ignore);
      servers.push(new Server(server, turbo({ path: "/other" })));
    };
    const { server } = await start(t, { prepare });
    // I/O threads do not know its path.
    assert.deepEqual(await enter(t, server), { request: 1 });
  });

  test("serves clients of two servers", async (t) => {
    const { server } = await start(t, { attach: [{}, { path: "/other" }] });
    const before = stats().server;
    assert.deepEqual(await enter(t, server), {});
    assert.deepEqual(await enter(t, server, "/other/"), {});
    assert.equal(stats().server.sessions, before.sessions + 2);
  });

  test("serves clients when what its listeners saw has been removed", async (t) => {
    const { server } = await start(t);
    server.on("connection", ignore).on("upgrade", ignore).on("request", ignore);
    assert.deepEqual(await enter(t, server), { connectionListeners: 1 });
    server.off("connection", ignore);
    assert.deepEqual(await enter(t, server), { upgradeListeners: 1 });
    server.removeListener("upgrade", ignore);
    assert.deepEqual(await enter(t, server), { requestListeners: 1 });
    server.removeListener("request", ignore);
    assert.deepEqual(await enter(t, server), {});
  });

  test("passes clients once Socket.IO's listeners have been removed", async (t) => {
    const { server } = await start(t);
    const upgrade = server.listeners("upgrade");
    server.removeAllListeners("upgrade");
    const client = new WebSocket(
      `ws://127.0.0.1:${server.address().port}/socket.io/?EIO=4&transport=websocket`,
    );
    // Without a listener of `upgrade`, it is an ordinary request.
    const [, response] = await once(client, "unexpected-response");
    assert.equal(response.statusCode, 400);
    response.resume();
    client.on("error", ignore).terminate();
    for (const listener of upgrade) server.on("upgrade", listener);
    assert.deepEqual(await enter(t, server), {});
  });

  test("counts what it accepts, and what becomes of it", async (t) => {
    const { server } = await start(t, { options: {}, attach: [{ allowRequest }] });
    function allowRequest({ url }, callback) {
      callback(null, !url.includes("refused"));
    }
    const before = stats();
    await enter(t, server);
    await request(server, { path: "/" });
    const { port } = server.address();
    const refused = new WebSocket(
      `ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket&refused`,
    );
    await once(refused, "error");
    const waiting = await connect(t, server);
    await polled(() => stats().server.httpConnections === before.server.httpConnections + 1);
    const { accepted, sessions, refused: count } = stats().server;
    assert.equal(accepted, before.server.accepted + 4);
    assert.deepEqual([sessions, count], [before.server.sessions + 1, before.server.refused + 1]);
    const { workers } = stats();
    assert.equal(
      workers.reduce((sum, worker) => sum + worker.accepted, 0),
      accepted,
    );
    waiting.socket.destroy();
    await polled(() => stats().server.httpConnections === before.server.httpConnections);
  });

  test("passes every other request", async (t) => {
    const { server } = await start(t);
    const before = stats().server.passed;
    assert.equal((await request(server, { path: "/" })).body, "ok");
    assert.match((await request(server, { path: "/socket.io/?EIO=4" })).body, /Transport unknown/);
    assert.deepEqual(growth(before, stats().server.passed), { request: 2 });
  });

  test("passes everything without Socket.IO", async (t) => {
    const { server } = await start(t, { attach: [] });
    t.after(() => server.close());
    const before = stats().server.passed;
    assert.equal((await request(server, { path: "/" })).body, "ok");
    assert.deepEqual(growth(before, stats().server.passed), { noEngine: 1 });
  });

  test("passes connections that wait when a listener is added", async (t) => {
    const { server } = await start(t);
    const client = await connect(t, server);
    client.write("GET /socket.io/");
    const [socket] = await new Promise((resolve) => {
      server.on("connection", (...args) => resolve(args));
    });
    assert.equal(socket.remotePort, client.socket.localPort);
    client.socket.destroy();
  });
});
