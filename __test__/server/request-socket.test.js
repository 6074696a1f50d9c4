"use strict";

/**
 * Programs that use the `net.Socket`, and the WebSocket, of a connection of `createServer()`. Node.js has never
 * had the connection; both are made when the program asks for them.
 */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { IncomingMessage, createServer } = require("node:http");
const { test } = require("node:test");
const { Server } = require("socket.io");
const { io: connectClient } = require("socket.io-client");
const { turbo } = require("../..");
const { engines, hasNative } = require("../support/engines.js");
const { polled } = require("../support/observed.js");
const { openClient } = require("../support/websocket/pair.js");
const { NET_SOCKET_ENDINGS, WEBSOCKET_ENDINGS } = require("../idioms/members/endings.js");
const { NET_SOCKET } = require("../idioms/members/net-socket.js");
const { testPrograms } = require("../idioms/members/programs.js");
const { WEBSOCKET } = require("../idioms/members/websocket.js");

const ours = engines.at(-1);

/** No heartbeat comes in between. */
const OPTIONS = {
  pingInterval: 1e8,
  maxHttpBufferSize: 1e8,
  transports: ["websocket"],
  serveClient: false,
};

/** Starts a Socket.IO server. */
async function startServer(t, engine, options = {}) {
  const server = engine === ours ? turbo.createServer() : createServer();
  const io = new Server(server, engine.serverOptions({ ...OPTIONS, ...options }));
  t.after(() => io.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, io, port: server.address().port };
}

/** Asserts that Node.js has not made the request of a connection of ours. */
function assertLean(engine, request) {
  const isOfNode = Object.getPrototypeOf(request) === IncomingMessage.prototype;
  assert.equal(isOfNode, engine !== ours || !hasNative);
}

/**
 * Connects a client to a Socket.IO server, whose layers do not see the messages any more: programs send some that
 * are no packets.
 */
async function sessionStage(t, engine, { serverOptions } = {}) {
  let socket;
  // Before the server: it closes its clients, and one whose socket nobody reads does not answer in 30 s.
  t.after(() => socket?.terminate());
  const { server, io, port } = await startServer(t, engine, forEngine(serverOptions));
  const url = `ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`;
  const connected = once(io.engine, "connection");
  const client = openClient(t, url);
  const [[conn]] = await Promise.all([connected, once(client, "message")]);
  client.messages.length = 0;
  assertLean(engine, conn.request);
  const tcp = conn.request.socket;
  ({ socket } = conn.transport);
  socket.removeAllListeners("message");
  return { client, socket, server, tcp };
}

/** Returns the options of ws as engine.io takes them. */
function forEngine({ maxPayload, perMessageDeflate } = {}) {
  const options = {};
  if (maxPayload !== undefined) options.maxHttpBufferSize = maxPayload;
  if (perMessageDeflate !== undefined) options.perMessageDeflate = perMessageDeflate;
  return options;
}

testPrograms("the net.Socket of a connection that a worker has accepted", NET_SOCKET, sessionStage);
testPrograms("such a net.Socket, at its end", NET_SOCKET_ENDINGS, sessionStage);
testPrograms("the WebSocket of a connection that a worker has accepted", WEBSOCKET, sessionStage);
testPrograms("such a WebSocket, at its end", WEBSOCKET_ENDINGS, sessionStage);

/** Runs a program on a Socket.IO socket of each engine, and asserts that it returns the same. */
function testSockets(title, program, options) {
  test(title, async (t) => {
    const results = [];
    for (const engine of engines) {
      const { io, port, server } = await startServer(t, engine, options?.());
      const client = connectClient(`http://127.0.0.1:${port}`, {
        transports: ["websocket"],
        extraHeaders: { cookie: "session=s1; theme=dark", "Accept-Language": "de" },
        query: { token: "a b" },
        forceNew: true,
      });
      t.after(() => client.close());
      const [socket] = await once(io, "connection");
      results.push(await program({ io, server, socket, client, engine }));
    }
    assert.deepEqual(results.at(-1), results[0]);
  });
}

