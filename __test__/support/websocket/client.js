"use strict";

/**
 * A WebSocket client that knows TCP and no rules: it sends any bytes, cut anywhere, and tells
 * what the server sent, down to how it ended.
 */

const assert = require("node:assert/strict");
const { isUtf8 } = require("node:buffer");
const { createHash } = require("node:crypto");
const net = require("node:net");
const { setImmediate: nextTurn } = require("node:timers/promises");
const { inspect } = require("node:util");
const { Observed } = require("../observed.js");
const { CLOSE, NAMES, close, decodeHeader } = require("./frames.js");

/** The key of the example in RFC 6455 §1.3, and what a server answers to it. */
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/** Payloads above this length are compared by their digest. */
const MAX_SHOWN = 256;

/**
 * A payload as a short string: the same for the same bytes, and readable in an assertion.
 *
 * @param {string | Uint8Array} payload
 * @returns {string}
 */
function shown(payload) {
  const bytes = Buffer.from(payload);
  if (bytes.length > MAX_SHOWN) {
    const digest = createHash("sha1").update(bytes).digest("hex");
    return `<${bytes.length} bytes, ${digest}>`;
  }
  return isUtf8(bytes) ? bytes.toString() : `<${bytes.toString("hex")}>`;
}

/**
 * The text of an upgrade request.
 *
 * @param {object} [request]
 * @param {string} [request.method]
 * @param {string} [request.path]
 * @param {Record<string, string | undefined>} [request.headers] added to the usual ones, or in
 *   place of them; `undefined` leaves one out
 * @returns {string}
 */
function upgradeRequest({ method = "GET", path = "/", headers = {} } = {}) {
  const all = {
    Host: "127.0.0.1",
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
    ...headers,
  };
  const lines = Object.entries(all).filter(([, value]) => value !== undefined);
  const fields = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `${method} ${path} HTTP/1.1\r\n${fields}\r\n`;
}

/** The status, the headers (names in lower case) and the body of a response. */
function decodeResponse(head) {
  const [statusLine, ...lines] = head.split("\r\n");
  const fields = lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { status: Number(statusLine.split(" ")[1]), headers: Object.fromEntries(fields) };
}

class WebSocketClient extends Observed {
  /** The response to the upgrade request. */
  response;
  /** What was sent as frames: `["text", "…"]`, `["pong", "…"]`, `["close", 1000, "reason"]`. */
  frames = [];
  /** How the server ended the connection: "FIN", "RST", or not yet. */
  end;
  /** The rule that the server's bytes broke. */
  violation;

  #socket;
  #received = [];
  #length = 0;
  /** How many bytes must have come before it makes sense to look at them. */
  #needed = 1;
  /** The fragmented message under way: opcode and payloads. */
  #message;

  /** @param {number} port of 127.0.0.1 */
  constructor(port) {
    super();
    this.#socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    this.#socket.setNoDelay();
    this.#socket.on("connect", () => this.changed());
    this.#socket.on("data", (bytes) => this.#handleBytes(bytes));
    this.#socket.on("end", () => this.#handleEnd("FIN"));
    this.#socket.on("error", () => this.#handleEnd("RST"));
    this.#socket.on("close", () => this.#handleEnd("closed here"));
  }

  /**
   * Connects and upgrades.
   *
   * @param {number} port
   * @param {object} [request] of `upgradeRequest()`
   * @returns {Promise<WebSocketClient>} once the response has come, whatever it says
   */
  static async open(port, request) {
    const client = new WebSocketClient(port);
    await client.write(upgradeRequest(request));
    await client.responded();
    return client;
  }

  /**
   * Writes bytes; those of an array are written one by one, with a turn of the event loop in
   * between, so that they are read one by one.
   *
   * @param {string | Buffer | Buffer[]} bytes
   * @returns {Promise<void>}
   */
  async write(bytes) {
    if (!Array.isArray(bytes)) {
      this.#socket.write(bytes);
      return;
    }
    for (const piece of bytes) {
      this.#socket.write(piece);
      await nextTurn();
    }
  }

