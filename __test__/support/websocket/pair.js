"use strict";

/** Connections between a client of ws and a server under test. */

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
 * Begins to connect a client, which is cut off after the test. It keeps its messages in `messages`,
 * as `[bytes, isBinary]`.
 *
 * @param {{ after: (fn: () => unknown) => void }} t
 * @param {string} url
 * @param {{ protocols?: string[] } & import("ws").ClientOptions} [options]
 * @returns {WebSocket & { messages: Array<[Buffer, boolean]> }}
 */
function openClient(t, url, { protocols, ...options } = {}) {
  const client = new WebSocket(url, protocols, { perMessageDeflate: false, ...options });
  client.messages = [];
  client.on("message", (data, isBinary) => client.messages.push([data, isBinary]));
  t.after(() => client.terminate());
  return client;
}

/**
 * Connects a client to a server.
 *
 * @param {{ after: (fn: () => unknown) => void }} t
 * @param {import("ws").WebSocketServer} server
 * @param {{ url?: string } & object} [options] of `openClient()`
 * @returns {Promise<{ client: WebSocket, socket: WebSocket, request: object }>} `socket` is the
 *   server's end
 */
async function connect(t, server, { url, ...options } = {}) {
  const connected = once(server, "connection");
  const client = openClient(t, url ?? `ws://127.0.0.1:${server.address().port}/`, options);
  const [[socket, request]] = await Promise.all([connected, once(client, "open")]);
  return { client, socket, request };
}

/** Starts a server and opens one connection to it. */
async function connectPair(t, kind, serverOptions, clientOptions) {
  const server = await startServer(t, kind, serverOptions);
  return { server, ...(await connect(t, server, clientOptions)) };
}

/** Waits until the peer has received all that was sent before; the pong follows it. */
async function arrived(socket) {
  socket.ping("arrived?");
  await once(socket, "pong");
}

module.exports = { arrived, connect, connectPair, openClient, startServer };