/** Does the same as a session middleware of Express does with a request. */
function withSession(request, _response, next) {
  request.originalUrl = request.originalUrl || request.url;
  const cookies = Object.fromEntries(request.headers.cookie.split("; ").map((c) => c.split("=")));
  request.cookies = cookies;
  request.sessionID = cookies.session;
  Object.defineProperty(request.session ?? {}, "id", { value: cookies.session });
  Object.defineProperty(request, "session", {
    configurable: true,
    enumerable: true,
    value: { id: cookies.session, isSecure: Boolean(request.connection.encrypted) },
  });
  request.login = function login(user) {
    this.user = user;
  };
  next();
}

testSockets("sessions and users are kept on the request", async ({ io, socket, engine }) => {
  const { request } = socket;
  assertLean(engine, request);
  withSession(request, {}, () => request.login({ name: "u" }));
  assertLean(engine, request);
  assert.equal(io.sockets.sockets.get(socket.id).request, request);
  const { session, user, cookies, sessionID, originalUrl } = socket.client.request;
  return { session, user, cookies, sessionID, hasToken: originalUrl.includes("token=a%20b") };
});

testSockets(
  "middlewares and allowRequest see the request that sockets have",
  async ({ socket: { request } }) => {
    const { seen, session, _query } = request;
    return { seen, session, query: { ..._query, t: undefined }, isSame: seen.by === undefined };
  },
  () => ({
    allowRequest(request, callback) {
      const { method, httpVersion, headers, socket } = request;
      const names = Object.keys(headers);
      request.seen = { method, httpVersion, names, address: socket.remoteAddress };
      request.seen.isRemote = socket.remotePort > 0;
      withSession(request, {}, () => callback(null, true));
    },
  }),
);

testSockets("the handshake has what the request has", async ({ socket }) => {
  const { headers, address, secure, xdomain, url, query } = socket.handshake;
  assert.equal(headers, socket.request.headers);
  assert.equal(query, socket.request._query);
  assert.equal(url, socket.request.url);
  const { "sec-websocket-key": key, host, ...rest } = headers;
  return [rest, address, secure, xdomain, { ...query }, key.length, Object.keys(headers)];
});

testSockets("the parts of a connection refer to the same objects", async ({ socket, server }) => {
  const { conn, request } = socket;
  const { transport } = conn;
  const tcp = request.socket;
  assert.equal(request.websocket, transport.socket);
  assert.equal(tcp, transport.socket._socket);
  assert.equal(request.client, tcp);
  assert.equal(tcp.server, server);
  assert.equal(conn.request, request);
  return Object.keys(request.on("mine", () => {}));
});

testSockets("the own properties of both are those of Node's", async ({ socket }) => {
  const { request } = socket;
  const tcp = request.socket;
  // ws marks the sockets that it has accepted.
  const ownKeys = (object) => {
    const keys = Reflect.ownKeys(object).map(String);
    return keys.filter((key) => key !== "Symbol(websocket)").sort();
  };
  request.on("mine", () => {});
  tcp.on("mine", () => {});
  void [tcp.remoteAddress, tcp.localAddress];
  return [ownKeys(request), ownKeys(tcp)];
});

testSockets("it is known who the peer was, when it has gone", async ({ socket, client }) => {
  const { request, conn } = socket;
  const closed = once(socket, "disconnect");
  client.io.engine.transport.ws._socket?.destroy() ?? client.close();
  const [reason] = await closed;
  const tcp = request.socket;
  await polled(() => tcp.destroyed);
  const { remoteAddress, remoteFamily, remotePort } = tcp;
  const { destroyed, writable, readable, readyState, _handle: handle } = tcp;
  const counts = [tcp.bytesRead > 0, tcp.bytesWritten > 0];
  const failed = await new Promise((resolve) => tcp.write("x", resolve));
  return {
    reason,
    address: [remoteAddress, remoteFamily, remotePort > 0, conn.remoteAddress],
    state: { destroyed, writable, readable, readyState, handle },
    counts,
    failed: failed.code,
    events: tcp.eventNames().length > 0,
  };
});
