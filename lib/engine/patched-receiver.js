"use strict";

const { createRequire } = require("node:module");
const path = require("node:path");
const { ws } = require("../ws-package.js");

/** On a receiver of ws: its WebSocket. `undefined` where it cannot be found, as in a bundle. */
const kWebSocket = webSocketSymbol();

/** The package does not export the file. */
function webSocketSymbol() {
  try {
    const load = createRequire(__filename);
    return load(path.join(path.dirname(load.resolve("ws")), "lib/constants.js")).kWebSocket;
  } catch {
    return undefined;
  }
}

/**
 * Returns an emitter that passes messages on to a WebSocket with the methods of ws's Receiver. For
 * programs that have patched these methods to see the messages, as tracers do; it decodes nothing.
 *
 * @param {import("./websocket.js").WebSocket} websocket
 * @returns {import("node:events").EventEmitter} whose `message` events become the WebSocket's
 */
function patchedReceiver(websocket) {
  const receiver = Object.create(ws.Receiver.prototype);
  if (kWebSocket !== undefined) receiver[kWebSocket] = websocket;
  receiver.on("message", (message, isBinary) => websocket.emit("message", message, isBinary));
  return receiver;
}

module.exports = { patchedReceiver };
