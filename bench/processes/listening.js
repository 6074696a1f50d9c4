"use strict";

/**
 * Makes a Socket.IO server listen on a free port of 127.0.0.1.
 *
 * @typedef {object} Listening
 * @property {number} port
 */

const { once } = require("node:events");
const { createServer } = require("node:http");

const HOST = "127.0.0.1";

/**
 * @param {object} options of `new Server()`
 * @param {(io: object) => void} serve adds the handlers
 * @returns {Promise<Listening>}
 */
async function listenOnHttp(options, serve) {
  const { Server } = require("socket.io");
  const http = createServer();
  serve(new Server(http, options));
  await once(http.listen(0, HOST), "listening");
  return { port: http.address().port };
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
