"use strict";

/**
 * The two transports of Engine.IO by hand over TCP: fast enough for tens of thousands of connections,
 * and with no other code that could hide errors of a server.
 *
 * A packet is a string that begins with its type, or a Buffer with a binary message.
 */

const net = require("node:net");
const { constants, inflateRawSync } = require("node:zlib");
const { upgradeRequest } = require("../support/websocket/client.js");
const { BINARY, CLOSE, PING, RSV1, TEXT, close, frame } = require("../support/websocket/frames.js");
const { ServerBytes } = require("../support/websocket/server-bytes.js");

const EMPTY = Buffer.alloc(0);

/** Engine.IO v3: the first byte of a binary message, "message". */
const MESSAGE_V3 = Buffer.of(4);
/** Engine.IO v4, "HTTP long-polling": separates the packets of a payload. */
const SEPARATOR = "\x1e";
/** RFC 7692 §7.2.2: the bytes that the sender has removed from the end of a compressed message. */
const DEFLATE_END = Buffer.from("0000ffff", "hex");
const DEFLATE = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/** RFC 7692 §7.2.2. */
function inflated(payload) {
  const bytes = Buffer.concat([payload, DEFLATE_END]);
  return inflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH });
}

/** A WebSocket without fragments, which the servers here do not send. */
class WebSocketWire {
  #listener;
  #socket;
  #version;
  #closeCode = "without a close frame";

  /**
   * @param {number} port
   * @param {{ target: string, version: 3 | 4, offersDeflate?: boolean }} request
   * @param {{ handlePacket: (packet: string | Buffer) => void, handlePing: (text: string) => void,
   *   handleEnd: (how: string) => void }} listener
   */
  constructor(port, { target, version, offersDeflate = false }, listener) {
    this.#listener = listener;
    this.#version = version;
    this.#socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
    const bytes = new ServerBytes({
      handleResponse: (status) => this.#handleResponse(status),
      handleFrame: (header, payload) =>
        this.#handleFrame(header, header.rsv & RSV1 ? inflated(payload) : payload),
    });
    this.#socket.on("data", (piece) => bytes.push(piece));
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => listener.handleEnd(`closed ${this.#closeCode}`));
    const headers = { "Sec-WebSocket-Extensions": offersDeflate ? DEFLATE : undefined };
    this.#socket.write(upgradeRequest({ path: target, headers }));
  }

  /** @param {string | Buffer} packet */
  send(packet) {
    const isText = typeof packet === "string";
    const payload = isText || this.#version === 4 ? packet : Buffer.concat([MESSAGE_V3, packet]);
    this.#socket.write(frame({ opcode: isText ? TEXT : BINARY, payload }));
  }

  /** Begins the closing handshake. */
  close() {
    this.#socket.write(close());
  }

  /** Ends the connection without a close frame. */
  destroy() {
    this.#socket.destroy();
  }

  #handleResponse(status) {
    if (status === 101) return;
    this.#closeCode = "instead of upgraded";
    this.#socket.destroy();
  }

  #handleFrame({ opcode }, payload) {
    if (opcode === TEXT) this.#listener.handlePacket(payload.toString());
    else if (opcode === BINARY) this.#listener.handlePacket(this.#binaryMessage(payload));
    else if (opcode === PING) this.#listener.handlePing(payload.toString());
    else if (opcode === CLOSE) this.#handleClose(payload);
  }

  #binaryMessage(payload) {
    return this.#version === 4 ? payload : payload.subarray(1);
  }

  #handleClose(payload) {
    this.#closeCode = payload.length === 0 ? "without a code" : payload.readUInt16BE(0);
    this.#socket.end(close());
  }
}

/** HTTP requests, one at a time, on one connection. */
class HttpConnection {
  #socket;
  #received = EMPTY;
  #resolve;

  constructor(port) {
    this.#socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
    this.#socket.on("data", (bytes) => this.#handleBytes(bytes));
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => this.#resolve?.({ status: 0, body: "" }));
  }

