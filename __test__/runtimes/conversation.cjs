"use strict";

/**
 * A Socket.IO server, stock, with `turbo()`, or on a server of `createServer()` too, and its clients in one process
 * of any runtime. `conversation.cjs stock|turbo|server` prints one line of JSON: what was said, and what `turbo`
 * knows of it.
 */

const { once } = require("node:events");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");
const { Server } = require("socket.io");
const { io: connect } = require("socket.io-client");
const ws = require("ws");

/** Text around the length from which the native parser takes part, in one byte and in two. */
const TEXTS = [10, 1_023, 1_024, 100_000].flatMap((length) => [
  'He said: "I\n'.repeat(length / 10).slice(0, length),
  "žluťoučký kůň".repeat(length / 10).slice(0, length),
]);

const BYTES = Buffer.from([0, 127, 128, 255]);

const transcript = [];
const say = (...words) => transcript.push(words);

/** Serves what {@link converse} asks for. */
function serve(io) {
  io.use(({ handshake }, next) => next(handshake.auth.name ? undefined : new Error("no name")));
  io.on("connection", (socket) => {
    const { name } = socket.handshake.auth;
    const { address, url } = socket.handshake;
    const by = socket.conn.transport.name;
    say(name, "is here by", by, url.split("?")[0]);
    // A request that polls has none in Bun, once it is answered.
    const { remoteAddress, remotePort } = by === "polling" ? {} : socket.request.socket;
    say("from", address, remoteAddress, remotePort > 0);
    socket.on("echo", (...args) => args.pop()(...args));
    socket.on("join", (room, done) => {
      socket.join(room);
      done();
    });
    socket.on("say", (room, ...args) => io.to(room).emit("said", ...args));
    socket.on("others", (...args) => socket.broadcast.emit("said", ...args));
    socket.on("leave", () => socket.disconnect(true));
  });
}

/** Says with which error another server fails that wants the same port. */
async function collide(newServer, port) {
  const { code, syscall } = (await heard(newServer().listen(port, "127.0.0.1"), "error"))[0];
  say("in use", code, syscall);
}

/** Answers a request beside Socket.IO when it has been read in full. */
function answer(request, response) {
  let length = 0;
  request.on("data", (chunk) => {
    length += chunk.length;
  });
  request.on("end", () => {
    const { remoteAddress } = request.socket;
    response.end(JSON.stringify([request.method, request.url, length, remoteAddress]));
  });
}

/** Requests that are not for Socket.IO, on one connection. */
async function ask(url) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  for (const [target, body] of [["/page"], ["/form", TEXTS.at(-1)], ["/end"]]) {
    const request = http.request(url + target, { agent, method: body ? "POST" : "GET" });
    request.end(body);
    const [response] = await heard(request, "response");
    let text = "";
    for await (const chunk of response) text += chunk;
    say("page", response.statusCode, JSON.parse(text), request.reusedSocket);
  }
  agent.destroy();
}

/** The same by a Unix domain socket. */
async function askByPath(newServer) {
  const socketPath = path.join(os.tmpdir(), `socket-io-turbo-${process.pid}.sock`);
  const server = newServer(answer);
  await once(server.listen(socketPath), "listening");
  const request = http.get({ socketPath, path: "/page", agent: false });
  const [response] = await heard(request, "response");
  let text = "";
  for await (const chunk of response) text += chunk;
  say("page by path", response.statusCode, text);
  await new Promise((resolve) => server.close(resolve));
}

/** A client that is connected, by WebSocket where that is the last of its transports. */
async function enter(url, name, transports) {
  const client = connect(url, { transports, forceNew: true, reconnection: false, auth: { name } });
  await heard(client, "connect");
  const { engine } = client.io;
  if (engine.transport.name !== transports.at(-1)) await heard(engine, "upgrade");
  say(name, "has", engine.transport.name);
  return client;
}

/** The arguments of an event; not `once()` of Node.js, which wants an `EventEmitter`. */
function heard(emitter, event) {
  return new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
}

