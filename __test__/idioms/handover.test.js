"use strict";

/** Programs that give the socket of a connection to another protocol, process or thread. */

const assert = require("node:assert/strict");
const { fork, spawn } = require("node:child_process");
const { once } = require("node:events");
const http = require("node:http");
const http2 = require("node:http2");
const path = require("node:path");
const { describe, test } = require("node:test");
const { setImmediate: nextTurn } = require("node:timers/promises");
const tls = require("node:tls");
const { MessageChannel } = require("node:worker_threads");
const { connectionCounts, engines, hasNative } = require("../support/engines.js");
const { HANG_GUARD } = require("../support/observed.js");
const { assertNative } = require("./members/programs.js");
const { enter } = require("../support/socket-io-client.js");
const { startServer } = require("../support/socket-io-server.js");
const { connectionsOf } = require("../support/tcp-server.js");

const RECEIVER = path.join(__dirname, "../fixtures/socket-receiver.js");
const GUARD = { timeout: HANG_GUARD };

/** Connects a client to a server of its own; `tcp` is the server's `net.Socket`. */
async function connect(t, engine) {
  const server = await startServer(t, engine);
  const { fallback } = connectionCounts();
  const { client, socket } = await enter(server);
  assertNative(fallback);
  return { client, socket, tcp: socket.request.socket, httpServer: server.httpServer };
}

/** Asserts that an event and its acknowledgement pass over the connection. */
async function assertServed({ client }) {
  assert.equal(await client.emitWithAck("echo", "still there"), "still there");
}

function startReceiver(t) {
  const receiver = fork(RECEIVER);
  t.after(() => receiver.kill());
  return receiver;
}

/** Asserts that ours refuses to give the connection away, with the reason. */
function assertRefused(give, expected = { code: "TURBO_ERR_NOT_POSSIBLE" }) {
  assert.throws(give, expected);
}

for (const engine of engines) {
  const isOurs = engine.name === "turbo" && hasNative;

  describe(`a socket that is handed over (${engine.name})`, () => {
    test("process.send()", GUARD, async (t) => {
      const connection = await connect(t, engine);
      const receiver = startReceiver(t);
      if (!isOurs) {
        receiver.send("take", connection.tcp);
        const [report] = await once(receiver, "message");
        assert.deepEqual(report, { message: "take", hasSocket: true });
        return;
      }
      assertRefused(() => receiver.send("take", connection.tcp));
      await assertServed(connection);
      assert.equal(await connectionsOf(connection.httpServer), 1);
      // The channel is as it was.
      receiver.send("go on");
      const [report] = await once(receiver, "message");
      assert.deepEqual(report, { message: "go on", hasSocket: false });
    });

    test("process.send() with keepOpen", GUARD, async (t) => {
      const connection = await connect(t, engine);
      const receiver = startReceiver(t);
      // Otherwise the server waits for the other process when it closes, even if nothing was sent.
      connection.tcp.server = null;
      const sent = new Promise((resolve) => {
        receiver.send("take", connection.tcp, { keepOpen: true }, resolve);
      });
      if (!isOurs) {
        assert.equal(await sent, null);
        return;
      }
      assert.match((await sent).message, /^write E/);
      await assertServed(connection);
    });

    test("the standard streams of a process", GUARD, async (t) => {
      const connection = await connect(t, engine);
      const start = () => spawn(process.execPath, ["-e", "0"], { stdio: [connection.tcp] });
      if (!isOurs) {
        await once(start(), "exit");
        connection.tcp.destroy();
        return;
      }
      assertRefused(start, { code: "ERR_INVALID_ARG_VALUE" });
      await assertServed(connection);
    });

    test("new TLSSocket()", GUARD, async (t) => {
      const connection = await connect(t, engine);
      const wrap = () => new tls.TLSSocket(connection.tcp, { isServer: true });
      if (!isOurs) {
        wrap()
          .on("error", () => {})
          .destroy();
        return;
      }
      assertRefused(wrap);
      await assertServed(connection);
    });

    test("an HTTP/2 server", GUARD, async (t) => {
      const connection = await connect(t, engine);
      const give = () => http2.createServer().emit("connection", connection.tcp);
      if (!isOurs) {
        give();
        connection.tcp.destroy();
        return;
      }
      assertRefused(give);
      await assertServed(connection);
    });

    test("another HTTP server, which reads frames where a request should be", GUARD, async (t) => {
      const { client, tcp } = await connect(t, engine);
      const server = http.createServer();
      const refused = once(server, "clientError");
      const disconnected = once(client, "disconnect");
      server.emit("connection", tcp);
      let isRefused = false;
      server.once("clientError", () => {
        isRefused = true;
      });
      // Bytes that a worker has read before it knows of the listener go to the WebSocket only.
      while (!isRefused) {
        client.emit("echo", "no request", () => {});
        await nextTurn();
      }
      const [error, socket] = await refused;
      assert.match(error.code, /^HPE_/);
      assert.equal(socket, tcp);
      socket.destroy();
      await disconnected;
    });

    test("postMessage(), as a copy or in the transfer list", GUARD, async (t) => {
      const connection = await connect(t, engine);
      const { port1 } = new MessageChannel();
      t.after(() => port1.close());
      assert.throws(() => port1.postMessage(connection.tcp));
      assert.throws(() => port1.postMessage(connection.tcp, [connection.tcp]));
      assert.throws(() => structuredClone(connection.tcp));
      await assertServed(connection);
    });
  });
}
