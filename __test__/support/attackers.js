"use strict";

/** Clients that attack a server in a process of its own. */

const { once } = require("node:events");
const http = require("node:http");
const net = require("node:net");
const { startFixture } = require("./fixture-process.js");
const { polled } = require("./observed.js");

/** The head of a request that opens a session with a WebSocket. */
const HANDSHAKE =
  "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n" +
  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/** Starts `fixtures/attacked-server.js`; see there for the options. */
async function startAttacked(t, options, programOptions = {}) {
  const execArgv = ["--expose-gc"];
  const args = [JSON.stringify(options)];
  const fixture = startFixture(t, "attacked-server.js", args, { execArgv, ...programOptions });
  const { port, pid } = await fixture.next();
  return { port, pid, exited: fixture.exited, report: () => get(port, "/report") };
}

/** Returns the answer of an attacked server, parsed. */
async function get(port, path) {
  return JSON.parse(await textOf(port, path));
}

/** Sends a request with a body, if any, on a connection of its own. Returns the body of the answer. */
async function textOf(port, path, { method = "GET", body } = {}) {
  const request = http.request({ method, port, path, host: "127.0.0.1", agent: false });
  const [response] = await once(request.end(body), "response");
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk;
  return text;
}

/** Waits until nothing is left of the clients of a server. */
async function allGone({ report }, before) {
  let now;
  await polled(async () => {
    now = await report();
    return (
      now.clients === 0 && now.sockets <= before.sockets && now.connections <= before.connections
    );
  }).catch((error) => {
    error.message += `: ${JSON.stringify({ before, now })}`;
    throw error;
  });
  return now;
}

/** A raw connection, which keeps what it has received. */
class Attacker {
  received = "";

  constructor(port) {
    this.socket = net.connect(port, "127.0.0.1").setEncoding("latin1");
    this.socket.on("error", () => {});
    this.socket.on("data", (data) => {
      this.received += data;
    });
    this.ended = new Promise((resolve) => this.socket.once("close", () => resolve(this.received)));
  }

  /** Waits until it is connected and has sent this. */
  async send(bytes) {
    if (this.socket.connecting) await once(this.socket, "connect");
    await new Promise((resolve) => this.socket.write(bytes, "latin1", resolve));
  }

  /** Waits until it has received this. */
  async hasReceived(bytes) {
    while (!this.received.includes(bytes)) await once(this.socket, "data");
  }

  reset() {
    this.socket.resetAndDestroy();
    return this.ended;
  }
}

/** Calls a function with each number below a limit, some of the calls side by side. */
async function repeat(count, width, work) {
  let next = 0;
  const go = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: width }, go));
}

module.exports = { Attacker, HANDSHAKE, allGone, get, repeat, startAttacked, textOf };
