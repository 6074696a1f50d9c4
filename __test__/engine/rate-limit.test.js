"use strict";

/** `rateLimit`: what clients may send, seen by Socket.IO servers, by WebSocket servers and by the clients. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { test } = require("node:test");
const { Server: Engine } = require("engine.io");
const ws = require("ws");
const { createEngine, stats, WebSocketServer } = require("../..");
const { engineNamed, hasNative, noConnectionsLeft } = require("../support/engines.js");
const { polled } = require("../support/observed.js");
const { enter, range } = require("../support/socket-io-client.js");
const { startServer } = require("../support/socket-io-server.js");
const { listen } = require("../support/tcp-server.js");
const { createServer } = require("node:http");

const OPTIONS = { timeout: 30_000, skip: !hasNative };

/** In milliseconds: a window that no test outlasts. */
const NEVER = 600_000;

/** Connects a client to a server with a limit, and keeps what the server gets from it and reports. */
async function start(t, rateLimit, options = {}) {
  const server = await startServer(t, engineNamed("turbo"), { rateLimit, allowEIO3: true });
  return { ...(await connect(server, options)), server };
}

async function connect(server, options) {
  const { client, socket } = await enter(server, options);
  const got = [];
  socket.onAny((...args) => got.push(args));
  const reports = [];
  server.io.engine.on("rate_limit", (report) => {
    if (report.socket === socket.conn) reports.push(report.action);
  });
  return { client, socket, got, reports };
}

const emitAll = (client, numbers) => {
  for (const number of numbers) client.emit("number", number);
};

test(
  "drop: events beyond the limit do not arrive, those with an ack id do, in order",
  OPTIONS,
  async (t) => {
    // The packet that enters the namespace is the first message.
    const { client, socket, got, reports } = await start(t, {
      messages: 4,
      per: NEVER,
      action: "drop",
    });
    const { rateLimitDropped } = stats();
    emitAll(client, range(10));
    const answers = [client.emitWithAck("echo", "a")];
    emitAll(client, range(10));
    answers.push(client.emitWithAck("echo", "b"));
    client.emit("bytes", Buffer.alloc(9), { more: Buffer.alloc(10_000) });
    answers.push(client.emitWithAck("echo", Buffer.from("c")));
    assert.deepEqual(await Promise.all(answers), ["a", "b", Buffer.from("c")]);
    assert.equal(await socket.emitWithAck("fence"), undefined);
    assert.deepEqual(
      got.map(([name, argument]) => (name === "echo" ? String(argument) : argument)),
      [0, 1, 2, "a", "b", "c"],
    );
    assert.deepEqual(reports, ["drop"]);
    assert.equal(stats().rateLimitDropped - rateLimitDropped, 18);
  },
);

test("drop: a window later, events arrive again", OPTIONS, async (t) => {
  const { client, got, reports } = await start(t, { messages: 1, per: 20, action: "drop" });
  await polled(async () => {
    emitAll(client, [1, 2]);
    await client.emitWithAck("echo");
    // In the first window the question may be all that arrives.
    return reports.length > 1 && got.some(([name, number]) => name === "number" && number === 1);
  });
});

test("drop: a flood does not wake JavaScript", OPTIONS, async (t) => {
  // Those of earlier tests may still wake it.
  await noConnectionsLeft();
  const { client, got, reports } = await start(t, { messages: 2, per: NEVER, action: "drop" });
  emitAll(client, [0, 1]);
  await polled(() => reports.length === 1);
  const before = stats();
  emitAll(client, range(5_000));
  await polled(() => stats().rateLimitDropped - before.rateLimitDropped === 5_000);
  const { notifications, messagesIn } = stats();
  assert.equal(notifications, before.notifications);
  assert.equal(messagesIn - before.messagesIn, 5_000);
  assert.deepEqual(got, [["number", 0]]);
});