/** The answers to a client for text, binary data and both. */
async function echo(client) {
  for (const text of TEXTS) say("text", (await client.emitWithAck("echo", text)) === text);
  const answer = await client.emitWithAck("echo", { bytes: BYTES, text: TEXTS.at(-1) });
  say("binary", BYTES.equals(answer.bytes), answer.text === TEXTS.at(-1));
}

/** Rooms and broadcasts, with acknowledgements, to clients by all transports. */
async function broadcast(io, clients) {
  const [first] = clients;
  await Promise.all(clients.map((client) => client.emitWithAck("join", "room")));
  const everywhere = clients.map((client) => heard(client, "said"));
  first.emit("say", "room", "to all", TEXTS.at(-1), BYTES);
  for (const [words, text, bytes] of await Promise.all(everywhere)) {
    say(words, text === TEXTS.at(-1), BYTES.equals(bytes));
  }
  const elsewhere = clients.slice(1).map((client) => heard(client, "said"));
  first.emit("others", "to others");
  say(...(await Promise.all(elsewhere)));
  for (const client of clients) client.once("asked", (question, answer) => answer(question + 1));
  say("answers", await io.in("room").timeout(20_000).emitWithAck("asked", 1));
}

async function converse(io, url) {
  const refused = connect(url, { transports: ["websocket"], forceNew: true });
  say("refused", (await heard(refused, "connect_error"))[0].message);
  refused.close();
  await ask(url);
  const clients = [];
  for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
    const client = await enter(url, transports.join(), transports);
    await echo(client);
    clients.push(client);
  }
  await broadcast(io, clients);
  const [first, second, third] = clients;
  for (const [client, leave] of [
    [first, () => first.disconnect()],
    [second, () => second.emit("leave")],
    [third, () => io.close()],
  ]) {
    const socket = io.of("/").sockets.get(client.id);
    const ends = [heard(client, "disconnect"), heard(socket, "disconnect")];
    leave();
    const [[byClient], [byServer]] = await Promise.all(ends);
    say(socket.handshake.auth.name, "has left", byClient, byServer);
  }
}

/** A WebSocket server without Socket.IO: text, binary data, a ping, and the closing handshake. */
async function exchange(WebSocketServer) {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await heard(server, "listening");
  const accepted = heard(server, "connection");
  const client = new ws.WebSocket(`ws://127.0.0.1:${server.address().port}`);
  const [[socket]] = await Promise.all([accepted, heard(client, "open")]);
  for (const message of [TEXTS.at(-1), BYTES]) {
    const there = heard(socket, "message");
    client.send(message);
    const [data, isBinary] = await there;
    const back = heard(client, "message");
    socket.send(data, { binary: isBinary });
    const [answer] = await back;
    say(isBinary, Buffer.isBuffer(data), answer.equals(Buffer.from(message)));
  }
  const pinged = heard(socket, "ping");
  client.ping("ping");
  say(String(await pinged));
  const ends = [heard(client, "close"), heard(socket, "close")];
  socket.close(4_000, "bye");
  for (const [code, reason] of await Promise.all(ends)) say(code, String(reason));
  server.close();
}

async function main([engine]) {
  const warnings = [];
  process.on("warning", ({ code, message }) => warnings.push([code, message]));
  const isStock = engine === "stock";
  const { turbo, stats, WebSocketServer, createServer } = isStock
    ? { ...ws, turbo: (options) => options }
    : require("../..");
  const newServer = engine === "server" ? createServer : http.createServer;
  const server = newServer(answer);
  const io = new Server(server, turbo({}));
  const closed = once(server, "close");
  serve(io);
  await once(server.listen(0, "127.0.0.1"), "listening");
  await collide(newServer, server.address().port);
  await converse(io, `http://127.0.0.1:${server.address().port}`);
  await closed;
  await exchange(WebSocketServer);
  await askByPath(newServer);
  const { native = null, nativeError } = turbo;
  const { connections = null, server: served } = stats?.() ?? {};
  const error = nativeError?.message ?? null;
  const report = JSON.stringify({
    ...{ transcript, native, error, connections, warnings },
    served: engine === "server" ? served : undefined,
  });
  // engine.io waits 30 s for the next poll of a client that has been sent away.
  process.stdout.write(`${report}\n`, () => process.exit());
}

main(process.argv.slice(2));
