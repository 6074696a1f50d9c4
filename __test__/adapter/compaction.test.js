"use strict";

/** Connections after what they keep in JavaScript has been compacted: each test runs with ws, too. */

const assert = require("node:assert/strict");
const { EventEmitter, once } = require("node:events");
const { IncomingMessage } = require("node:http");
const { test } = require("node:test");
const { inspect } = require("node:util");
const { engines } = require("../support/engines.js");
const {
  WEBSOCKET_ONLY,
  WITH_UPGRADE,
  enterAll,
  upgraded,
} = require("../support/socket-io-client.js");
const { startServer } = require("../support/socket-io-server.js");
const { WebSocketClient } = require("../support/websocket/client.js");

const GUARD = { timeout: 20_000 };

const TRANSPORTS = { "by WebSocket": WEBSOCKET_ONLY, "after an upgrade": WITH_UPGRADE };

const cases = engines.flatMap((engine) =>
  Object.entries(TRANSPORTS).map(([transport, options]) => ({
    name: `${engine.name}, ${transport}`,
    engine,
    options,
  })),
);

/** Connects clients; they have been answered, so the turns of their connections have ended. */
async function connected(t, { engine, options }, { count = 1, prepare = () => {} } = {}) {
  const server = await startServer(t, engine);
  prepare(server);
  const entrances = await enterAll(server, count, options);
  for (const { client, socket } of entrances) {
    await upgraded(socket);
    await client.emitWithAck("echo", "text");
  }
  return { ...server, entrances };
}

/** Returns the emitters of a connection that programs use. */
function emittersOf({ conn }) {
  return { conn, transport: conn.transport, websocket: conn.transport.socket };
}

