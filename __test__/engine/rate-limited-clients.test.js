"use strict";

/** `rateLimit` for clients that no I/O thread serves: those that poll, and those that are left to ws. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { test } = require("node:test");
const ws = require("ws");
const { stats, WebSocketServer } = require("../..");
const { InputLimiter } = require("../../lib/engine/input-limiter.js");
const { engineNamed, hasNative } = require("../support/engines.js");
const { polled } = require("../support/observed.js");
const { POLLING_ONLY, WITH_UPGRADE, enter, range } = require("../support/socket-io-client.js");
const { startServer } = require("../support/socket-io-server.js");

const GUARD = { timeout: 30_000 };

/** In milliseconds: a window that no test outlasts. */
const NEVER = 600_000;

/** Context takeover leaves a WebSocket to ws. */
const LEFT_TO_WS = { perMessageDeflate: { serverNoContextTakeover: false } };

const V3 = require("socket.io-client-v2");

/** By name: options of the server and of the client. */
const KINDS = {
  "a client that polls": [{}, POLLING_ONLY],
  "a client of Engine.IO v3 that polls": [{}, { ...POLLING_ONLY, connectTo: V3 }],
  "a client that is left to ws": [LEFT_TO_WS, {}],
  "a client of Engine.IO v3 that is left to ws": [LEFT_TO_WS, { connectTo: V3 }],
};

/** Connects a client to a server with a limit, and keeps what the server gets from it and reports. */
async function start(t, rateLimit, [serverOptions, clientOptions]) {
  const options = { rateLimit, allowEIO3: true, ...serverOptions };
  const server = await startServer(t, engineNamed("turbo"), options);
  const { fallback, native } = stats().connections;
  const { client, socket } = await enter(server, clientOptions);
  // Between two polls, engine.io keeps a client that it closes, and the process, for 30 s.
  await polled(() => socket.conn.transport.writable);
  const reports = [];
  server.io.engine.on("rate_limit", (report) => {
    assert.equal(report.socket, socket.conn);
    reports.push(report.action);
  });
  const got = [];
  socket.onAny((...args) => got.push(args));
  if (serverOptions === LEFT_TO_WS && hasNative) {
    const { connections } = stats();
    assert.ok(connections.fallback.contextTakeover > (fallback.contextTakeover ?? 0));
    assert.ok(connections.native <= native);
  }
  return { client, socket, got, reports, server };
}

const emitAll = (client, numbers) => {
  for (const number of numbers) client.emit("number", number);
};

/** Emits an event and waits for its acknowledgement; clients of v2 have no `emitWithAck()`. */
const echo = (client, value) => new Promise((done) => client.emit("echo", value, done));

/** The arguments of the events of a name. */
const argumentsOf = (got, name) => got.filter((each) => each[0] === name).map((each) => each[1]);

