"use strict";

/** HTTPS servers that tests compare: that of Node.js, and that of `createSecureServer()`. */

const { once } = require("node:events");
const https = require("node:https");
const tls = require("node:tls");
const { Server } = require("socket.io");
const { createSecureServer, turbo } = require("../..");
const { hasEngine } = require("../../lib/addon/index.js");
const { Client, newServer } = require("./http-servers.js");
const { listen } = require("./tcp-server.js");

/** @type {import("./http-servers.js").Kind} */
const stock = {
  name: "https.createServer()",
  isOurs: false,
  createServer: https.createServer,
  attach: (server) => new Server(server),
};

/** @type {import("./http-servers.js").Kind} */
const ours = {
  name: "createSecureServer() with Socket.IO",
  isOurs: true,
  createServer: createSecureServer,
  attach: (server) => new Server(server, turbo()),
};

/** All connections are passed when they are accepted. @type {import("./http-servers.js").Kind} */
const alone = { ...ours, name: "createSecureServer() alone", attach: null };

/** Without the engine, `createSecureServer()` is `https.createServer()`. */
const kinds = hasEngine ? [stock, ours, alone] : [ours];

/** The sockets of clients, which end before their server. */
const clients = new WeakMap();

/**
 * Starts a server that is closed after the test, as soon as its clients are.
 *
 * @param {{ after: (fn: () => unknown) => void }} t
 * @param {import("./http-servers.js").Kind} kind
 * @param {...unknown} args of `createServer()`
 * @returns {Promise<import("node:https").Server>}
 */
async function start(t, kind, ...args) {
  const sockets = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  const server = newServer(t, kind, ...args);
  clients.set(server, sockets);
  await listen(server);
  return server;
}

/** Has a client's socket destroyed after the test. */
function addClient(server, socket) {
  clients.get(server).push(socket);
  return socket;
}

/**
 * Connects to a server; the connection is destroyed after the test.
 *
 * @param {import("node:https").Server} server
 * @param {tls.ConnectionOptions} [options] certificates are not verified unless these say so
 * @returns {Promise<Client & { socket: tls.TLSSocket }>} when the handshake is done for the client
 */
async function connect(server, options) {
  const { port } = server.address();
  const socket = tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ...options });
  const client = new Client(addClient(server, socket));
  await once(socket, "secureConnect");
  return client;
}

/** Sends a request on a connection of its own and returns its answer. */
async function request(server, { body: sent, ...options } = {}) {
  const { port } = server.address();
  const target = { host: "127.0.0.1", port, agent: false, rejectUnauthorized: false };
  const [response] = await once(https.request({ ...target, ...options }).end(sent), "response");
  const chunks = [];
  for await (const chunk of response) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString("latin1");
  return { status: response.statusCode, headers: response.headers, body };
}

module.exports = { addClient, connect, kinds, ours, request, start, stock };