for (const kind of cases) {
  const { name } = kind;

  test(
    `${name}: an emitter prints its listeners as a table without a prototype`,
    GUARD,
    async (t) => {
      const { entrances } = await connected(t, kind);
      const [{ socket }] = entrances;
      assert.match(
        inspect(socket._events),
        /^\[Object: null prototype\] \{\s*error: \[Function: noop\],\s*echo: /,
      );
      for (const emitter of Object.values(emittersOf(socket))) {
        assert.equal(Object.getPrototypeOf(emitter._events), null);
        assert.equal(emitter._eventsCount, Reflect.ownKeys(emitter._events).length);
        assert.equal(emitter.listenerCount("toString"), 0);
      }
    },
  );

  test(`${name}: listeners come and go`, GUARD, async (t) => {
    const { entrances } = await connected(t, kind);
    const [{ socket }] = entrances;
    for (const emitter of [socket, ...Object.values(emittersOf(socket))]) {
      const names = emitter.eventNames();
      const calls = [];
      const listener = (...args) => calls.push(args);
      emitter.on("added", listener).once("added", listener).on(Symbol.for("another"), listener);
      // The method of a Socket.IO socket sends the event.
      const emit = (value) => EventEmitter.prototype.emit.call(emitter, "added", value);
      emit(1);
      emit(2);
      emitter.removeListener("added", listener).removeListener(Symbol.for("another"), listener);
      emit(3);
      assert.deepEqual(calls, [[1], [1], [2]]);
      assert.deepEqual(emitter.eventNames(), names);
    }
  });

  test(`${name}: sockets do not share listeners or lists`, GUARD, async (t) => {
    const { entrances } = await connected(t, kind, { count: 2 });
    const [a, b] = entrances.map(({ socket }) => socket);
    for (const [key, emitter] of Object.entries(emittersOf(a))) {
      emitter.on("added", () => {});
      assert.equal(emittersOf(b)[key].listenerCount("added"), 0);
    }
    assert.notEqual(a.conn.cleanupFn, b.conn.cleanupFn);
    assert.notEqual(a.client.decoder._callbacks.$decoded, b.client.decoder._callbacks.$decoded);
  });

  test(`${name}: an error of the WebSocket ends the connection`, GUARD, async (t) => {
    const { entrances, io } = await connected(t, kind);
    const [{ client, socket }] = entrances;
    const reason = once(socket, "disconnect");
    const left = once(client, "disconnect");
    const { transport } = socket.conn;
    transport.socket.emit("error", new Error("made up"));
    assert.deepEqual((await reason)[0], "transport error");
    // The listeners of the transport are gone; another error has no effect.
    transport.socket.emit("error", new Error("another"));
    await left;
    assert.equal(io.engine.clientsCount, 0);
  });

  test(`${name}: the end of the WebSocket ends the connection once`, GUARD, async (t) => {
    const { entrances, io } = await connected(t, kind);
    const [{ client, socket }] = entrances;
    const closes = [];
    const { conn } = socket;
    for (const [key, emitter] of Object.entries(emittersOf(socket))) {
      emitter.on("close", () => closes.push(key));
    }
    const left = once(socket, "disconnect");
    client.disconnect();
    client.io.engine.close();
    await left;
    if (conn.readyState !== "closed") await once(conn, "close");
    assert.deepEqual(closes.toSorted(), ["conn", "transport", "websocket"]);
    assert.equal(io.engine.clientsCount, 0);
  });

  test(`${name}: a frozen handshake stays as it is`, GUARD, async (t) => {
    const { entrances } = await connected(t, kind, {
      prepare: ({ io }) =>
        io.use((socket, next) => {
          Object.freeze(socket.handshake);
          next();
        }),
    });
    const [{ client, socket }] = entrances;
    assert.equal(await client.emitWithAck("echo", "text"), "text");
    assert.ok(Object.isFrozen(socket.handshake));
  });

  test(`${name}: requests have their own headers`, GUARD, async (t) => {
    const { entrances } = await connected(t, kind, { count: 2 });
    const [a, b] = entrances.map(({ socket }) => socket);
    assert.notEqual(a.request.headers, b.request.headers);
    assert.notEqual(a.request.rawHeaders, b.request.rawHeaders);
    const { headers, rawHeaders } = a.request;
    for (let index = 0; index < rawHeaders.length; index += 2) {
      assert.equal(headers[rawHeaders[index].toLowerCase()], rawHeaders[index + 1]);
    }
    headers.host = "changed";
    assert.notEqual(b.request.headers.host, "changed");
    assert.equal(a.handshake.headers, headers);
  });
}

for (const kind of cases.filter(({ options }) => options === WEBSOCKET_ONLY)) {
  const { name } = kind;

  test(`${name}: a middleware's response closes with its socket`, GUARD, async (t) => {
    let response;
    const { entrances } = await connected(t, kind, {
      prepare: ({ io }) =>
        io.engine.use((_request, received, next) => {
          response = received;
          next();
        }),
    });
    const closed = once(response, "close");
    entrances[0].client.disconnect();
    entrances[0].socket.disconnect(true);
    await closed;
  });

  test(
    `${name}: a program's own listener with the text of engine.io's is called`,
    GUARD,
    async (t) => {
      const calls = [];
      const { entrances } = await connected(t, kind, {
        prepare: ({ httpServer }) =>
          httpServer.on("connection", (socket) => {
            const owner = { emit: (event) => calls.push(event) };
            // biome-ignore format: engine.io's text.
            (function () { socket.on("close", () => this.emit("close")); }).call(owner);
          }),
      });
      const { socket } = entrances[0].socket.request;
      const closed = once(socket, "close");
      entrances[0].socket.disconnect(true);
      await closed;
      assert.deepEqual(calls, ["close"]);
    },
  );

  test(`${name}: headers of middlewares and listeners are sent`, GUARD, async (t) => {
    const seen = [];
    const upgrades = [];
    const { entrances, httpServer } = await connected(t, kind, {
      count: 3,
      prepare: ({ io, httpServer }) => {
        httpServer.on("upgrade", (request) => upgrades.push(request));
        io.engine.use((request, response, next) => {
          response.setHeader("x-first", "1");
          response.setHeader("x-removed", "1");
          response.removeHeader("x-removed");
          assert.equal(response.getHeader("x-first"), "1");
          assert.ok(request instanceof IncomingMessage);
          setImmediate(next);
        });
        io.engine.on("initial_headers", (headers) => {
          headers["x-second"] = "2";
        });
        io.engine.on("headers", (headers, request) => seen.push([{ ...headers }, request]));
      },
    });
    const cors = { "Access-Control-Allow-Origin": "*" };
    const expected = { "x-first": "1", ...cors, "x-second": "2" };
    assert.deepEqual(
      seen.map(([headers]) => headers),
      [expected, expected, expected],
    );
    for (const [index, { socket }] of entrances.entries()) {
      const { request } = socket;
      assert.equal(request, seen[index][1]);
      assert.equal(request, upgrades[index]);
      assert.equal(Object.getPrototypeOf(request), IncomingMessage.prototype);
      const keys = Object.getOwnPropertySymbols(request).map(String);
      assert.ok(!keys.includes("Symbol(responseHeaders)"));
    }
    const { port } = httpServer.address();
    const client = await WebSocketClient.open(port, {
      path: "/socket.io/?EIO=4&transport=websocket",
    });
    assert.equal(client.response.headers["x-first"], "1");
    assert.equal(client.response.headers["x-second"], "2");
    assert.equal(client.response.headers["x-removed"], undefined);
    await client.reset();
  });
}