for (const [name, kind] of Object.entries(KINDS)) {
  const isV3 = kind[1].connectTo !== undefined;
  // A client of v4 enters its namespace by a message.
  const messages = isV3 ? 3 : 4;

  test(`drop: ${name} keeps its acknowledgements, and its order`, GUARD, async (t) => {
    const limit = { messages, per: NEVER, action: "drop" };
    const { client, got, reports } = await start(t, limit, kind);
    const { rateLimitDropped } = stats();
    emitAll(client, range(10));
    const answers = [echo(client, "a")];
    emitAll(client, range(10));
    client.emit("bytes", Buffer.alloc(9), { more: Buffer.alloc(10_000) });
    answers.push(echo(client, Buffer.from("b")));
    client.emit("bytes", Buffer.alloc(9));
    answers.push(echo(client, "c"));
    assert.deepEqual(await Promise.all(answers), ["a", Buffer.from("b"), "c"]);
    assert.deepEqual(
      got.map(([, argument]) => String(argument)),
      ["0", "1", "2", "a", "b", "c"],
    );
    assert.deepEqual(reports, ["drop"]);
    assert.equal(stats().rateLimitDropped - rateLimitDropped, 19);
  });

  test(`drop: a window later, events of ${name} arrive again`, GUARD, async (t) => {
    const { client, got, reports } = await start(t, { messages: 1, per: 20, action: "drop" }, kind);
    await polled(async () => {
      emitAll(client, [1, 2]);
      await echo(client);
      return reports.length > 1 && argumentsOf(got, "number").includes(1);
    });
  });

  test(`disconnect: ${name} is disconnected, and nothing more arrives`, GUARD, async (t) => {
    const limit = { messages, per: NEVER, action: "disconnect" };
    const { client, socket, got, reports } = await start(t, limit, kind);
    const left = Promise.all([once(socket, "disconnect"), once(client, "disconnect")]);
    emitAll(client, range(2_000));
    const [[reason, details], [clientReason]] = await left;
    assert.equal(reason, "transport error");
    assert.match(String(details), /sends more than rateLimit allows/);
    assert.equal(clientReason, "transport close");
    assert.deepEqual(argumentsOf(got, "number"), range(3));
    assert.deepEqual(reports, ["disconnect"]);
  });

  test(`pause: all messages of ${name} arrive in order, in several windows`, GUARD, async (t) => {
    const limit = { messages: 10, per: 20, action: "pause" };
    const { client, got, reports } = await start(t, limit, kind);
    const { rateLimitPauses } = stats();
    emitAll(client, range(50));
    client.emit("bytes", Buffer.from("attached"));
    assert.equal(await echo(client, "last"), "last");
    assert.deepEqual(argumentsOf(got, "number"), range(50));
    assert.deepEqual(got.at(-2), ["bytes", Buffer.from("attached")]);
    assert.equal(got.length, 52);
    assert.ok(stats().rateLimitPauses > rateLimitPauses);
    assert.ok(reports.length > 0 && reports.every((action) => action === "pause"));
  });

  test(`pause: a message of ${name} that is longer than the limit arrives`, GUARD, async (t) => {
    const limit = { bytes: 10_000, per: 10, action: "pause" };
    const { client, got, reports } = await start(t, limit, kind);
    client.emit("text", "ž".repeat(20_000));
    emitAll(client, range(3));
    await echo(client);
    assert.equal(argumentsOf(got, "text")[0].length, 20_000);
    assert.deepEqual(argumentsOf(got, "number"), range(3));
    assert.ok(reports.length > 0);
  });
}

test("pause: the server can disconnect a client that is left to ws", GUARD, async (t) => {
  const limit = { messages: 4, per: NEVER, action: "pause" };
  const kind = KINDS["a client that is left to ws"];
  const { client, socket, got, reports } = await start(t, limit, kind);
  emitAll(client, range(100));
  await polled(() => reports.length === 1);
  assert.ok(socket.conn.transport.socket.isPaused);
  const left = Promise.all([once(client, "disconnect"), once(socket.conn, "close")]);
  socket.disconnect(true);
  assert.equal((await left)[0][0], "io server disconnect");
  assert.deepEqual(argumentsOf(got, "number"), range(3));
});

test("pause: heartbeats of a client that polls do not wait", GUARD, async (t) => {
  const options = { pingInterval: 50, pingTimeout: 10_000 };
  const limit = { messages: 4, per: NEVER, action: "pause" };
  const { client, socket, reports } = await start(t, limit, [options, POLLING_ONLY]);
  emitAll(client, range(10));
  await polled(() => reports.length === 1);
  for (let i = 0; i < 3; i++) await once(socket.conn, "heartbeat");
  assert.ok(socket.connected);
});