  /** Resolves once all that was written has gone to the kernel, or cannot go. */
  flushed() {
    return this.until(() => this.#socket.writableLength === 0 || this.end !== undefined, "room");
  }

  /** Whether the kernel has taken less than was written. */
  get isStuck() {
    return this.#socket.writableNeedDrain;
  }

  /** Sends FIN. Frames can still come. */
  finish() {
    this.#socket.end();
  }

  /** Sends RST. */
  reset() {
    this.#socket.resetAndDestroy();
  }

  /** Stops reading, so that the server's bytes pile up. */
  stopReading() {
    this.#socket.pause();
  }

  /** Frees the descriptor. */
  destroy() {
    this.#socket.destroy();
  }

  connected() {
    return this.until(() => !this.#socket.connecting, "the connection");
  }

  responded() {
    return this.until(() => this.response !== undefined || this.end !== undefined, "a response");
  }

  /** Waits for a number of frames, all kinds counted. */
  async hasReceived(count) {
    const isThere = () => this.frames.length >= count || this.end !== undefined;
    await this.until(isThere, `frame ${count}`);
    assert.equal(this.violation, undefined);
  }

  /** Waits until the server has ended the connection; says how. */
  async ended() {
    await this.until(() => this.end !== undefined, "the end of the connection");
    assert.equal(this.violation, undefined);
    return this.end;
  }

  /** Waits for the end of the connection; gives the frames, and the end behind them. */
  async wire() {
    await this.ended();
    return [...this.frames, this.end];
  }

  /** Closes the WebSocket and the connection, and waits for the server to do the same. */
  async close(code = 1000) {
    await this.write(close(code));
    await this.ended();
    this.finish();
  }

  describe() {
    return `the client saw ${inspect([this.response?.status, ...this.frames, this.end])}`;
  }

  #handleEnd(end) {
    this.end ??= end;
    this.changed();
  }

  #handleBytes(bytes) {
    this.#received.push(bytes);
    this.#length += bytes.length;
    if (this.violation === undefined && this.#length >= this.#needed) this.#decode();
    this.changed();
  }

  #decode() {
    let bytes = Buffer.concat(this.#received);
    try {
      for (let rest; rest !== bytes; ) {
        rest = bytes;
        bytes = this.response === undefined ? this.#takeResponse(rest) : this.#takeFrame(rest);
      }
    } catch (error) {
      this.violation = error;
    }
    this.#received = [bytes];
    this.#length = bytes.length;
  }

  /** @returns {Buffer} what is left of the bytes: all of them if the response is not there */
  #takeResponse(bytes) {
    const end = bytes.indexOf("\r\n\r\n");
    this.#needed = bytes.length + 1;
    if (end === -1) return bytes;
    this.response = decodeResponse(bytes.toString("latin1", 0, end));
    return bytes.subarray(end + 4);
  }

  /** @returns {Buffer} what is left of the bytes: all of them if no whole frame is there */
  #takeFrame(bytes) {
    this.#needed = bytes.length + 1;
    if (this.response.status !== 101) return this.#takeBody(bytes);
    const header = decodeHeader(bytes);
    if (header?.length === undefined) return bytes;
    const end = header.headerLength + header.length;
    if (bytes.length < end) {
      this.#needed = end;
      return bytes;
    }
    this.#handleFrame(header, bytes.subarray(header.headerLength, end));
    return bytes.subarray(end);
  }

  #takeBody(bytes) {
    this.response.body = bytes.toString("latin1");
    return bytes;
  }

  #handleFrame(header, payload) {
    assert.equal(header.isMasked, false, "RFC 6455 §5.1: a server does not mask its frames");
    assert.equal(header.rsv, 0, "RFC 6455 §5.2: RSV1 to RSV3 are 0");
    assert.ok(header.isMinimal, "RFC 6455 §5.2: a length takes as few bytes as possible");
    if (header.opcode >= CLOSE) this.#handleControl(header, payload);
    else this.#handleFragment(header, payload);
  }

  #handleControl({ opcode, fin, length }, payload) {
    assert.ok(fin, "RFC 6455 §5.5: a control frame is not fragmented");
    assert.ok(length <= 125, "RFC 6455 §5.5: a control frame carries at most 125 bytes");
    const name = NAMES.get(opcode);
    assert.notEqual(name, undefined, `the server sent opcode ${opcode}`);
    if (opcode !== CLOSE) this.frames.push([name, shown(payload)]);
    else if (length === 0) this.frames.push([name]);
    else this.frames.push([name, payload.readUInt16BE(0), shown(payload.subarray(2))]);
  }

  #handleFragment({ opcode, fin }, payload) {
    assert.equal(opcode === 0, this.#message !== undefined, "RFC 6455 §5.4: fragments in order");
    this.#message ??= { name: NAMES.get(opcode), payloads: [] };
    this.#message.payloads.push(payload);
    if (!fin) return;
    this.frames.push([this.#message.name, shown(Buffer.concat(this.#message.payloads))]);
    this.#message = undefined;
  }
}

module.exports = { ACCEPT, KEY, WebSocketClient, nextTurn, shown, upgradeRequest };