for (const [name, options] of Object.entries({
  "two versions of the protocol": { connectTo: require("socket.io-client-v2") },
  "an upgrade": { transports: ["polling", "websocket"] },
})) {
  test(`drop: the limit holds with ${name}`, OPTIONS, async (t) => {
    const { client, socket } = await start(
      t,
      { messages: 20, per: NEVER, action: "drop" },
      options,
    );
    if (socket.conn.transport.name !== "websocket") await once(socket.conn, "upgrade");
    const got = [];
    socket.on("bytes", (bytes) => got.push(bytes));
    const { rateLimitDropped } = stats();
    for (let i = 0; i < 40; i++) client.emit("bytes", Buffer.from([i]));
    await new Promise((done) => client.emit("echo", done));
    const dropped = stats().rateLimitDropped - rateLimitDropped;
    assert.equal(dropped, 40 - got.length);
    assert.ok(dropped >= 30, dropped);
    assert.ok(got.length > 0);
    assert.deepEqual(
      got.map(([byte]) => byte),
      range(got.length),
    );
  });
}

test(
  "disconnect: the client sees 1008 and a reason, and JavaScript no more of its messages",
  OPTIONS,
  async (t) => {
    const { client, socket, got, reports } = await start(t, {
      messages: 4,
      per: NEVER,
      action: "disconnect",
    });
    let code;
    socket.conn.transport.socket.prependListener("error", (error) => {
      code = error.code;
    });
    const closed = once(client.io.engine.transport.ws, "close");
    const left = once(socket, "disconnect");
    const { ended } = stats().connections;
    emitAll(client, range(2_000));
    const [closeCode, reason] = await closed;
    assert.deepEqual([closeCode, String(reason)], [1008, "rate limit exceeded"]);
    assert.equal((await left)[0], "transport error");
    assert.deepEqual(
      got,
      [0, 1, 2].map((number) => ["number", number]),
    );
    assert.deepEqual(reports, ["disconnect"]);
    assert.equal(code, "TURBO_ERR_RATE_LIMIT");
    await polled(() => stats().connections.ended.rateLimit === (ended.rateLimit ?? 0) + 1);
  },
);

test("disconnect: a huge message ends the connection by its bytes", OPTIONS, async (t) => {
  const { client, got } = await start(t, { bytes: 100_000, per: NEVER, action: "disconnect" });
  const closed = once(client.io.engine.transport.ws, "close");
  client.emit("huge", "x".repeat(1_000_000));
  assert.equal((await closed)[0], 1008);
  assert.deepEqual(got, []);
});

test("pause: all messages arrive in order, in several windows", OPTIONS, async (t) => {
  const { client, got, reports } = await start(t, { messages: 10, per: 20, action: "pause" });
  const { rateLimitPauses } = stats();
  emitAll(client, range(50));
  client.emit("bytes", Buffer.from("attached"));
  assert.equal(await client.emitWithAck("echo", "last"), "last");
  assert.deepEqual(
    got.slice(0, -2),
    range(50).map((number) => ["number", number]),
  );
  assert.deepEqual(got.at(-2), ["bytes", Buffer.from("attached")]);
  assert.ok(stats().rateLimitPauses > rateLimitPauses);
  assert.ok(reports.length > 0 && reports.every((action) => action === "pause"));
});

test(
  "pause: slows this client only, and the closing handshake does not wait",
  OPTIONS,
  async (t) => {
    const { client, socket, got, reports, server } = await start(t, {
      messages: 10,
      per: NEVER,
      action: "pause",
    });
    emitAll(client, range(1_000));
    await polled(() => reports.length === 1);
    const other = await connect(server);
    assert.equal(await other.client.emitWithAck("echo", "other"), "other");
    assert.equal(got.length, 9);
    const left = once(client, "disconnect");
    socket.disconnect(true);
    assert.deepEqual((await left)[0], "io server disconnect");
    assert.equal(got.length, 9);
  },
);

test("pause: the client is not taken for dead", OPTIONS, async (t) => {
  const server = await startServer(t, engineNamed("turbo"), {
    rateLimit: { messages: 5, per: 4_000, action: "pause" },
    pingInterval: 400,
    pingTimeout: 2_000,
  });
  const { client, socket, got } = await connect(server);
  const reasons = [];
  socket.on("disconnect", (reason) => reasons.push(reason));
  // Its pongs wait behind the events, for longer than either side waits for the other.
  emitAll(client, range(8));
  assert.equal(await client.emitWithAck("echo", "last"), "last");
  assert.equal(got.length, 9);
  assert.deepEqual(reasons, []);
});

