"use strict";

/** A client of Socket.IO by hand over a plain WebSocket. */

const { once } = require("node:events");
const { WebSocket } = require("ws");
const { Observed } = require("./observed.js");

/** Keeps the messages that it receives; enters the main namespace by itself. */
class HandClient extends Observed {
  /** Engine.IO packets: text as strings, binary data as Buffers. */
  received = [];
  disconnected = false;
  /** Of the close frame that it received, or 1006 without one; once it is disconnected. */
  closeCode;

  constructor(origin, query = "") {
    super();
    const path = `/socket.io/?EIO=4&transport=websocket${query}`;
    this.webSocket = new WebSocket(origin.replace("http", "ws") + path);
    this.webSocket.on("message", (data, isBinary) => this.#handle(isBinary ? data : `${data}`));
    this.webSocket.on("close", (code) => {
      this.disconnected = true;
      this.closeCode = code;
      this.changed();
    });
    this.webSocket.on("error", () => {});
  }

  disconnect() {
    this.webSocket.terminate();
  }

  #handle(message) {
    const fence = /^42(\d+)\["fence"\]$/.exec(message);
    if (fence) this.webSocket.send(`43${fence[1]}[]`);
    else if (message[0] === "0") this.webSocket.send("40");
    else this.received.push(message);
    this.changed();
  }
}

/**
 * Connects a client and waits until it is in the main namespace.
 *
 * @param {object} server as `startServer()` returns it
 * @param {string} [query] appended to the address
 * @returns {Promise<{ client: HandClient, socket: import("socket.io").Socket, isPinged: boolean }>} with
 *   `isPinged`, a ping was sent before: by timers of engine.io, which begin before
 */
async function enterByHand({ io, origin, beforeClose }, query) {
  const connected = once(io, "connection");
  const client = new HandClient(origin, query);
  beforeClose(() => client.disconnect());
  const [socket] = await connected;
  const connect = () => client.received.findIndex((message) => /^40/.test(message));
  await client.until(() => connect() !== -1, "CONNECT");
  const isPinged = client.received.slice(0, connect()).includes("2");
  client.received.splice(connect(), 1);
  return { client, socket, isPinged };
}

module.exports = { enterByHand };
