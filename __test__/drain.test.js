"use strict";

/**
 * `turbo.drain()`, on stock parts and ours. The clock that it reads stands still unless a test moves
 * it, so that no test depends on how fast the machine is.
 */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const http = require("node:http");
const net = require("node:net");
const { describe, test } = require("node:test");
const { Server } = require("socket.io");
const { SessionAwareAdapter } = require("socket.io-adapter");
const { WebSocket } = require("ws");
const { createAdapter, drain } = require("..");
const { MAX_STEP } = require("../lib/drain.js");
const { describeAdapters, serve } = require("./support/adapter-kinds.js");
const { engines } = require("./support/engines.js");
const { startFixture } = require("./support/fixture-process.js");
const { polled } = require("./support/observed.js");
const clients = require("./support/socket-io-client.js");
const { startServer } = require("./support/socket-io-server.js");

const { POLLING_ONLY, WITH_UPGRADE, enter, enterAll, openClient, range } = clients;

const MIB = 1024 * 1024;
const GUARD = { timeout: 20_000 };
/** In milliseconds of the clock of a test. Clients are told to close until `SPREAD`. */
const WITHIN = 10_000;
const SPREAD = 9000;

const POLLING = "/socket.io/?EIO=4&transport=polling";
const UPGRADE = "/socket.io/?EIO=4&transport=websocket";

/** Puts a clock that stands still in the place of `performance.now()`. */
function stopClock(t) {
  const clock = { now: 0, onRead: () => {} };
  t.mock.method(performance, "now", () => {
    clock.onRead();
    return clock.now;
  });
  return clock;
}

/** Sends an HTTP request. @returns {Promise<http.IncomingMessage & { text: string }>} */
async function request(url, { body, ...options } = {}) {
  const sent = http.request(url, { agent: false, ...options }).end(body);
  const [response] = await once(sent, "response");
  response.text = "";
  for await (const chunk of response.setEncoding("utf8")) response.text += chunk;
  return response;
}

/** Opens a WebSocket. @returns {Promise<http.IncomingMessage>} the answer that refuses it */
async function refusedUpgrade({ origin }, path = UPGRADE) {
  const webSocket = new WebSocket(origin.replace("http", "ws") + path);
  webSocket.on("error", () => {});
  const [, response] = await once(webSocket, "unexpected-response");
  response.resume();
  return response;
}

/** Begins a drain, and keeps what becomes of it in `draining.result`. */
function begin({ io }, options = { within: WITHIN }) {
  const draining = { promise: drain(io, options), result: null };
  draining.promise.then(
    (result) => {
      draining.result = result;
    },
    () => {},
  );
  return draining;
}

/** Returns how many connections a server has that have not been told to close. */
function openCount({ io }) {
  return Object.values(io.engine.clients).filter(({ readyState }) => readyState === "open").length;
}

