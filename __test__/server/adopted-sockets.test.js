"use strict";

/** Sockets that a server has in place of connections of its own: the limits that are checked for it. */

const assert = require("node:assert/strict");
const { EventEmitter, once } = require("node:events");
const net = require("node:net");
const { describe, test } = require("node:test");
const { AdoptedSockets } = require("../../lib/server/adopted-sockets.js");

const NO_LIMITS = { keepAliveTimeout: 0, headersTimeout: 0, requestTimeout: 0, timeout: 0 };
const LATE = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n";

/**
 * A server that adopts a socket: what it emits, the socket, and its client.
 *
 * @param {import("node:test").TestContext} t
 * @param {object} limits properties of the server
 */
async function adopt(t, limits) {
  const listening = net.createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  t.after(() => listening.close());
  await once(listening, "listening");
  const client = net.connect(listening.address().port, "127.0.0.1");
  t.after(() => client.destroy());
  const [socket] = await once(listening, "connection");
  const server = Object.assign(new EventEmitter(), NO_LIMITS, limits);
  Object.assign(server, { _connections: 0, connectionsCheckingInterval: 5, drained: 0 });
  server._emitCloseIfDrained = () => server.drained++;
  // As HTTP has it, until an upgrade.
  server.on("connection", (adopted) => {
    adopted.parser = {};
    adopted.resume();
  });
  const sockets = new AdoptedSockets(server);
  sockets.adopt(socket);
  return { server, socket, sockets, client };
}

/** Returns the bytes that the client receives until the end. */
async function received(client) {
  let text = "";
  for await (const chunk of client) text += chunk;
  return text;
}

describe("A socket that a server has adopted", () => {
  test("is emitted and counted, and counted out when it is closed", async (t) => {
    const { server, socket, client } = await adopt(t, {});
    assert.equal(server._connections, 1);
    client.end();
    socket.end();
    await once(socket, "close");
    assert.deepEqual([server._connections, server.drained], [0, 1]);
  });

  for (const [state, begin] of [
    ["that sends nothing", () => {}],
    ["that sends half of a head", ({ client }) => client.write("GET /")],
  ]) {
    test(`is answered if it is one ${state} in time`, async (t) => {
      const stage = await adopt(t, { headersTimeout: 10 });
      begin(stage);
      assert.equal(await received(stage.client), LATE);
    });
  }

  test("is answered if the body of its request does not come in time", async (t) => {
    const { socket, client } = await adopt(t, { requestTimeout: 10 });
    socket._httpMessage = { req: { complete: false } };
    assert.equal(await received(client), LATE);
  });

  test("is reported to listeners of `clientError` instead", async (t) => {
    const { server, socket, client } = await adopt(t, { headersTimeout: 10 });
    const [error, reported] = await once(server, "clientError");
    assert.deepEqual([error.code, reported], ["ERR_HTTP_REQUEST_TIMEOUT", socket]);
    socket.end("bye");
    assert.equal(await received(client), "bye");
  });

  test("is closed if no request follows a response in time", async (t) => {
    const { socket, client } = await adopt(t, { keepAliveTimeout: 10 });
    socket.write("response");
    assert.equal(await received(client), "response");
    assert.ok(socket.destroyed);
  });

  test("stays while a response is due, and after an upgrade", async (t) => {
    const short = { keepAliveTimeout: 1, headersTimeout: 1, requestTimeout: 1 };
    const waiting = await adopt(t, short);
    waiting.socket._httpMessage = { req: { complete: true } };
    const upgraded = await adopt(t, short);
    upgraded.socket.parser = null;
    // It is checked as often, and closed.
    const idle = await adopt(t, short);
    idle.socket.write("response");
    await once(idle.socket, "close");
    assert.deepEqual([waiting.socket.destroyed, upgraded.socket.destroyed], [false, false]);
  });

  test("is dropped if it is one too many", async (t) => {
    const { server, sockets, socket } = await adopt(t, { maxConnections: 1 });
    const other = new net.Socket();
    const dropped = once(server, "drop");
    sockets.adopt(other);
    await dropped;
    assert.deepEqual([other.destroyed, socket.destroyed, server._connections], [true, false, 1]);
  });

  test("has a listener of `timeout` if the server has one", async (t) => {
    const { server, socket } = await adopt(t, { timeout: 10 });
    const [timedOut] = await once(server, "timeout");
    assert.equal(timedOut, socket);
  });
});
