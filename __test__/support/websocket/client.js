"use strict";

/**
 * A WebSocket client over plain TCP: it sends any bytes, cut anywhere, asserts that the server's
 * bytes keep the rules, and reports all of them, up to the end of the connection.
 */

const assert = require("node:assert/strict");
const { isUtf8 } = require("node:buffer");
const { createHash } = require("node:crypto");
const net = require("node:net");
const { setImmediate: nextTurn } = require("node:timers/promises");
const { inspect } = require("node:util");
const { Observed } = require("../observed.js");
const { decodeExtension, inflated } = require("./deflate.js");
const { CLOSE, NAMES, RSV1, close } = require("./frames.js");
const { ServerBytes } = require("./server-bytes.js");

/** The key of the example in RFC 6455 §1.3, and the server's answer to it. */
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/** Payloads above this length are compared by their digest. */
const MAX_SHOWN = 256;

/**
 * Returns a payload as a short string: the same for the same bytes, and readable in an assertion.
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
 * Returns the text of an upgrade request.
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

/** Returns the headers of a response, their names in lower case. */
function decodeHeaders(head) {
  const fields = head.split("\r\n").slice(1);
  return Object.fromEntries(
    fields.map((field) => {
      const colon = field.indexOf(":");
      return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
    }),
  );
}

class WebSocketClient extends Observed {
  /** The response to the upgrade request: `{ status, headers, body }`. */
  response;
  /** The frames of the server: `["text", "…"]`, `["pong", "…"]`, `["close", 1000, "reason"]`. */
  frames = [];
  /** For each message of the server: if it was compressed, and the bytes of its payload on the wire. */
  transfers = [];
  /** "FIN" or "RST" once the server has ended the connection. */
  end;
  /** The error of the rule that the server's bytes broke. */
  violation;

  #socket;
  #bytes = new ServerBytes({
    handleResponse: (status, head) => {
      this.response = { status, headers: decodeHeaders(head) };
      this.#deflate = decodeExtension(this.response.headers["sec-websocket-extensions"]);
    },
    handleBody: (bytes) => {
      this.response.body = bytes.toString("latin1");
    },
    handleFrame: (header, payload) => this.#handleFrame(header, payload),
  });
  /** The parameters of permessage-deflate, if it was negotiated. */
  #deflate;
  /** The fragmented message under way. */
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
   * @returns {Promise<WebSocketClient>} once there is a response, of whatever status
   */
  static async open(port, request) {
    const client = new WebSocketClient(port);
    await client.write(upgradeRequest(request));
    await client.responded();
    return client;
  }

  /**
   * Writes bytes; the pieces of an array are written with a turn of the event loop in between, so
   * that the server reads them one by one.
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

  /** Waits until the kernel has taken all bytes that were written, or the connection has ended. */
  flushed() {
    return this.until(() => this.#socket.writableLength === 0 || this.end !== undefined, "room");
  }

  /** True while the kernel has not taken all bytes that were written. */
  get isStuck() {
    return this.#socket.writableNeedDrain;
  }

  /** Sends FIN. Frames can still be received. */
  finish() {
    this.#socket.end();
  }

  /** Sends RST. */
  reset() {
    this.#socket.resetAndDestroy();
  }

  /** Stops reading, so that the server's bytes are queued. */
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

  /** Waits until the server has ended the connection; returns "FIN" or "RST". */
  async ended() {
    await this.until(() => this.end !== undefined, "the end of the connection");
    assert.equal(this.violation, undefined);
    return this.end;
  }

  /** Waits for the end of the connection; returns the frames, and the end behind them. */
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
    try {
      if (this.violation === undefined) this.#bytes.push(bytes);
    } catch (error) {
      this.violation = error;
    }
    this.changed();
  }

  #handleFrame(header, payload) {
    assert.equal(header.isMasked, false, "RFC 6455 §5.1: a server does not mask its frames");
    // RFC 7692 §6: the first frame of a data message may have RSV1, if that was negotiated.
    const mayCompress = this.#deflate !== undefined && header.opcode > 0 && header.opcode < CLOSE;
    const rsv = mayCompress ? header.rsv & ~RSV1 : header.rsv;
    assert.equal(rsv, 0, "RFC 6455 §5.2: RSV1 to RSV3 are 0");
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

  #handleFragment({ opcode, fin, rsv }, payload) {
    assert.equal(opcode === 0, this.#message !== undefined, "RFC 6455 §5.4: fragments in order");
    this.#message ??= { name: NAMES.get(opcode), compressed: rsv === RSV1, payloads: [] };
    this.#message.payloads.push(payload);
    if (!fin) return;
    const { name, compressed, payloads } = this.#message;
    this.#message = undefined;
    const bytes = Buffer.concat(payloads);
    this.transfers.push({ compressed, length: bytes.length });
    this.frames.push([name, shown(compressed ? this.#inflate(bytes) : bytes)]);
  }

  #inflate(bytes) {
    const { server_no_context_takeover: keepsNothing, server_max_window_bits: windowBits } =
      this.#deflate;
    assert.ok(keepsNothing, "this client keeps no context between messages");
    return inflated(bytes, windowBits);
  }
}

module.exports = { ACCEPT, WebSocketClient, nextTurn, shown, upgradeRequest };
