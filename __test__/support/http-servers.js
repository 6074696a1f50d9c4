"use strict";

/** HTTP servers that tests compare: that of Node.js, and that of `createServer()`. */

const http = require("node:http");
const net = require("node:net");
const { once } = require("node:events");
const { Server } = require("socket.io");
const { createServer, turbo } = require("../..");
const { hasEngine } = require("../../lib/addon/index.js");

/**
 * @typedef {object} Kind
 * @property {string} name
 * @property {boolean} isOurs
 * @property {typeof http.createServer} createServer
 * @property {((server: http.Server, options?: object) => Server) | null} attach attaches Socket.IO; null if
 *   it has none
 */

/** @type {Kind} */
const stock = {
  name: "http.createServer()",
  isOurs: false,
  createServer: http.createServer,
  attach: (server, options) => new Server(server, options),
};

/** @type {Kind} */
const ours = {
  name: "createServer() with Socket.IO",
  isOurs: true,
  createServer,
  attach: (server, options) => new Server(server, turbo(options)),
};

/** All connections are passed when they are accepted. @type {Kind} */
const alone = { name: "createServer() alone", isOurs: true, createServer, attach: null };

/** Without the engine, Node.js accepts for `createServer()`, too: there is nothing to compare. */
const kinds = hasEngine ? [stock, ours, alone] : [ours];

/**
 * Creates a server that is closed after the test.
 *
 * @param {{ after: (fn: () => unknown) => void }} t
 * @param {Kind} kind
 * @param {...unknown} args of `createServer()`
 * @returns {http.Server}
 */
function newServer(t, { createServer, attach }, ...args) {
  const server = createServer(...args);
  const io = attach?.(server);
  t.after(async () => {
    io?.engine.close();
    server.closeAllConnections();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  });
  return server;
}

/**
 * Connects to a server; the connection is destroyed after the test.
 *
 * @param {{ after: (fn: () => unknown) => void }} t
 * @param {http.Server} server
 * @returns {Promise<Client>}
 */
async function connect(t, server) {
  const client = dial(t, server);
  await once(client.socket, "connect");
  return client;
}

/** Does the same, but for the wait until the client is connected. @returns {Client} */
function dial(t, server) {
  const socket = net.connect(server.address().port, "127.0.0.1");
  t.after(() => socket.destroy());
  return new Client(socket);
}

/** A TCP connection by hand. Keeps what it receives, a character for each byte. */
class Client {
  received = "";
  #changed = null;

  constructor(socket) {
    this.socket = socket;
    this.isEnded = false;
    socket.setEncoding("latin1");
    socket.on("data", (data) => this.#handle(() => (this.received += data)));
    socket.on("end", () => this.#handle(() => (this.isEnded = true)));
    socket.on("error", () => {});
    socket.on("close", () => this.#handle(() => (this.isEnded = true)));
  }

  #handle(change) {
    change();
    this.#changed?.();
  }

  /** @param {string} bytes a character for each byte */
  write(bytes) {
    this.socket.write(bytes, "latin1");
  }

  /** Waits until `isTrue(received)`, or for the end of the connection. */
  async until(isTrue) {
    while (!isTrue(this.received) && !this.isEnded) {
      await new Promise((resolve) => {
        this.#changed = resolve;
      });
    }
    return this.received;
  }

  /** Waits until the server has ended the connection. Returns all that was received, without times. */
  async ended() {
    await this.until(() => false);
    return this.received.replace(/^Date: .*$/gm, "Date: now");
  }
}

/** Sends a request and returns its answer. */
async function request(server, options) {
  const { port } = server.address();
  const sent = http.request({ host: "127.0.0.1", port, agent: false, ...options });
  const [response] = await once(sent.end(options?.body), "response");
  let body = "";
  for await (const chunk of response.setEncoding("latin1")) body += chunk;
  return { status: response.statusCode, headers: response.headers, body };
}

/**
 * Attaches Socket.IO to a server.
 *
 * @param {http.Server} server
 * @param {object} [options] of Socket.IO
 * @returns {{ server: http.Server, io: Server }}
 */
function attach(server, options) {
  return { server, io: new Server(server, options) };
}

/** Has such a server listen on a free port; ends it with all its sessions after the test. */
async function serve(t, { server, io }) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    io.engine.close();
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return { server, io, url: `http://127.0.0.1:${server.address().port}` };
}

module.exports = { Client, attach, connect, dial, kinds, newServer, ours, request, serve, stock };