test("two servers have limits of their own", OPTIONS, async (t) => {
  const [strict, lax] = [
    await start(t, { messages: 2, per: NEVER, action: "drop" }),
    await start(t, { messages: 6, per: NEVER, action: "drop" }),
  ];
  for (const { client } of [strict, lax]) emitAll(client, range(10));
  await Promise.all([strict, lax].map(({ client }) => client.emitWithAck("echo")));
  const numbers = ({ got }) => got.filter(([name]) => name === "number").length;
  assert.deepEqual([numbers(strict), numbers(lax)], [1, 5]);
});

/** Starts a WebSocket server, and connects a client of ws. */
async function startWebSocketServer(t, rateLimit, clientOptions, serverOptions) {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", rateLimit, ...serverOptions });
  await once(server, "listening");
  t.after(() => server.close());
  const connected = once(server, "connection");
  const client = new ws.WebSocket(`ws://127.0.0.1:${server.address().port}`, clientOptions);
  t.after(() => client.terminate());
  const [[websocket]] = await Promise.all([connected, once(client, "open")]);
  const got = [];
  websocket.on("message", (data) => got.push(String(data)));
  const errors = [];
  websocket.on("error", ({ code }) => errors.push(code));
  const reports = [];
  server.on("rate_limit", (report) => {
    assert.equal(report.websocket, websocket);
    reports.push(report.action);
  });
  return { server, client, websocket, got, errors, reports };
}

test("a WebSocketServer closes a connection by 1008", OPTIONS, async (t) => {
  const limit = { messages: 2, per: NEVER, action: "disconnect" };
  const { client, got, errors, reports } = await startWebSocketServer(t, limit);
  const closed = once(client, "close");
  for (const text of ["2", "3", "4", "5"]) client.send(text);
  const [code, reason] = await closed;
  assert.deepEqual([code, String(reason)], [1008, "rate limit exceeded"]);
  assert.deepEqual([got, errors, reports], [["2", "3"], ["TURBO_ERR_RATE_LIMIT"], ["disconnect"]]);
});

test("compressed messages count by their bytes on the wire", OPTIONS, async (t) => {
  const limit = { bytes: 20_000, per: NEVER, action: "disconnect" };
  const perMessageDeflate = { clientNoContextTakeover: true, serverNoContextTakeover: true };
  const options = [limit, { perMessageDeflate }, { perMessageDeflate }];
  const { client, got } = await startWebSocketServer(t, ...options);
  const text = "x".repeat(1_000_000);
  client.send(text);
  await polled(() => got.length === 1);
  assert.equal(got[0], text);
  const closed = once(client, "close");
  client.send(text, { compress: false });
  assert.equal((await closed)[0], 1008);
});

test("createEngine() alone: the WebSocket server of the engine reports", OPTIONS, async (t) => {
  const rateLimit = { messages: 1, per: NEVER, action: "disconnect" };
  const engine = new Engine({ wsEngine: createEngine({ rateLimit }) });
  const httpServer = createServer();
  engine.attach(httpServer);
  const { port } = await listen(httpServer);
  t.after(() => {
    engine.close();
    httpServer.close();
  });
  const reported = once(engine.ws, "rate_limit");
  const client = new ws.WebSocket(`ws://127.0.0.1:${port}/engine.io/?EIO=4&transport=websocket`);
  await once(client, "open");
  const closed = once(client, "close");
  // Neither is a message, as heartbeats do not count.
  for (const text of ["3", "3", "4a", "4b"]) client.send(text);
  assert.equal((await closed)[0], 1008);
  assert.equal((await reported)[0].action, "disconnect");
});

test("a client that has no namespace yet is reported, too", OPTIONS, async (t) => {
  const rateLimit = { messages: 1, per: NEVER, action: "disconnect" };
  const { io, port } = await startServer(t, engineNamed("turbo"), { rateLimit });
  const connected = once(io.engine, "connection");
  const reported = once(io.engine, "rate_limit");
  const client = new ws.WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`);
  const [[conn]] = await Promise.all([connected, once(client, "open")]);
  client.send("40/nowhere,");
  client.send("40/nowhere,");
  const [{ socket, action }] = await reported;
  assert.equal(socket, conn);
  assert.equal(action, "disconnect");
  await once(client, "close");
});