describeAdapters((kind) => {
  test("closes all clients, which see a closed transport and reconnect", GUARD, async (t) => {
    const clock = stopClock(t);
    const server = await serve(t, kind);
    const entrances = await enterAll(server, 3, { reconnection: true, reconnectionDelay: 1 });
    const ends = entrances.map(async ({ client, socket }) => {
      const retries = once(client.io, "reconnect_attempt");
      const [[reason], [serverReason]] = await Promise.all([
        once(client, "disconnect"),
        once(socket, "disconnect"),
      ]);
      await retries;
      return [reason, serverReason];
    });
    const draining = begin(server);
    clock.now = SPREAD;
    assert.deepEqual(await Promise.all(ends), Array(3).fill(["transport close", "forced close"]));
    assert.deepEqual(await draining.promise, { closed: 3, left: 0 });
  });

  test("sends what waits before it closes", GUARD, async (t) => {
    const clock = stopClock(t);
    const server = await serve(t, kind);
    const { client, socket } = await enter(server);
    const closed = once(client, "disconnect");
    let acknowledged;
    socket.on("question", (answer) => {
      acknowledged = answer;
    });
    client.emit("question", (text) => client.received.push(["answer", text]));
    await polled(() => acknowledged !== undefined);
    begin(server);
    // In the turn of the slice that closes it, so that engine.io keeps all but the first.
    clock.onRead = () => {
      if (clock.now === SPREAD) return;
      for (const number of range(100)) socket.emit("number", number);
      server.io.emit("to all");
      acknowledged("late");
      clock.now = SPREAD;
    };
    await closed;
    const numbers = range(100).map((number) => ["number", number]);
    assert.deepEqual(client.received, [...numbers, ["to all"], ["answer", "late"]]);
  });

  test("closes evenly, and in random order", GUARD, async (t) => {
    const clock = stopClock(t);
    const server = await serve(t, kind);
    const entrances = await enterAll(server, 18);
    const order = [];
    for (const { conn } of entrances.map(({ socket }) => socket.client)) {
      const { close } = conn;
      conn.close = (...args) => {
        order.push(conn.id);
        return close.apply(conn, args);
      };
    }
    const counts = [];
    clock.onRead = () => {
      // The slice at this time comes next.
      clock.now += MAX_STEP;
      counts.push(order.length);
    };
    const draining = begin(server, { within: 1000 });
    await draining.promise;
    // Slices of 50 ms over 900 ms: one client each.
    const slices = counts.slice(0, 19).map((count, index) => count - (counts[index - 1] ?? 0));
    for (const number of slices) assert.ok(number <= 2, `slices of ${slices}`);
    assert.equal(order.length, 18);
    const ids = entrances.map(({ socket }) => socket.conn.id);
    assert.deepEqual(new Set(order), new Set(ids));
    for (const other of [ids, ids.toReversed()]) assert.notDeepEqual(order, other);
  });

  test("keeps sessions for another server, with rooms and missed packets", GUARD, async (t) => {
    const clock = stopClock(t);
    let first;
    // As an adapter that keeps sessions outside of the process.
    class SharedAdapter extends SessionAwareAdapter {
      async restoreSession(pid, offset) {
        const kept = await super.restoreSession(pid, offset);
        return kept ?? first?.io.of(this.nsp.name).adapter.restoreSession(pid, offset);
      }
    }
    const options = {
      connectionStateRecovery: { maxDisconnectionDuration: 60_000 },
      adapter: kind.engine.name === "stock" ? SharedAdapter : createAdapter(SharedAdapter),
    };
    const [drained, other] = [await serve(t, kind, options), await serve(t, kind, options)];
    const { client, socket } = await enter(drained, { reconnection: true, reconnectionDelay: 1 });
    socket.join("room");
    socket.data.name = "kept";
    drained.io.emit("offset");
    await clients.settled({ socket });
    const [{ id }, gone] = [socket, once(client, "disconnect")];
    client.io.uri = other.origin;
    const back = Promise.all([once(other.io, "connection"), once(client, "connect")]);
    first = drained;
    const left = once(socket, "disconnect");
    begin(drained);
    clock.now = SPREAD;
    await left;
    drained.io.to("room").emit("missed");
    await gone;
    const [[restored]] = await back;
    assert.equal(restored.recovered, true);
    assert.equal(restored.id, id);
    assert.deepEqual(restored.rooms, new Set([id, "room"]));
    assert.deepEqual(restored.data, { name: "kept" });
    await polled(() => client.received.length === 2);
    assert.deepEqual(
      client.received.map(([name]) => name),
      ["offset", "missed"],
    );
  });

  test("resolves when io.close() closes all meanwhile", GUARD, async (t) => {
    stopClock(t);
    const server = await serve(t, kind);
    await enterAll(server, 3);
    const draining = begin(server);
    server.io.close();
    assert.deepEqual(await draining.promise, { closed: 3, left: 0 });
  });

  test("counts clients that leave on their own", GUARD, async (t) => {
    const clock = stopClock(t);
    const server = await serve(t, kind);
    const [leaves, stays] = await enterAll(server, 2);
    const draining = begin(server);
    const left = once(leaves.socket, "disconnect");
    leaves.client.disconnect();
    await left;
    assert.equal(stays.socket.connected, true);
    clock.now = SPREAD;
    assert.deepEqual(await draining.promise, { closed: 2, left: 0 });
  });

  test("closes all at once within 0 ms", GUARD, async (t) => {
    stopClock(t);
    const server = await serve(t, kind);
    const entrances = await enterAll(server, 3);
    const ends = entrances.map(({ client }) => once(client, "disconnect"));
    const { closed, left } = await drain(server.io, { within: 0 });
    assert.equal(closed + left, 3);
    assert.equal(openCount(server), 0);
    await Promise.all(ends);
  });

  test("an abort leaves the other clients, and accepts new ones", GUARD, async (t) => {
    const clock = stopClock(t);
    const server = await serve(t, kind);
    const { socket } = await enter(server);
    const listenerCount = () => server.io.engine.listenerCount("connection");
    const before = listenerCount();
    const controller = new AbortController();
    const draining = begin(server, { within: WITHIN, signal: controller.signal });
    const { statusCode } = await request(server.origin + POLLING);
    assert.equal(statusCode, 503);
    controller.abort(new Error("cancelled"));
    await assert.rejects(draining.promise, { message: "cancelled" });
    assert.equal(listenerCount(), before);
    clock.now = WITHIN;
    await enter(server);
    assert.equal(socket.connected, true);
    const { signal } = controller;
    await assert.rejects(drain(server.io, { within: 0, signal }), { message: "cancelled" });
    assert.equal(openCount(server), 2);
    const again = begin(server);
    clock.now += SPREAD;
    assert.deepEqual(await again.promise, { closed: 2, left: 0 });
    assert.equal((await request(server.origin + POLLING)).statusCode, 503);
  });
});

