"use strict";

/**
 * Programs that use the `net.Socket`, and the WebSocket, of a connection of `createServer()`. Node.js has never
 * had the connection; both are made when the program asks for them.
 */

const { once } = require("node:events");
const { createServer } = require("node:http");
const { Server } = require("socket.io");
const { turbo } = require("../..");
const { hasNative } = require("../support/engines.js");
const { openClient } = require("../support/websocket/pair.js");
const { NET_SOCKET_ENDINGS, WEBSOCKET_ENDINGS } = require("../idioms/members/endings.js");
const { NET_SOCKET } = require("../idioms/members/net-socket.js");
const { testPrograms } = require("../idioms/members/programs.js");
const { WEBSOCKET } = require("../idioms/members/websocket.js");

/** No heartbeat comes in between. */
const OPTIONS = {
  pingInterval: 1e8,
  maxHttpBufferSize: 1e8,
  transports: ["websocket"],
  serveClient: false,
};

/**
 * Connects a client to a Socket.IO server, whose layers do not see the messages any more: programs send some that
 * are no packets.
 */
async function sessionStage(t, engine, { serverOptions } = {}) {
  const isOurs = engine.name === "turbo" && hasNative;
  const server = isOurs ? turbo.createServer() : createServer();
  const io = new Server(server, engine.serverOptions({ ...OPTIONS, ...forEngine(serverOptions) }));
  t.after(() => io.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  const url = `ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`;
  const connected = once(io.engine, "connection");
  const client = openClient(t, url);
  const [[conn]] = await Promise.all([connected, once(client, "message")]);
  client.messages.length = 0;
  const tcp = conn.request.socket;
  const { socket } = conn.transport;
  socket.removeAllListeners("message");
  return { client, socket, server, tcp };
}

/** Returns the options of ws as engine.io takes them. */
function forEngine({ maxPayload, perMessageDeflate } = {}) {
  const options = {};
  if (maxPayload !== undefined) options.maxHttpBufferSize = maxPayload;
  if (perMessageDeflate !== undefined) options.perMessageDeflate = perMessageDeflate;
  return options;
}

testPrograms("the net.Socket of a connection that a worker has accepted", NET_SOCKET, sessionStage);
testPrograms("such a net.Socket, at its end", NET_SOCKET_ENDINGS, sessionStage);
testPrograms("the WebSocket of a connection that a worker has accepted", WEBSOCKET, sessionStage);
testPrograms("such a WebSocket, at its end", WEBSOCKET_ENDINGS, sessionStage);