test("pause: what waits for a client that polls is bounded", GUARD, async (t) => {
  const options = { maxHttpBufferSize: 10_000 };
  const limit = { messages: 4, per: NEVER, action: "pause" };
  const { client, socket, got } = await start(t, limit, [options, POLLING_ONLY]);
  const left = Promise.all([once(socket, "disconnect"), once(client, "disconnect")]);
  let sent = 0;
  const flood = setInterval(() => {
    sent += 5_000;
    client.emit("text", "x".repeat(5_000));
  });
  const [[reason]] = await left.finally(() => clearInterval(flood));
  assert.equal(reason, "transport error");
  assert.equal(got.length, 3);
  assert.ok(sent > 1_000_000, `${sent} bytes`);
});

for (const name of ["a client that polls", "a client that is left to ws"]) {
  test(`pause: what ${name} has sent before it leaves arrives`, GUARD, async (t) => {
    const limit = { messages: 5, per: 20, action: "pause" };
    const { client, socket, got } = await start(t, limit, KINDS[name]);
    const left = once(socket, "disconnect");
    const closed = once(socket.conn, "close");
    emitAll(client, range(20));
    client.disconnect();
    assert.equal((await left)[0], "client namespace disconnect");
    assert.deepEqual(argumentsOf(got, "number"), range(20));
    assert.equal((await closed)[0], "transport close");
  });
}

for (const [name, options] of [
  ["native", {}],
  ["left to ws", LEFT_TO_WS],
]) {
  test(`pause: what waits when a client upgrades stays in front (${name})`, GUARD, async (t) => {
    const limit = { messages: 8, per: 60, action: "pause" };
    const { client, socket, got, reports } = await start(t, limit, [options, WITH_UPGRADE]);
    emitAll(client, range(60));
    if (socket.conn.transport.name !== "websocket") await once(socket.conn, "upgrade");
    emitAll(client, range(20, 60));
    assert.equal(await echo(client, "last"), "last");
    assert.deepEqual(argumentsOf(got, "number"), range(80));
    assert.ok(reports.length > 1);
    if (name === "native" && hasNative) assert.ok(stats().connections.native > 0);
    assert.equal(socket.conn.transport.name, "websocket");
  });
}

test("disconnect: a WebSocket that is left to ws closes by 1008", GUARD, async (t) => {
  const limit = { messages: 4, per: NEVER, action: "disconnect" };
  const { client, socket } = await start(t, limit, KINDS["a client that is left to ws"]);
  let code;
  socket.conn.transport.socket.prependListener("error", (error) => {
    code = error.code;
  });
  const closed = once(client.io.engine.transport.ws, "close");
  emitAll(client, range(20));
  const [closeCode, reason] = await closed;
  assert.deepEqual([closeCode, String(reason)], [1008, "rate limit exceeded"]);
  assert.equal(code, "TURBO_ERR_RATE_LIMIT");
});

/** Makes a WebTransport session as a server sees it; `sendPacket()` sends as its client. */
function openSession() {
  let sendPacket;
  const readable = new ReadableStream({
    start: (controller) => {
      sendPacket = (packet) => {
        controller.enqueue(Buffer.from([packet.length, ...Buffer.from(packet)]));
      };
    },
  });
  sendPacket("0");
  const stream = { readable, writable: new WritableStream() };
  const session = {
    sendPacket,
    incomingBidirectionalStreams: new ReadableStream({ start: (all) => all.enqueue(stream) }),
  };
  session.closed = new Promise((resolve) => {
    session.close = resolve;
  });
  return session;
}

test("disconnect: a session of WebTransport ends", GUARD, async (t) => {
  const options = { cors: undefined, transports: ["webtransport"] };
  const rateLimit = { messages: 2, per: NEVER, action: "disconnect" };
  const { io } = await startServer(t, engineNamed("turbo"), { rateLimit, ...options });
  const reported = once(io.engine, "rate_limit");
  const connected = once(io, "connection");
  const session = openSession();
  await io.engine.onWebTransportSession(session);
  session.sendPacket("40");
  const [socket] = await connected;
  const got = [];
  socket.onAny((...args) => got.push(args));
  const left = once(socket, "disconnect");
  for (const packet of ['42["a"]', '42["b"]', '42["c"]']) session.sendPacket(packet);
  assert.deepEqual(await reported, [{ socket: socket.conn, action: "disconnect" }]);
  assert.equal((await left)[0], "transport error");
  await session.closed;
  assert.deepEqual(got, [["a"]]);
});

