"use strict";

/** The least that is a client of Socket.IO, for tests that need thousands: a TCP connection. */

const { once } = require("node:events");
const net = require("node:net");

/** An upgrade request, which any WebSocket server takes that does not look at the path. */
const HANDSHAKE = [
  "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1",
  "Host: 127.0.0.1",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "\r\n",
].join("\r\n");

/** RFC 6455 §5.2: a frame that a client may send; the masking key is all zeros. */
function frame(opcode, payload) {
  const bytes = Buffer.from(payload);
  if (bytes.length > 125) throw new RangeError("only short frames");
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | bytes.length, 0, 0, 0, 0]), bytes]);
}

/**
 * Connects to the main namespace, has something echoed, and ends.
 *
 * @param {number} port
 * @param {"close" | "end" | "reset" | "disconnected"} way how it ends: with a close frame, by the
 *   end of the TCP connection or its reset, or because the server disconnects it
 */
async function comeAndGo(port, way) {
  const socket = net.connect(port, "127.0.0.1");
  const closed = once(socket, "close");
  let received = "";
  socket.on("data", (bytes) => {
    received += bytes.toString("latin1");
  });
  const has = async (text) => {
    while (!received.includes(text)) await once(socket, "data");
  };
  socket.write(HANDSHAKE);
  await has('0{"sid"');
  socket.write(frame(0x1, "40"));
  await has('40{"sid"');
  socket.write(frame(0x1, '420["echo","text"]'));
  await has('430["text"]');
  if (way === "close") socket.write(frame(0x8, ""));
  else if (way === "disconnected") socket.write(frame(0x1, '42["disconnect me"]'));
  else if (way === "reset") socket.resetAndDestroy();
  socket.end();
  await closed;
}

module.exports = { HANDSHAKE, comeAndGo };
