"use strict";

/**
 * Makes a Socket.IO server listen on a free port of 127.0.0.1.
 *
 * @typedef {object} Listening
 * @property {number} port
 *
 * @typedef {object} HttpModule
 * @property {typeof import("node:http").createServer} createServer
 * @property {typeof import("node:https").createServer} createSecureServer
 */

const { once } = require("node:events");
const http = require("node:http");
const https = require("node:https");
const { createCertificate } = require("./certificate.js");

const HOST = "127.0.0.1";

/** As many wait to be accepted as the kernel allows: with fewer, it lets clients try again in a second. */
const BACKLOG = 1 << 16;

/**
 * Longer than any event loop is busy here: with less, Node.js closes a connection whose next request has
 * come, but has not been read.
 */
const KEEP_ALIVE_MILLISECONDS = 60_000;

/** @type {HttpModule} */
const NODE = { createServer: http.createServer, createSecureServer: https.createServer };

/**
 * @param {object} options of `new Server()`
 * @param {(io: object) => void} serve adds the handlers
 * @param {object} [given]
 * @param {HttpModule} [given.module] makes the server
 * @param {boolean} [given.isSecure] whether it is one of https
 * @param {import("node:http").RequestListener} [given.handleRequest] of ordinary requests
 * @returns {Promise<Listening>}
 */
async function listenOnHttp(options, serve, { module = NODE, isSecure, handleRequest } = {}) {
  const { Server } = require("socket.io");
  const server = isSecure
    ? module.createSecureServer(createCertificate(), handleRequest)
    : module.createServer(handleRequest);
  server.keepAliveTimeout = KEEP_ALIVE_MILLISECONDS;
  serve(new Server(server, options));
  await once(server.listen({ port: 0, host: HOST, backlog: BACKLOG }), "listening");
  return { port: server.address().port };
}

/**
 * Runs under Bun only.
 *
 * @param {string} engine the folder of @socket.io/bun-engine
 * @param {(io: object) => void} serve adds the handlers
 * @param {import("./server-process.js").Heartbeat} [heartbeat]
 * @returns {Promise<Listening>}
 */
async function listenOnBun(engine, serve, heartbeat) {
  const { Server } = require("socket.io");
  const { Server: Engine } = require(engine);
  const io = new Server();
  const handler = new Engine({ path: "/socket.io/", ...heartbeat });
  io.bind(handler);
  serve(io);
  const { port } = globalThis.Bun.serve({ port: 0, hostname: HOST, ...handler.handler() });
  return { port };
}

/**
 * @param {string} folder that of uWebSockets.js, absolute
 * @param {(io: object) => void} serve adds the handlers
 * @param {import("./server-process.js").Heartbeat} [heartbeat]
 * @returns {Promise<Listening>}
 */
async function listenOnUws(folder, serve, heartbeat) {
  const { Server } = require("socket.io");
  const uws = require(folder);
  const app = uws.App();
  const io = new Server(heartbeat);
  io.attachApp(app);
  serve(io);
  const token = await new Promise((resolve) => app.listen(HOST, 0, resolve));
  if (!token) throw new Error("uWebSockets.js cannot listen");
  return { port: uws.us_socket_local_port(token) };
}

module.exports = { listenOnBun, listenOnHttp, listenOnUws };
