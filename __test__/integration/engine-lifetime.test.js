"use strict";

/** The end of processes and servers with connections, and the data that peers receive before it. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { createServer } = require("node:http");
const { describe, test } = require("node:test");
const { engines } = require("../support/engines.js");
const { startFixture } = require("../support/fixture-process.js");
const { polled } = require("../support/observed.js");
const { connectClient } = require("../support/socket-io-client.js");
const { startServer } = require("../support/socket-io-server.js");
const { connectionsOf, listen } = require("../support/tcp-server.js");
const { openClient } = require("../support/websocket/pair.js");

const GUARD = { timeout: 120_000 };
const MIB = 1024 * 1024;
const WORKER_ROUNDS = "20";

async function openedWebSocket(t, port) {
  const webSocket = openClient(t, `ws://127.0.0.1:${port}/`);
  await once(webSocket, "open");
  return webSocket;
}

/** Sends text and returns the next message. */
async function ask(webSocket, text) {
  const answer = once(webSocket, "message");
  webSocket.send(text);
  return String((await answer)[0]);
}

/** Starts a fixture and waits until it listens. */
async function startListening(t, name, args) {
  const fixture = startFixture(t, name, args);
  const { port } = await fixture.next();
  return { ...fixture, port };
}

/** Connects a client of Socket.IO, which keeps the arguments of `news`. */
async function connect(t, port) {
  const client = connectClient(`http://127.0.0.1:${port}/`);
  t.after(() => client.disconnect());
  client.news = [];
  client.on("news", (...args) => client.news.push(args));
  await once(client, "connect");
  return client;
}

