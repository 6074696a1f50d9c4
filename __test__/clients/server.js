"use strict";

/**
 * The server that the programs in this folder talk to, one for each run of a program:
 *
 * - `echo`: acknowledges with its arguments
 * - `say`: sends its arguments back with `said`
 * - `ask`: sends its argument with `question`, and acknowledges with the acknowledgement of that
 * - `where`: acknowledges with the namespace
 * - `carrier`: acknowledges with the name of the transport, when that is the one of its argument
 * - `join`: enters a room, and acknowledges
 * - `tell`: sends `told` with a text to the others in a room
 * - `announce`: sends `told` with a text to all in a room
 * - `idle`: sends `alive` after a number of heartbeats
 * - `drop`: closes the connection, and sends `missed` to the client that is away
 * - `leave`: disconnects the client
 * - `restart`: ends the server with all connections, and starts another on the same port
 *
 * `/news` and all namespaces such as `/room-1` have the same events. `/private` admits clients with the
 * token "right".
 */

const { once } = require("node:events");
const { createServer } = require("node:http");
const { setTimeout: delay } = require("node:timers/promises");
const { Server } = require("socket.io");

const MIB = 1024 * 1024;

/** Heartbeats are frequent, so that some of them fit into a run. A busy machine may answer late. */
const OPTIONS = {
  allowEIO3: true,
  cors: { origin: "*" },
  maxHttpBufferSize: 4 * MIB,
  pingInterval: 400,
  pingTimeout: 30_000,
};

/** Makes the server remember its clients when their connections are lost. */
const RECOVERY = { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } };

/**
 * Starts a server on a free port.
 *
 * @param {import("../support/engines.js").Engine} engine
 * @param {object} [options] of Socket.IO, beside those of all
 * @returns {Promise<{ url: string, close: () => Promise<void> }>}
 */
async function startServer(engine, options = {}) {
  const serverOptions = engine.serverOptions({ ...OPTIONS, ...options });
  const servers = [await listen(serverOptions, 0, restart)];
  const [{ port }] = servers;
  async function restart() {
    const { io, httpServer, close } = servers.at(-1);
    // As the end of a process does. Some clients leave the closing to the server, which waits for 30 s.
    for (const conn of Object.values(io.engine.clients)) conn.transport.socket?.terminate();
    close();
    while (httpServer.listening) await delay(1);
    servers.push(await listen(serverOptions, port, restart));
  }
  const url = `http://127.0.0.1:${port}`;
  const close = async () => void (await Promise.all(servers.map((server) => server.close())));
  return { url, close };
}

async function listen(serverOptions, port, restart) {
  const httpServer = createServer();
  const io = new Server(httpServer, serverOptions);
  const serve = (socket) => serveClient(io.of(socket.nsp.name), socket, restart);
  for (const namespace of ["/", "/news", /^\/room-\d+$/]) io.of(namespace).on("connection", serve);
  io.of("/private").use(({ handshake }, next) => {
    const isRight = (handshake.auth.token ?? handshake.query.token) === "right";
    const refusal = Object.assign(new Error("wrong token, žluťoučký"), { data: { code: 7 } });
    next(isRight ? undefined : refusal);
  });
  io.of("/private").on("connection", serve);
  await once(httpServer.listen(port, "127.0.0.1"), "listening");
  let closed;
  const close = () => {
    closed ??= io.close();
    // The clients that poll; those by WebSocket get their close frames.
    httpServer.closeAllConnections();
    return closed;
  };
  return { io, httpServer, port: httpServer.address().port, close };
}

function serveClient(namespace, socket, restart) {
  const { conn } = socket;
  socket.on("echo", (...args) => args.pop()(...args));
  socket.on("say", (...args) => socket.emit("said", ...args));
  socket.on("ask", (question, answer) => socket.emit("question", question, answer));
  socket.on("where", (answer) => answer(namespace.name));
  socket.on("carrier", async (name, answer) => {
    while (conn.transport.name !== name && conn.readyState === "open") await delay(10);
    answer(conn.transport.name);
  });
  socket.on("join", (room, done) => {
    socket.join(room);
    done();
  });
  socket.on("tell", (room, text) => socket.to(room).emit("told", text));
  socket.on("announce", (room, text) => namespace.to(room).emit("told", text));
  socket.on("idle", (count) => {
    let left = count;
    conn.on("heartbeat", () => --left === 0 && socket.emit("alive", count));
  });
  socket.on("drop", () => {
    socket.once("disconnect", () => namespace.to(socket.id).emit("missed", "while you were away"));
    conn.close();
  });
  socket.on("leave", () => socket.disconnect());
  socket.on("restart", restart);
}

module.exports = { RECOVERY, startServer };
