"use strict";

/**
 * A model of a WebSocket server that is simple rather than fast: it has all input at once. The order
 * of its checks is that of ws 8.23, lib/receiver.js; the table in `servers.js` has the differences
 * of ours.
 */

const { isUtf8 } = require("node:buffer");
const { shown } = require("./client.js");
const {
  BINARY,
  CLOSE,
  CONTINUATION,
  PING,
  PONG,
  TEXT,
  decodeHeader,
  masked,
} = require("./frames.js");

/** Continuations of an incomplete character; one of them completes any. */
const COMPLETIONS = ["", "80", "bf", "8080", "bfbf", "808080", "bfbfbf"].map((hex) =>
  Buffer.from(hex, "hex"),
);

/**
 * @param {Buffer} bytes
 * @returns {boolean} whether some text in UTF-8 begins with these bytes
 */
function canBeginText(bytes) {
  return COMPLETIONS.some((completion) => isUtf8(Buffer.concat([bytes, completion])));
}

/** Returns whether a close frame may have a code: RFC 6455 §7.4. */
function isValidCloseCode(code) {
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code);
}

/** The reason of a failure: the code of the error, and that of the close frame. */
class Refusal {
  constructor(code, closeCode = 1002) {
    this.code = code;
    this.closeCode = closeCode;
  }
}

const INVALID_UTF8 = new Refusal("WS_ERR_INVALID_UTF8", 1007);
const TOO_LONG = new Refusal("WS_ERR_UNSUPPORTED_MESSAGE_LENGTH", 1009);
const TOO_MANY = new Refusal("WS_ERR_TOO_MANY_BUFFERED_PARTS", 1008);
/** Not checked by ws. */
const NON_MINIMAL = new Refusal("TURBO_ERR_NON_MINIMAL_LENGTH");

/** Throws if the first two bytes of a frame are invalid. */
function checkFirstBytes({ rsv, opcode, fin, shortLength, isMasked }, isInMessage) {
  if (rsv & 0x30) throw new Refusal("WS_ERR_UNEXPECTED_RSV_2_3");
  if (rsv & 0x40) throw new Refusal("WS_ERR_UNEXPECTED_RSV_1");
  const isDue = opcode === CONTINUATION ? isInMessage : !isInMessage;
  const isData = [CONTINUATION, TEXT, BINARY].includes(opcode);
  if (isData ? !isDue : ![CLOSE, PING, PONG].includes(opcode)) {
    throw new Refusal("WS_ERR_INVALID_OPCODE");
  }
  if (!isData && !fin) throw new Refusal("WS_ERR_EXPECTED_FIN");
  if (!isData && (shortLength > 125 || (opcode === CLOSE && shortLength === 1))) {
    throw new Refusal("WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH");
  }
  if (!isMasked) throw new Refusal("WS_ERR_EXPECTED_MASK");
}

class Model {
  events = [];
  answers = [];
  #kind;
  #limits;
  /** The message under way: its opcode, payload and fragments so far. */
  #message;

  constructor(kind, limits) {
    this.#kind = kind;
    this.#limits = limits;
  }

  /** Handles all bytes of a peer before its FIN. */
  handle(bytes) {
    try {
      let rest = bytes;
      while (rest !== undefined) rest = this.#handleFrame(rest);
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      this.events.push(["error", refusal.code]);
      this.answers.push(["close", refusal.closeCode, ""]);
    }
    if (this.events.at(-1)?.[0] !== "close") this.events.push(["close", 1006, ""]);
  }

  /** @returns {Buffer | undefined} the bytes behind the frame; `undefined` at the end */
  #handleFrame(bytes) {
    const header = decodeHeader(bytes);
    if (header === undefined) return undefined;
    checkFirstBytes(header, this.#message !== undefined);
    const isData = header.opcode < CLOSE;
    if (header.length === undefined) return undefined;
    this.#checkLength(header, isData);
    if (header.key === undefined) return undefined;
    const end = header.headerLength + header.length;
    const payload = masked(bytes.subarray(header.headerLength, end), header.key);
    const isWhole = bytes.length >= end;
    if (isData) this.#handleFragment(header, payload, isWhole);
    else if (isWhole) this.#handleControl(header.opcode, payload);
    return isWhole && !this.#isClosed() ? bytes.subarray(end) : undefined;
  }

  #checkLength({ length, isMinimal, key }, isData) {
    const { wantsMinimalLengths, readsHeadersWhole, countsFragmentsEarly } = this.#kind;
    if (length > Number.MAX_SAFE_INTEGER) {
      throw new Refusal("WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH", 1009);
    }
    if (wantsMinimalLengths && !isMinimal) throw NON_MINIMAL;
    if (!isData || (readsHeadersWhole && key === undefined)) return;
    const before = this.#message?.payload.length ?? 0;
    if (length > 0 && before + length > this.#limits.maxPayload) throw TOO_LONG;
    if (countsFragmentsEarly) this.#checkFragments();
  }

  /** Throws if there are as many fragments as the limit. */
  #checkFragments() {
    if ((this.#message?.fragments ?? 0) >= this.#limits.maxFragments) throw TOO_MANY;
  }

  #handleFragment({ opcode, fin }, payload, isWhole) {
    const message = this.#message ?? { opcode, payload: Buffer.alloc(0), fragments: 0 };
    const isText = message.opcode === TEXT;
    const joined = Buffer.concat([message.payload, payload]);
    if (isText && this.#kind.failsFast && !canBeginText(joined)) throw INVALID_UTF8;
    if (!isWhole) return;
    this.#checkFragments();
    if (!fin) {
      this.#message = { ...message, payload: joined, fragments: message.fragments + 1 };
      return;
    }
    if (isText && !isUtf8(joined)) throw INVALID_UTF8;
    this.#message = undefined;
    this.events.push([isText ? "text" : "binary", shown(joined)]);
  }

  #handleControl(opcode, payload) {
    if (opcode === CLOSE) {
      this.#handleClose(payload);
      return;
    }
    this.events.push([opcode === PING ? "ping" : "pong", shown(payload)]);
    if (opcode === PING) this.answers.push(["pong", shown(payload)]);
  }

  #handleClose(payload) {
    if (payload.length === 0) {
      this.events.push(["close", 1005, ""]);
      this.answers.push(["close"]);
      return;
    }
    const code = payload.readUInt16BE(0);
    const reason = payload.subarray(2);
    if (!isValidCloseCode(code)) throw new Refusal("WS_ERR_INVALID_CLOSE_CODE");
    if (!isUtf8(reason)) throw INVALID_UTF8;
    this.events.push(["close", code, shown(reason)]);
    this.answers.push(["close", code, shown(reason)]);
  }

  #isClosed() {
    return this.events.at(-1)?.[0] === "close";
  }
}

/**
 * Returns the outcome of bytes of a client, and its FIN.
 *
 * @param {Buffer} bytes
 * @param {object} kind a row of the table in `servers.js`
 * @param {{ maxPayload: number, maxFragments: number }} limits
 * @returns {{ events: unknown[], wire: unknown[] }} of the application; `wire` are the server's
 *   frames and its FIN
 */
function modelOf(bytes, kind, limits) {
  const model = new Model(kind, limits);
  model.handle(bytes);
  return { events: model.events, wire: [...model.answers, "FIN"] };
}

module.exports = { modelOf };