for (const engine of engines) {
  describe(`a drain of ${engine.name}`, () => {
    test("refuses handshakes with 503, in the form of engine.io's errors", GUARD, async (t) => {
      stopClock(t);
      const server = await startServer(t, engine);
      await enter(server);
      const errors = [];
      server.io.engine.on("connection_error", ({ req, ...error }) => errors.push(error));
      begin(server);
      const agent = new http.Agent({ keepAlive: true });
      t.after(() => agent.destroy());
      const ofPage = { origin: "http://a.b" };
      const polling = await request(server.origin + POLLING, { agent, headers: ofPage });
      assert.equal(polling.statusCode, 503);
      const { connection, "retry-after": retryAfter, ...headers } = polling.headers;
      assert.deepEqual([connection, retryAfter], ["close", "1"]);
      assert.equal(headers["content-type"], "application/json");
      // By the middleware of the option `cors`.
      assert.equal(headers["access-control-allow-origin"], "*");
      const message = "The server is draining";
      assert.deepEqual(JSON.parse(polling.text), { code: 4, message });
      const upgrade = await refusedUpgrade(server);
      assert.deepEqual([upgrade.statusCode, upgrade.statusMessage], [503, "Service Unavailable"]);
      assert.equal(upgrade.headers["retry-after"], "1");
      const error = { code: 4, message: "Forbidden", context: { name: "DRAINING", message } };
      assert.deepEqual(errors, [error, error]);
    });

    test("leaves the answer to a server that is not Node's", GUARD, async (t) => {
      stopClock(t);
      const server = await startServer(t, engine);
      await enter(server);
      begin(server);
      // As the server for µWebSockets.js calls it, with objects of its own.
      const handshake = { _query: { transport: "polling" }, headers: {}, method: "GET", res: {} };
      const refusal = await new Promise((done) => {
        server.io.engine.verify(handshake, false, (...args) => done(args));
      });
      assert.deepEqual(refusal, [4, { name: "DRAINING", message: "The server is draining" }]);
    });

    test("has a client try again until it is elsewhere", GUARD, async (t) => {
      stopClock(t);
      const [drained, other] = [await startServer(t, engine), await startServer(t, engine)];
      await enter(drained);
      begin(drained);
      const client = openClient(drained, { reconnection: true, reconnectionDelay: 1 });
      await once(client, "connect_error");
      client.io.uri = other.origin;
      await once(client, "connect");
    });

    test("leaves answers alone that a middleware has given", GUARD, async (t) => {
      stopClock(t);
      const server = await startServer(t, engine);
      await enter(server);
      server.io.engine.use((req, res, next) => {
        if (!req._query.sid) res.writeHead?.(418);
        next();
      });
      begin(server);
      assert.equal((await request(server.origin + POLLING)).statusCode, 418);
    });

    test("serves sessions until their turn, and lets them upgrade", GUARD, async (t) => {
      const clock = stopClock(t);
      const server = await startServer(t, engine);
      const [{ client, socket }, other] = await enterAll(server, 2, POLLING_ONLY);
      const otherEnd = once(other.client, "disconnect");
      const draining = begin(server);
      assert.equal(await client.emitWithAck("echo", "text"), "text");
      const { conn } = socket;
      assert.equal((await request(`${server.origin}${POLLING}&sid=wrong`)).statusCode, 400);
      // By hand, so that the upgrade is under way until the other client is closed.
      const url = `${server.origin.replace("http", "ws")}${UPGRADE}&sid=${conn.id}`;
      const webSocket = new WebSocket(url);
      await once(webSocket, "open");
      webSocket.send("2probe");
      assert.equal(String((await once(webSocket, "message"))[0]), "3probe");
      clock.now = SPREAD;
      await otherEnd;
      assert.equal(conn.readyState, "open");
      webSocket.send("5");
      const [code] = await once(webSocket, "close");
      // A close frame without a code.
      assert.equal(code, 1005);
      assert.deepEqual(await draining.promise, { closed: 2, left: 0 });
    });

    test("closes clients that upgrade meanwhile", GUARD, async (t) => {
      const clock = stopClock(t);
      const server = await startServer(t, engine);
      const connected = once(server.io, "connection");
      const client = openClient(server, WITH_UPGRADE);
      const [[socket]] = await Promise.all([connected, once(client, "connect")]);
      const closed = once(client, "disconnect");
      const draining = begin(server);
      await clients.upgraded(socket);
      clock.now = SPREAD;
      assert.deepEqual(await closed.then(([reason]) => reason), "transport close");
      assert.deepEqual(await draining.promise, { closed: 1, left: 0 });
    });

    test("does not cut a request off that brings packets", GUARD, async (t) => {
      const clock = stopClock(t);
      const server = await startServer(t, engine);
      const [sends, other] = await enterAll(server, 2, POLLING_ONLY);
      const { conn } = sends.socket;
      const otherEnd = once(other.client, "disconnect");
      const end = once(sends.client, "disconnect");
      const event = once(sends.socket, "late");
      const sent = http.request(`${server.origin}${POLLING}&sid=${conn.id}`, {
        agent: false,
        method: "POST",
        headers: { "content-length": 10 },
      });
      sent.write('42["l');
      await polled(() => conn.transport.dataReq || conn.transport.isReceiving);
      const draining = begin(server);
      clock.now = SPREAD;
      await otherEnd;
      assert.equal(conn.readyState, "open");
      sent.end('ate"]');
      await once(sent, "response");
      await event;
      await end;
      assert.deepEqual(await draining.promise, { closed: 2, left: 0 });
    });

    test("closes clients whose handshake had begun before", GUARD, async (t) => {
      const clock = stopClock(t);
      const decisions = [];
      const allowRequest = (_, decide) => decisions.push(() => decide(null, true));
      const server = await startServer(t, engine, { allowRequest });
      const [first, second] = [openClient(server), openClient(server)];
      await polled(() => decisions.length === 2);
      const ends = [first, second].map((client) => once(client.io, "close"));
      const opened = [first, second].map((client) => once(client.io, "open"));
      decisions[0]();
      await polled(() => openCount(server) === 1);
      const draining = begin(server);
      decisions[1]();
      await polled(() => openCount(server) === 2);
      clock.now = SPREAD;
      await Promise.all([...opened, ...ends]);
      assert.deepEqual(await draining.promise, { closed: 2, left: 0 });
    });

    test("closes a client at once whose handshake ends after it", GUARD, async (t) => {
      stopClock(t);
      let decide;
      const allowRequest = (_, callback) => {
        decide = () => callback(null, true);
      };
      const server = await startServer(t, engine, { allowRequest });
      const client = openClient(server);
      await polled(() => decide !== undefined);
      assert.deepEqual(await drain(server.io, { within: WITHIN }), { closed: 0, left: 0 });
      const end = once(client.io, "close");
      decide();
      await end;
    });

    test("tells how many clients are left that do not answer", GUARD, async (t) => {
      const clock = stopClock(t);
      const server = await startServer(t, engine);
      const silent = new WebSocket(server.origin.replace("http", "ws") + UPGRADE);
      await once(silent, "open");
      await polled(() => openCount(server) === 1);
      silent.pause();
      const draining = begin(server);
      clock.now = SPREAD;
      await polled(() => server.io.engine.clientsCount === 0);
      assert.equal(draining.result, null);
      clock.now = WITHIN;
      assert.deepEqual(await draining.promise, { closed: 0, left: 1 });
      silent.terminate();
    });

    test("counts a client as closed that leaves while packets wait for it", GUARD, async (t) => {
      const clock = stopClock(t);
      const server = await startServer(t, engine);
      const leaving = new WebSocket(server.origin.replace("http", "ws") + UPGRADE);
      await once(leaving, "open");
      await polled(() => openCount(server) === 1);
      const [conn] = Object.values(server.io.engine.clients);
      // Never written, and never failed: the end of the WebSocket is the only sign.
      conn.transport.socket.send = () => {};
      for (const text of ["first", "second"]) conn.write(text);
      const draining = begin(server);
      clock.now = SPREAD;
      await polled(() => conn.readyState === "closing");
      leaving.close();
      assert.deepEqual(await draining.promise, { closed: 1, left: 0 });
    });

    test("counts a client as closed that vanishes while packets wait for it", GUARD, async (t) => {
      const clock = stopClock(t);
      const server = await startServer(t, engine);
      const silent = new WebSocket(server.origin.replace("http", "ws") + UPGRADE);
      await once(silent, "open");
      await polled(() => openCount(server) === 1);
      const [conn] = Object.values(server.io.engine.clients);
      silent.pause();
      // More than the kernel takes. engine.io keeps the second until the first is written.
      for (let i = 0; i < 2; i++) conn.write("x".repeat(16 * MIB));
      const draining = begin(server);
      clock.now = SPREAD;
      await polled(() => openCount(server) === 0);
      silent.terminate();
      assert.deepEqual(await draining.promise, { closed: 1, left: 0 });
    });

    test(
      "returns the same promise for the same server, and leaves others alone",
      GUARD,
      async (t) => {
        const clock = stopClock(t);
        const server = await startServer(t, engine);
        const { httpServer } = server;
        const beside = new Server(httpServer, engine.serverOptions({ path: "/beside/" }));
        t.after(() => beside.engine.close());
        const { client } = await enter(server);
        const draining = begin(server);
        assert.equal(drain(server.io, { within: 0 }), draining.promise);
        const other = await enter({ ...server, io: beside }, { path: "/beside/" });
        const end = once(client, "disconnect");
        clock.now = WITHIN;
        await end;
        await draining.promise;
        assert.equal(drain(server.io, { within: 0 }), draining.promise);
        assert.equal(other.socket.connected, true);
        assert.equal((await refusedUpgrade(server)).statusCode, 503);
        await enter({ ...server, io: beside }, { path: "/beside/" });
        assert.equal(openCount({ io: beside }), 2);
      },
    );

    test("lets the process end, though listeners of the application throw", GUARD, async (t) => {
      const { exited, next } = startFixture(t, "drained-server.js", [engine.name]);
      const { origin } = await next();
      const beforeClose = t.after.bind(t);
      const opened = range(5).map(() => openClient({ origin, beforeClose }));
      await Promise.all(opened.map((client) => once(client, "connect")));
      const ends = opened.map((client) => once(client, "disconnect"));
      opened[0].emit("drain");
      for (const [reason] of await Promise.all(ends)) assert.equal(reason, "transport close");
      const { code, reports } = await exited;
      const [, ...others] = reports;
      assert.deepEqual(others, [{ closed: 5, left: 0, thrown: 5 }, { left: [] }]);
      assert.equal(code, 0);
    });

    test("works while the HTTP server has stopped to listen", GUARD, async (t) => {
      const clock = stopClock(t);
      const server = await startServer(t, engine);
      await enterAll(server, 2);
      server.httpServer.close();
      const refused = net.connect(server.port, "127.0.0.1");
      const [{ code }] = await once(refused, "error");
      assert.equal(code, "ECONNREFUSED");
      const draining = begin(server);
      clock.now = SPREAD;
      assert.deepEqual(await draining.promise, { closed: 2, left: 0 });
    });

    test("waits for the end of WebTransport sessions", GUARD, async (t) => {
      const clock = stopClock(t);
      const transports = ["websocket", "webtransport"];
      const server = await startServer(t, engine, { cors: undefined, transports });
      const session = openSession();
      const told = new Promise((resolve) => {
        session.close = resolve;
      });
      await server.io.engine.onWebTransportSession(session);
      const draining = begin(server);
      clock.now = SPREAD;
      await told;
      clock.now = WITHIN;
      assert.deepEqual(await draining.promise, { closed: 0, left: 1 });
    });

    test("closes WebTransport sessions, which it cannot refuse", GUARD, async (t) => {
      const clock = stopClock(t);
      const transports = ["websocket", "webtransport"];
      const server = await startServer(t, engine, { cors: undefined, transports });
      await enter(server);
      const draining = begin(server);
      const session = openSession();
      await server.io.engine.onWebTransportSession(session);
      assert.equal(openCount(server), 2);
      clock.now = SPREAD;
      await session.closed;
      assert.deepEqual(await draining.promise, { closed: 2, left: 0 });
    });
  });
}

/** Makes a WebTransport session as a server sees it, with a client that has sent its handshake. */
function openSession() {
  const handshake = new ReadableStream({
    start: (controller) => controller.enqueue(Buffer.from([1, 0x30])),
  });
  const stream = { readable: handshake, writable: new WritableStream() };
  const session = {
    incomingBidirectionalStreams: new ReadableStream({ start: (all) => all.enqueue(stream) }),
  };
  session.closed = new Promise((resolve) => {
    session.close = resolve;
  });
  return session;
}