test("only well-formed events without ack id are dropped", () => {
  const isDropped = (packet) => {
    let isDelivered = false;
    const limiter = new InputLimiter(
      { messages: 0, bytes: Infinity, per: NEVER, action: "drop" },
      0,
      {
        deliver: () => {
          isDelivered = true;
        },
        report: () => {},
      },
    );
    const isAttachment = false;
    limiter.receive({ item: packet, bytes: 1, packet, isAttachment, isHeartbeat: false });
    return !isDelivered;
  };
  const attached = '["a",{"_placeholder":true,"num":0}]';
  const dropped = ['2["a"]', '2/chat,["a"]', '2/chat?a=7,["a"]', "2[", `51-${attached}`];
  assert.deepEqual(dropped.filter(isDropped), dropped);
  const events = ['27["a"]', '2/chat,7["a"]', `51-7${attached}`, `5${attached}`, `5x-${attached}`];
  const malformed = ["2", "2{}", "2/chat", "2 7[]", "5[]", "5-[]", "599999999999999999999-[]", ""];
  const others = [null, '3["a"]', "31[]", "0", "0/chat,{}", "1", "4{}", "61-[]"];
  assert.deepEqual([...events, ...malformed, ...others].filter(isDropped), []);
});

/** Starts a WebSocket server that leaves its connections to ws, and connects a client of ws. */
async function startWebSocketServer(t, rateLimit) {
  const options = { port: 0, host: "127.0.0.1", rateLimit, allowSynchronousEvents: false };
  const server = new WebSocketServer(options);
  await once(server, "listening");
  t.after(() => server.close());
  const connected = once(server, "connection");
  const client = new ws.WebSocket(`ws://127.0.0.1:${server.address().port}`);
  t.after(() => client.terminate());
  const [[websocket]] = await Promise.all([connected, once(client, "open")]);
  const got = [];
  websocket.on("message", (data, isBinary) => got.push([String(data), isBinary]));
  const errors = [];
  websocket.on("error", ({ code }) => errors.push(code));
  const reports = [];
  server.on("rate_limit", (report) => {
    assert.equal(report.websocket, websocket);
    reports.push(report.action);
  });
  return { client, websocket, got, errors, reports };
}

test("a WebSocketServer limits what is left to ws", GUARD, async (t) => {
  const limit = { messages: 2, per: NEVER, action: "disconnect" };
  const { client, got, errors, reports } = await startWebSocketServer(t, limit);
  const closed = once(client, "close");
  client.send("2");
  for (const text of ["3", "4", "5"]) client.send(Buffer.from(text));
  assert.equal((await closed)[0], 1008);
  assert.deepEqual(got, [
    ["2", false],
    ["3", true],
  ]);
  assert.deepEqual([errors, reports], [["TURBO_ERR_RATE_LIMIT"], ["disconnect"]]);
});

test("a WebSocketServer pauses what is left to ws, until it is closed", GUARD, async (t) => {
  const limit = { messages: 2, per: NEVER, action: "pause" };
  const { client, websocket, got, reports } = await startWebSocketServer(t, limit);
  for (const number of range(10)) client.send(String(number));
  await polled(() => reports.length === 1);
  assert.ok(websocket.isPaused);
  const closed = Promise.all([once(client, "close"), once(websocket, "close")]);
  websocket.close(4000);
  assert.deepEqual(
    (await closed).map(([code]) => code),
    [4000, 4000],
  );
  assert.deepEqual(
    got.map(([text]) => text),
    ["0", "1"],
  );
});
