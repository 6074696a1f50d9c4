"use strict";

/** Where programs put their options and their servers: the constructor, `attach()`, `listen()`. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { createServer, request } = require("node:http");
const { describe, test } = require("node:test");
const { Server } = require("socket.io");
const { assertNativeCount, engines, noConnectionsLeft } = require("../support/engines.js");
const { connectClient } = require("../support/socket-io-client.js");
const { listen } = require("../support/tcp-server.js");

const ORIGIN = "https://example.com";

/** Requests whose responses depend on the option `cors`. */
const REQUESTS = {
  preflight: ["OPTIONS", "/socket.io/?EIO=4&transport=polling"],
  handshake: ["GET", "/socket.io/?EIO=4&transport=polling"],
  client: ["GET", "/socket.io/socket.io.js"],
};

/** Returns the status of each response, and its headers for CORS. */
async function answers(httpServer) {
  if (!httpServer.listening) await listen(httpServer);
  const { port } = httpServer.address();
  const found = {};
  for (const [name, [method, path]] of Object.entries(REQUESTS)) {
    const headers = { origin: ORIGIN, "access-control-request-method": "GET" };
    const sent = request({ host: "127.0.0.1", port, method, path, headers, agent: false }).end();
    const [response] = await once(sent, "response");
    response.resume();
    await once(response, "end");
    const allowed = Object.entries(response.headers).filter(
      ([header]) => header === "vary" || header.startsWith("access-control-"),
    );
    found[name] = { status: response.statusCode, ...Object.fromEntries(allowed) };
  }
  return found;
}

/** Asserts that a client can connect by WebSocket, on a worker if the engine is ours. */
async function assertServes(httpServer, engine) {
  const client = connectClient(`http://127.0.0.1:${httpServer.address().port}`);
  await once(client, "connect");
  assertNativeCount(engine, 1);
  client.disconnect();
}

function close(t, io, ...httpServers) {
  t.after(async () => {
    io.close();
    for (const httpServer of httpServers) {
      httpServer.close();
      httpServer.closeAllConnections();
    }
    await noConnectionsLeft();
  });
}

const NOTHING = {
  preflight: { status: 400 },
  handshake: { status: 200 },
  client: { status: 200 },
};
/** The client's file has no headers if the constructor does not have the option. */
const ATTACHED = {
  preflight: {
    status: 204,
    vary: "Origin, Access-Control-Request-Headers",
    "access-control-allow-origin": ORIGIN,
    "access-control-allow-methods": "GET,HEAD,PUT,PATCH,POST,DELETE",
  },
  handshake: { status: 200, vary: "Origin", "access-control-allow-origin": ORIGIN },
  client: { status: 200 },
};
const CONSTRUCTED = { ...ATTACHED, client: ATTACHED.handshake };

const cors = { origin: ORIGIN };

for (const engine of engines) {
  describe(`cors with ${engine.name}`, () => {
    test("of attach() is used", async (t) => {
      const io = new Server(engine.serverOptions());
      const httpServer = createServer();
      close(t, io, httpServer);
      io.attach(httpServer, { cors });
      assert.deepEqual(await answers(httpServer), ATTACHED);
      await assertServes(httpServer, engine);
    });

    test("of listen() is used", async (t) => {
      const io = new Server(engine.serverOptions());
      close(t, io);
      io.listen(0, { cors });
      if (!io.httpServer.listening) await once(io.httpServer, "listening");
      assert.deepEqual(await answers(io.httpServer), ATTACHED);
      await assertServes(io.httpServer, engine);
    });

    test("of the constructor is used, and takes precedence over attach()", async (t) => {
      const io = new Server(engine.serverOptions({ cors }));
      const httpServer = createServer();
      close(t, io, httpServer);
      io.attach(httpServer, { cors: { origin: "https://elsewhere.example" } });
      assert.deepEqual(await answers(httpServer), CONSTRUCTED);
      assert.equal(io.engine.opts.cors, cors);
    });

    test("adds nothing if it is left out", async (t) => {
      const httpServer = createServer();
      const io = new Server(httpServer, engine.serverOptions());
      close(t, io, httpServer);
      assert.deepEqual(await answers(httpServer), NOTHING);
      assert.equal(io.engine.opts.cors, false);
      assert.equal(io.engine.middlewares.length, 0);
      await assertServes(httpServer, engine);
    });

    test("is separate for each of two servers", async (t) => {
      const io = new Server(engine.serverOptions());
      const [first, second] = [createServer(), createServer()];
      close(t, io, first, second);
      io.attach(first);
      io.attach(second, { cors });
      assert.deepEqual(await answers(first), NOTHING);
      assert.deepEqual(await answers(second), ATTACHED);
      await assertServes(first, engine);
    });
  });

  describe(`allowRequest with ${engine.name}`, () => {
    test("of attach() is called, with the engine's options as `this`", async (t) => {
      const io = new Server(engine.serverOptions());
      const httpServer = createServer();
      close(t, io, httpServer);
      const asked = [];
      io.attach(httpServer, {
        allowRequest(_request, answer) {
          asked.push(this);
          answer(null, false);
        },
      });
      assert.equal((await answers(httpServer)).handshake.status, 403);
      assert.deepEqual(asked, [io.engine.opts]);
    });

    test("of the constructor is the program's own function", () => {
      const allowRequest = (_request, answer) => answer(null, true);
      const io = new Server(createServer(), engine.serverOptions({ allowRequest }));
      assert.equal(io.engine.opts.allowRequest, allowRequest);
      io.close();
    });
  });

  test(`a program's own adapter is unchanged, with ${engine.name}`, (t) => {
    const { Adapter } = require("socket.io-adapter");
    class Own extends Adapter {
      static made = 0;
      constructor(nsp) {
        super(nsp);
        Own.made++;
      }
    }
    const io = new Server(createServer(), engine.serverOptions({ adapter: Own }));
    close(t, io);
    io.of("/other");
    assert.equal(Own.made, 2);
    assert.equal(io.of("/").adapter.constructor, Own);
    assert.equal(io.adapter().made, 2);
    class Derived extends io.adapter() {}
    assert.ok(new Derived(io.of("/")) instanceof Own);
    assert.equal(new Derived(io.of("/")).constructor, Derived);
  });
}