  /**
   * @param {string} method
   * @param {string} target
   * @param {string} [body]
   * @returns {Promise<{ status: number, body: string }>} status 0 if the connection ended, and no
   *   body with a status other than 200
   */
  request(method, target, body = "") {
    const head = `${method} ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\n`;
    const type = `Content-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
    this.#socket.write(`${head}${method === "POST" ? type : ""}\r\n${body}`);
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  destroy() {
    this.#socket.destroy();
  }

  #handleBytes(bytes) {
    this.#received = Buffer.concat([this.#received, bytes]);
    const end = this.#received.indexOf("\r\n\r\n");
    if (end === -1) return;
    const head = this.#received.toString("latin1", 0, end);
    const status = Number(head.slice(9, 12));
    const length = status === 200 ? Number(/content-length: (\d+)/i.exec(head)[1]) : 0;
    if (this.#received.length < end + 4 + length) return;
    const body = this.#received.toString("utf8", end + 4, end + 4 + length);
    this.#received = EMPTY;
    this.#resolve({ status, body });
  }
}

const encodePolled = (packet) =>
  typeof packet === "string" ? packet : `b${packet.toString("base64")}`;

function decodePolled(text, version) {
  if (text[0] !== "b") return text;
  return Buffer.from(text.slice(version === 4 ? 1 : 2), "base64");
}

/** Engine.IO v3 with `b64`: each packet behind its length in UTF-16 code units. */
function splitV3(body) {
  const packets = [];
  for (let rest = body; rest !== ""; ) {
    const start = rest.indexOf(":") + 1;
    const end = start + Number(rest.slice(0, start - 1));
    packets.push(rest.slice(start, end));
    rest = rest.slice(end);
  }
  return packets;
}

function encodePayloadV3(packet) {
  const text = typeof packet === "string" ? packet : `b4${packet.toString("base64")}`;
  return `${text.length}:${text}`;
}

/** Polls on one connection and posts on another, from the response to the handshake on. */
class PollingWire {
  #version;
  #target;
  #listener;
  #polls;
  #posts;
  #port;
  #isOver = false;
  /** Set while a close packet is sent. */
  #isClosing = false;
  /** Called when the last poll has been answered. */
  #handlePause = () => {};

  /** As the constructor of `WebSocketWire`. */
  constructor(port, { target, version }, listener) {
    this.#port = port;
    this.#target = version === 3 ? `${target}&b64=1` : target;
    this.#version = version;
    this.#listener = listener;
    this.#polls = new HttpConnection(port);
    this.#poll();
  }

  /** To be called with the session id of the handshake. */
  setSid(sid) {
    this.#target += `&sid=${sid}`;
  }

  /** @returns {Promise<void>} once the server has answered */
  async send(packet) {
    this.#posts ??= new HttpConnection(this.#port);
    const body = this.#version === 3 ? encodePayloadV3(packet) : encodePolled(packet);
    await this.#posts.request("POST", this.#target, body);
  }

  /** Sends a close packet, and polls no more. */
  close() {
    this.#isOver = true;
    this.#isClosing = true;
    return this.send("1").then(() => this.#end("closed here"));
  }

  /** Ends the connections without a close packet. */
  destroy() {
    this.#end("destroyed here");
  }

  /**
   * Stops polling.
   *
   * @returns {Promise<void>} when the poll that is under way has been answered
   */
  pause() {
    this.#isOver = true;
    return new Promise((resolve) => {
      this.#handlePause = resolve;
    });
  }

  /** Stops polling for another transport; the response of a poll under way is dropped. */
  retire() {
    this.#isOver = true;
    this.#listener = { handlePacket() {}, handleEnd() {} };
  }

  async #poll() {
    const { status, body } = await this.#polls.request("GET", this.#target);
    if (status !== 200) this.#end(this.#isOver ? "closed here" : `closed by status ${status}`);
    else this.#handlePayload(body);
    if (!this.#isOver) this.#poll();
    else if (!this.#isClosing) this.#release();
    if (this.#isOver) this.#handlePause();
  }

  #handlePayload(body) {
    const packets = this.#version === 3 ? splitV3(body) : body.split(SEPARATOR);
    for (const packet of packets) {
      if (packet === "1") this.#end("closed by packet");
      else if (packet !== "6") this.#listener.handlePacket(decodePolled(packet, this.#version));
    }
  }

  #end(how) {
    const listener = this.#listener;
    this.retire();
    this.#release();
    listener.handleEnd(how);
  }

  #release() {
    this.#polls.destroy();
    this.#posts?.destroy();
  }
}

module.exports = { PollingWire, WebSocketWire };
