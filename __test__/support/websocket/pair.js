"use strict";

/** Both ends of a connection: the server's under test, and that of a plain ws client. */

const { once } = require("node:events");
const { WebSocket } = require("ws");

/**
 * Starts a server on a port of its own, which ends after the test with its connections.
 *
 * @param {{ after: (fn: () => unknown) => void }} t
 * @param {{ WebSocketServer: typeof import("ws").WebSocketServer }} kind
 * @param {import("ws").ServerOptions} [options]
 */
async function startServer(t, kind, options) {
  const server = new kind.WebSocketServer({ port: 0, host: "127.0.0.1", ...options });
  t.after(() => {
    for (const webSocket of server.clients ?? []) webSocket.terminate();
    server.close();
  });
  await once(server, "listening");
  return server;
}

/**
 * Connects a client, which is cut off after the test. Its messages are kept in `messages`, from
 * the first on, as `[bytes, isBinary]`.
 *
 * @param {{ after: (fn: () => unknown) => void }} t
 * @param {import("ws").WebSocketServer} server
 * @param {{ url?: string, protocols?: string[] } & import("ws").ClientOptions} [options]
 * @returns {Promise<{ client: WebSocket, socket: WebSocket, request: object }>} `socket` is the
 *   server's end
 */
async function connect(t, server, { url, protocols, ...options } = {}) {
  const connected = once(server, "connection");
  const address = url ?? `ws://127.0.0.1:${server.address().port}/`;
  const client = new WebSocket(address, protocols, { perMessageDeflate: false, ...options });
  client.messages = [];
  client.on("message", (data, isBinary) => client.messages.push([data, isBinary]));
  t.after(() => client.terminate());
  const [[socket, request]] = await Promise.all([connected, once(client, "open")]);
  return { client, socket, request };
}

/** A server and one connection to it. */
async function connectPair(t, kind, serverOptions, clientOptions) {
  const server = await startServer(t, kind, serverOptions);
  return { server, ...(await connect(t, server, clientOptions)) };
}

/** Waits until all that was sent before has arrived; the pong comes behind it. */
async function arrived(socket) {
  socket.ping("arrived?");
  await once(socket, "pong");
}

module.exports = { arrived, connect, connectPair, startServer };