for (const engine of engines) {
  const { name: engineName } = engine;

  describe(`a process with ${engineName}`, () => {
    test("ends by itself when its servers are closed and have no connections", GUARD, async (t) => {
      const { exited } = startFixture(t, "unused-servers.js", [engineName]);
      const { code, reports } = await exited;
      assert.equal(code, 0);
      assert.deepEqual(reports.at(-1), { left: [] });
    });

    test("lives as long as its connections, and ends by itself after them", GUARD, async (t) => {
      const { port, next, exited } = await startListening(t, "websocket-server.js", [engineName]);
      const [first, second] = [await openedWebSocket(t, port), await openedWebSocket(t, port)];
      first.send("close");
      assert.equal(await ask(second, "one"), "echo one");
      assert.equal(await ask(first, "two"), "echo two");
      first.close();
      await once(first, "close");
      assert.equal(await ask(second, "three"), "echo three");
      second.terminate();
      assert.deepEqual(await next(), { closed: true });
      const { code, reports } = await exited;
      assert.equal(code, 0);
      assert.deepEqual(reports.at(-1), { left: [] });
    });

    test("sends the messages of webSocket.send() before process.exit()", GUARD, async (t) => {
      const { port, exited } = await startListening(t, "websocket-server.js", [engineName]);
      const webSocket = await openedWebSocket(t, port);
      const closed = once(webSocket, "close");
      webSocket.send("exit");
      const [code] = await closed;
      assert.equal(code, 1006);
      const [bytes] = webSocket.messages.pop();
      assert.deepEqual(
        textsOf(webSocket),
        Array.from({ length: 20 }, (_, i) => `${i}`),
      );
      assert.ok(bytes.equals(Buffer.alloc(16 * 1024, "bytes")));
      assert.equal((await exited).code, 7);
    });

    test("sends the events of socket.emit() before process.exit()", GUARD, async (t) => {
      const { port, exited } = await startListening(t, "socket-io-server.js", [engineName]);
      const client = await connect(t, port);
      const disconnected = once(client, "disconnect");
      client.emit("exit");
      assert.equal((await disconnected)[0], "transport close");
      assert.deepEqual(client.news, [["last words"]]);
      assert.equal((await exited).code, 7);
    });

    for (const [size, bytes] of [
      ["little", 10],
      ["more than the system's buffers hold", 8 * MIB],
    ]) {
      test(`sends all that is queued before io.close(), ${size}, and ends`, GUARD, async (t) => {
        const { port, exited } = await startListening(t, "socket-io-server.js", [engineName]);
        const client = await connect(t, port);
        const closeFrame = once(client.io.engine.transport.ws, "close");
        const disconnected = once(client, "disconnect");
        client.emit("close", bytes);
        assert.equal((await disconnected)[0], "transport close");
        // RFC 6455 §7.1.5: a close frame came, and had no code.
        assert.equal((await closeFrame)[0], 1005);
        const big = client.news.pop();
        const numbered = Array.from({ length: 10 }, (_, i) => [i, Buffer.from("bytes")]);
        assert.deepEqual(client.news, [...numbered, ["for all"]]);
        assert.ok(big[0].equals(Buffer.alloc(bytes, "bytes")));
        const { code, reports } = await exited;
        assert.equal(code, 0);
        assert.deepEqual(reports.slice(-2), [{ closed: true }, { left: [] }]);
      });
    }

    test("loses no event to an exception in the listener of another", GUARD, async (t) => {
      const { port } = await startListening(t, "socket-io-server.js", [engineName]);
      const client = await connect(t, port);
      const numbers = Array.from({ length: 200 }, (_, i) => i);
      for (const number of numbers) client.emit("number", number);
      assert.deepEqual(
        await client.emitWithAck("numbers"),
        numbers.filter((number) => number % 10 !== 0),
      );
    });

    test("loses no message of others to an exception in a listener", GUARD, async (t) => {
      const { port } = await startListening(t, "websocket-server.js", [engineName]);
      const good = await openedWebSocket(t, port);
      const expected = [];
      for (let i = 0; i < 50; i++) {
        if (i % 10 === 0) (await openedWebSocket(t, port)).send("throw");
        good.send(`${i}`);
        expected.push(`echo ${i}`);
      }
      while (good.messages.length < expected.length) await once(good, "message");
      assert.deepEqual(textsOf(good), expected);
    });

    test("survives worker threads that end with live connections", GUARD, async (t) => {
      const args = [engineName, WORKER_ROUNDS];
      const { exited } = startFixture(t, "terminated-workers.js", args);
      const { code, signal, reports } = await exited;
      const [{ seed }, { before, after }] = reports;
      assert.deepEqual([code, signal], [0, null], `SEED=${seed}`);
      const left = `${before.join(" ")} became ${after.join(" ")}`;
      assert.ok(after.length <= before.length, `descriptors: ${left}, SEED=${seed}`);
    });

    test("of a cluster can be killed without harm to the others", GUARD, async (t) => {
      const { port, next } = await startListening(t, "cluster-servers.js", [engineName]);
      await next();
      const clients = await openedClients(t, port, 10);
      const victim = clients[0].pid;
      const gone = clients.filter(({ pid }) => pid === victim);
      const others = clients.filter(({ pid }) => pid !== victim);
      assert.ok(others.length > 0);
      const closed = gone.map(({ webSocket }) => once(webSocket, "close"));
      gone[0].webSocket.send("die");
      for (const [code] of await Promise.all(closed)) assert.equal(code, 1006);
      for (const { webSocket } of others) assert.equal(await ask(webSocket, "you?"), "you?");
      const { pid: replacement } = await next();
      const newcomers = await openedClients(t, port, 10);
      assert.ok(newcomers.some(({ pid }) => pid === replacement));
      for (const { webSocket } of [...others, ...newcomers]) {
        assert.equal(await ask(webSocket, "still?"), "still?");
      }
    });
  });

  describe(`in one process, ${engineName}`, () => {
    test("serves several servers, each of which closes alone", GUARD, async (t) => {
      const servers = await Promise.all([1, 2, 3].map(() => startServer(t, engine)));
      const clients = await Promise.all(servers.map(({ port }) => connect(t, port)));
      const echo = (client) => client.emitWithAck("echo", Buffer.from("bytes"));
      for (const client of clients) assert.deepEqual(await echo(client), Buffer.from("bytes"));
      while (servers.length > 0) {
        const gone = once(clients.shift(), "disconnect");
        await servers.shift().io.close();
        assert.equal((await gone)[0], "transport close");
        for (const client of clients) assert.deepEqual(await echo(client), Buffer.from("bytes"));
      }
    });

    test("counts a connection for the HTTP server until it ends", GUARD, async (t) => {
      const { httpServer, server, port } = await startWebSocketServer(t, engine);
      const first = await openedWebSocket(t, port);
      const second = await openedWebSocket(t, port);
      assert.equal(await ask(first, "echo"), "echo");
      assert.equal(await connectionsOf(httpServer), 2);
      first.close();
      await once(first, "close");
      await polled(async () => (await connectionsOf(httpServer)) === 1);
      let isClosed = false;
      const closed = once(httpServer, "close").then(() => {
        isClosed = true;
      });
      httpServer.close();
      assert.equal(await ask(second, "echo"), "echo");
      assert.equal(isClosed, false);
      for (const webSocket of server.clients) webSocket.terminate();
      await closed;
      assert.equal(await connectionsOf(httpServer), 0);
    });
  });
}

/** Opens clients; `pid` is the process of the cluster that serves a client. */
function openedClients(t, port, count) {
  const open = async () => {
    const webSocket = openClient(t, `ws://127.0.0.1:${port}/`);
    const [pid] = await once(webSocket, "message");
    return { webSocket, pid: Number(pid) };
  };
  return Promise.all(Array.from({ length: count }, open));
}

const textsOf = ({ messages }) => messages.map(([data]) => String(data));

/** Starts a WebSocket server that echoes, on an HTTP server. */
async function startWebSocketServer(t, engine) {
  const httpServer = createServer();
  const server = new engine.WebSocketServer({ server: httpServer });
  server.on("connection", (webSocket) => {
    webSocket.on("message", (data) => webSocket.send(String(data)));
  });
  t.after(() => httpServer.close());
  const { port } = await listen(httpServer);
  return { httpServer, server, port };
}
