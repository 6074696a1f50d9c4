"use strict";

/** Sessions with long-polling by hand, on a stock server and on workers. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const http = require("node:http");
const { createServer, turbo } = require("../..");
const { hasEngine } = require("../../lib/addon/index.js");
const { environmentWorkers } = require("../../lib/engine/workers.js");
const { attach, connect, serve } = require("./http-servers.js");

const kinds = [
  { name: "stock", listen: (options) => attach(http.createServer(), options) },
  {
    name: "ours",
    isOurs: true,
    listen: (options) => attach(createServer(), turbo({ ioThreads: 1, ...options })),
  },
].slice(0, hasEngine ? 2 : 1);

/** A session of Engine.IO by hand, and what its server reports. */
class Session {
  reports = [];

  /** With `isBare`, Socket.IO does not see the session; `look` gets it from Engine.IO. */
  static async open(t, kind, { isBare = false, look, ...options } = {}, headers = "") {
    const session = new Session();
    const { server, io } = await serve(t, kind.listen({ maxHttpBufferSize: 1000, ...options }));
    if (isBare) io.engine.removeAllListeners("connection");
    if (look) io.engine.on("connection", look);
    Object.assign(session, { t, server, io, headers });
    io.engine.on("connection_error", ({ code, context }) => {
      session.reports.push([code, context.sid === session.sid]);
    });
    session.client = await connect(t, server);
    await session.shake();
    return session;
  }

  /** Opens the session. */
  async shake() {
    const connected = once(this.io.engine, "connection");
    const request = `GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n${this.headers}\r\n`;
    this.opening = await this.ask(request);
    [this.conn] = await connected;
    this.sid = this.conn.id;
    this.conn.on("close", (reason, description) =>
      this.reports.push([reason, description?.message ?? description]),
    );
  }

  get target() {
    return `/socket.io/?EIO=4&transport=polling&sid=${this.sid}`;
  }

  get(headers = "") {
    return `GET ${this.target} HTTP/1.1\r\nHost: a\r\n${this.headers}${headers}\r\n`;
  }

  post(body, headers = "") {
    const length = `Content-Length: ${Buffer.byteLength(body, "latin1")}\r\n`;
    return `POST ${this.target} HTTP/1.1\r\nHost: a\r\n${length}${this.headers}${headers}\r\n${body}`;
  }

  /** A payload in chunks, which Node.js has to read. */
  postInChunks(body) {
    const head = `POST ${this.target} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`;
    return `${head}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  }

  /** Sends a request, and returns the response without what differs each time. */
  async ask(request, client = this.client) {
    client.received = "";
    client.write(request);
    return this.answer(client);
  }

  async answer(client = this.client) {
    const text = await client.until(isComplete);
    return this.plain(text);
  }

  plain(text) {
    return text
      .replace(/^Date: .*$/m, "Date: now")
      .replace(/"sid":"[\w-]{20}"/, '"sid":"S"')
      .replace(/io=[\w-]{20}/, "io=S")
      .replaceAll(this.sid ?? "none", "S");
  }

  async connect() {
    return connect(this.t, this.server);
  }

  /** Waits until the session has closed. */
  async closed() {
    while (this.conn.readyState !== "closed") await new Promise(setImmediate);
    return this.reports;
  }
}

/** Returns whether a response is whole. */
function isComplete(text) {
  const [head, ...rest] = text.split("\r\n\r\n");
  const body = rest.join("\r\n\r\n");
  if (rest.length === 0) return false;
  if (/^transfer-encoding: chunked$/im.test(head)) return /(^|\n)0\r\n\r\n$/.test(body);
  return body.length === Number(/^content-length: (\d+)$/im.exec(head)?.[1]);
}

function bodyOf(response) {
  return response.slice(response.indexOf("\r\n\r\n") + 4);
}

/** Calls a function with a session of each kind, and returns what it returns, which must be the same. */
async function same(t, options, play, headers) {
  const results = [];
  for (const kind of kinds) {
    const session = await Session.open(t, kind, options, headers);
    const before = kind.isOurs ? passed() : 0;
    results.push(await play(session, kind));
    session.passed = kind.isOurs ? passed() - before : 0;
  }
  if (results.length > 1) assert.deepEqual(results[1], results[0]);
  return results[0];
}

/** The requests that workers have left to Node.js. */
function passed() {
  const { passed } = turbo.stats().server;
  return Object.values(passed).reduce((sum, count) => sum + count, 0);
}

/** Waits until a poll is pending that was sent on another connection. */
async function pending({ conn }) {
  const connection = connectionOf(conn);
  const isPending = () => (connection ? connection.hasPoll : conn.transport.writable);
  while (!isPending()) await new Promise(setImmediate);
}

/** Waits until the beginning of a payload that was sent on another connection has been read. */
async function receiving({ conn }) {
  const connection = connectionOf(conn);
  const isReceiving = () => connection?.isReceiving || (connection ?? conn).transport?.dataReq;
  while (!isReceiving()) await new Promise(setImmediate);
}

/** Waits until a session that ends is on no worker any more. */
async function released(conn) {
  while (connectionOf(conn)) await new Promise(setImmediate);
}

/** Returns the connection of a session that is on a worker: a lean session changes when its transport is read. */
function connectionOf(conn) {
  if (!hasEngine) return undefined;
  return environmentWorkers().connections.find((connection) => connection?.engineSocket === conn);
}

module.exports = { Session, bodyOf, kinds, passed, pending, receiving, released, same };
