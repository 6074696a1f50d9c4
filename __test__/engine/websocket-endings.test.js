"use strict";

/** The end of a connection: it affects no other, and all callbacks are called. */

const assert = require("node:assert/strict");
const { AsyncLocalStorage } = require("node:async_hooks");
const { once } = require("node:events");
const { openAsBlob } = require("node:fs");
const { createServer } = require("node:http");
const net = require("node:net");
const { Readable } = require("node:stream");
const { pipeline } = require("node:stream/promises");
const { test } = require("node:test");
const { createWebSocketStream } = require("ws");
const { listen } = require("../support/tcp-server.js");
const { upgradeRequest } = require("../support/websocket/client.js");
const { connect, connectPair, startServer } = require("../support/websocket/pair.js");
const { describeServers } = require("../support/websocket/servers.js");

const GUARD = { timeout: 30_000 };
const MIB = 1024 * 1024;

/** Keeps JavaScript busy, so that events of the meantime arrive together. */
function block(milliseconds) {
  const end = Date.now() + milliseconds;
  while (Date.now() < end);
}

/** Resolves with the argument of the callback of a send. */
function sent(send) {
  return new Promise((resolve) => send((error) => resolve(error)));
}

describeServers("a WebSocket that has ended", (kind) => {
  test("keeps its id until its close event", GUARD, async (t) => {
    const httpServer = createServer();
    const server = new kind.WebSocketServer({ noServer: true });
    t.after(() => httpServer.close());
    const waiting = [];
    const closed = [];
    const received = [];
    let open = 0;
    function accept(request, socket, head) {
      open++;
      server.handleUpgrade(request, socket, head, (websocket) => {
        websocket.on("message", (message) => received.push([request.url, String(message)]));
        websocket.on("close", () => {
          closed.push(request.url);
          open--;
          // A client that has waited is accepted while others are ending.
          if (waiting.length > 0) accept(...waiting.shift());
        });
        server.emit("connection", websocket, request);
      });
    }
    httpServer.on("upgrade", (...upgrade) => {
      if (open < 2) accept(...upgrade);
      else waiting.push(upgrade);
    });
    const url = `ws://127.0.0.1:${(await listen(httpServer)).port}`;
    const first = await connect(t, server, { url: `${url}/1` });
    const second = await connect(t, server, { url: `${url}/2` });
    const third = connect(t, server, { url: `${url}/3` });
    if (waiting.length === 0) await once(httpServer, "upgrade");
    first.client.terminate();
    second.client.terminate();
    block(100);
    const { client, socket } = await third;
    client.send("hello");
    await once(socket, "message");
    assert.deepEqual(closed.sort(), ["/1", "/2"]);
    assert.deepEqual(received, [["/3", "hello"]]);
  });

  test("sends nothing to the next client", GUARD, async (t) => {
    const { server, client, socket } = await connectPair(t, kind);
    const sender = socket._sender;
    const blob = sent((callback) => {
      openAsBlob(__filename).then((file) => {
        socket.send(file, callback);
        socket.send("meant for the first", () => {});
      });
    });
    client.terminate();
    await Promise.all([once(socket, "close"), blob]);
    const next = await connect(t, server);
    // ws writes the frame to the socket, which is destroyed.
    const error = await sent((callback) => sender.sendFrame([Buffer.from("\x81\x01A")], callback));
    assert.ok(error instanceof Error);
    next.socket.send("meant for the second");
    await once(next.client, "message");
    assert.deepEqual(next.client.messages.map(String), ["meant for the second,false"]);
  });

  test("calls back to a send in the callback of a send that failed", GUARD, async (t) => {
    const { client, socket } = await connectPair(t, kind);
    client.pause();
    const second = new Promise((resolve) => {
      socket.send(Buffer.alloc(32 * MIB), () => socket.send("again", resolve));
    });
    client._socket.resetAndDestroy();
    assert.ok((await second) instanceof Error);
  });

  test("ends a stream that was created of it", GUARD, async (t) => {
    const { client, socket } = await connectPair(t, kind);
    const received = [];
    client.on("message", (message) => received.push(String(message)));
    await pipeline(Readable.from(["one", "two"]), createWebSocketStream(socket));
    assert.deepEqual(received, ["one", "two"]);
  });

  test("has answered a client that sent a message and ended its side", GUARD, async (t) => {
    const server = await startServer(t, kind);
    server.on("connection", (websocket) => {
      websocket.on("message", (question) => {
        process.nextTick(() => websocket.send(`answer to ${question}`));
      });
    });
    const socket = net.connect({ port: server.address().port, allowHalfOpen: true });
    t.after(() => socket.destroy());
    socket.write(upgradeRequest());
    await once(socket, "data");
    socket.end(Buffer.from("\x81\x84\0\0\0\0ping", "latin1"));
    const [answer] = await once(socket, "data");
    assert.equal(String(answer.subarray(2)), "answer to ping");
  });
});

describeServers("a WebSocket", (kind) => {
  test(
    "emits events in the context of no request, and callbacks in that of their sender",
    GUARD,
    async (t) => {
      const context = new AsyncLocalStorage();
      const httpServer = createServer();
      const server = new kind.WebSocketServer({ noServer: true });
      t.after(() => httpServer.close());
      httpServer.on("upgrade", (request, socket, head) => {
        context.run(request.url, () => {
          server.handleUpgrade(request, socket, head, (websocket) => {
            server.emit("connection", websocket, request);
          });
        });
      });
      const { port } = await listen(httpServer);
      for (const path of ["/alice", "/bob"]) {
        const url = `ws://127.0.0.1:${port}${path}`;
        const { client, socket } = await connect(t, server, { url });
        const seen = new Promise((resolve) => {
          socket.on("message", () => {
            const inMessage = context.getStore();
            const bytes = path === "/alice" ? 1 : 4 * MIB;
            context.run("sender", () => {
              socket.send(Buffer.alloc(bytes), () => resolve([inMessage, context.getStore()]));
            });
          });
        });
        client.send("who am I?");
        assert.deepEqual(await seen, [undefined, "sender"]);
      }
    },
  );

  test("sends while a test tool has stopped the timers", GUARD, async (t) => {
    const { client, socket } = await connectPair(t, kind);
    const { nextTick } = process;
    const { setImmediate } = globalThis;
    t.after(() => Object.assign(globalThis, { setImmediate }));
    process.nextTick = () => {};
    globalThis.setImmediate = () => {};
    socket.send("one");
    process.nextTick = nextTick;
    globalThis.setImmediate = setImmediate;
    socket.send("two");
    while (client.messages.length < 2) await once(client, "message");
    assert.deepEqual(client.messages.map(String), ["one,false", "two,false"]);
  });

  test("sends one message of any length to a client that reads", GUARD, async (t) => {
    const { client, socket } = await connectPair(t, kind, { maxBackpressure: MIB });
    socket.send(Buffer.alloc(16 * MIB));
    assert.equal((await once(client, "message"))[0].length, 16 * MIB);
  });
});
