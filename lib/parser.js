"use strict";

/**
 * A drop-in for socket.io-parser 4.2.7: same classes, same bytes, same events,
 * same errors. V8's JSON makes and reads the values, Rust converts long strings
 * (`long-text.js`), and what is around it is written for the JIT: one pass over
 * the header, binary data found without needless `instanceof`.
 *
 * Socket.IO v5, "Packet encoding".
 */

const { Emitter } = require("@socket.io/component-emitter");
const { BINARY, LONG_TEXT, deconstruct, inspect, isBinary, reconstruct } = require("./binary.js");
const longText = require("./long-text.js");
const { PacketType, isPacketValid, isPayloadValid, protocol } = require("./packet.js");

const { EVENT, ACK, BINARY_EVENT, BINARY_ACK } = PacketType;

/** From the type of a plain packet to that of its binary form. */
const BINARY_OFFSET = BINARY_EVENT - EVENT;

const DASH = 0x2d;
const SLASH = 0x2f;
const ZERO = 0x30;
const NINE = 0x39;
const COMMA = 0x2c;
const BRACKET = 0x5b;
const BRACE = 0x7b;
const QUOTE = 0x22;

/** Encodes packets. Stateless; one instance serves a whole server. */
class Encoder {
  /**
   * @param {((this: any, key: string, value: any) => any)} [replacer] for `JSON.stringify`
   */
  constructor(replacer) {
    this.replacer = replacer;
  }

  /**
   * @param {{ type: number, nsp?: string, id?: number, data?: unknown, attachments?: number }} packet
   *   left as it is
   * @returns {unknown[]} the text, followed by the attachments, each the very
   *   object found in `data`
   * @throws {TypeError} what `JSON.stringify` or a getter throws
   * @throws {RangeError} where `data` is cyclic, or too deep for the stack
   */
  encode(packet) {
    const { type } = packet;
    if (type !== EVENT && type !== ACK) {
      const isBinaryType = type === BINARY_EVENT || type === BINARY_ACK;
      const prefix = isBinaryType ? `${type}${packet.attachments}-` : `${type}`;
      return [prefix + this.#rest(packet, packet.data, false)];
    }
    const found = inspect(packet);
    if (found !== BINARY) {
      const hasLongText = found === LONG_TEXT && this.replacer === undefined;
      return [type + this.#rest(packet, packet.data, hasLongText)];
    }
    const attachments = [];
    const data = deconstruct(packet.data, attachments);
    const prefix = `${type + BINARY_OFFSET}${attachments.length}-`;
    return [prefix + this.#rest(packet, data, false), ...attachments];
  }

  /** All that follows the type and the number of attachments. */
  #rest(packet, data, hasLongText) {
    const { nsp, id } = packet;
    let text = nsp && nsp !== "/" ? `${nsp},` : "";
    if (id !== undefined && id !== null) text += id;
    if (data === undefined || data === null) return text;
    return text + (hasLongText ? longText.stringify(data) : JSON.stringify(data, this.replacer));
  }
}

/**
 * Decodes packets, one connection each. Emits `decoded` with the packet,
 * synchronously within {@link Decoder#add}.
 */
class Decoder extends Emitter {
  /**
   * @param {((this: any, key: string, value: any) => any) |
   *   { reviver?: Function, maxAttachments?: number }} [options] a reviver for
   *   `JSON.parse`; the number of attachments that a packet may have (10)
   */
  constructor(options) {
    super();
    this.opts = {
      reviver: undefined,
      maxAttachments: 10,
      ...(typeof options === "function" ? { reviver: options } : options),
    };
    /** The packet whose attachments are awaited, with those that have come. */
    this.reconstructor = null;
  }

  /**
   * @param {unknown} data what one message carried: a string, or an attachment
   * @throws {Error} where the peer broke the protocol; the connection is to be closed
   */
  add(data) {
    if (typeof data === "string") {
      if (this.reconstructor) throw new Error("got plaintext data when reconstructing a packet");
      this.#addText(data);
    } else if (isBinary(data) || data.base64) {
      if (!this.reconstructor) {
        throw new Error("got binary data when not reconstructing a packet");
      }
      this.#addAttachment(data);
    } else {
      throw new Error(`Unknown type: ${data}`);
    }
  }

  /** Forgets a packet whose attachments have not all come. */
  destroy() {
    this.reconstructor = null;
  }

  #addText(text) {
    const packet = decodeText(text, this.opts);
    if (packet.type < BINARY_EVENT) {
      this.#emitDecoded(packet);
    } else {
      packet.type -= BINARY_OFFSET;
      this.reconstructor = { packet, attachments: [] };
    }
  }

  #addAttachment(attachment) {
    const { packet, attachments } = this.reconstructor;
    if (attachments.push(attachment) !== packet.attachments) return;
    packet.data = reconstruct(packet.data, attachments);
    delete packet.attachments;
    this.reconstructor = null;
    this.#emitDecoded(packet);
  }

  #emitDecoded(packet) {
    const listeners = this.listeners("decoded");
    if (listeners.length === 1) {
      listeners[0].call(this, packet);
    } else {
      this.emitReserved("decoded", packet);
    }
  }
}

/**
 * @param {string} text
 * @param {{ reviver?: Function, maxAttachments: number }} options
 * @returns {object} the packet; its type and `attachments` as on the wire
 * @throws {Error} with the text that socket.io-parser has for it
 */
function decodeText(text, options) {
  let position = 1;
  const type = text.charCodeAt(0) - ZERO;
  // `NaN` for "", which decodes as CONNECT.
  if (!(type >= 0 && type <= 6)) return decodeOddType(text, options);
  let attachments;
  if (type >= BINARY_EVENT) {
    const dash = text.indexOf("-", 1);
    attachments = parseAttachments(text, dash, options.maxAttachments);
    position = dash + 1;
  }
  return decodeRest(text, position, type, attachments, options);
}

/**
 * A type that is no digit: socket.io-parser converts it by `Number()`, to which
 * white space is 0.
 */
function decodeOddType(text, options) {
  const type = Number(text.charAt(0));
  if (type !== 0) throw new Error(`unknown packet type ${type}`);
  return decodeRest(text, 1, type, undefined, options);
}

/** Socket.IO v5: "number of binary attachments", here by `Number()` as upstream. */
function parseAttachments(text, dash, maxAttachments) {
  const digits = text.slice(1, dash);
  const count = Number(digits);
  // None at all would leave the decoder armed: CVE-2026-69185.
  if (dash === -1 || !Number.isInteger(count) || count < 1) {
    throw new Error("Illegal attachments");
  }
  if (count > maxAttachments) throw new Error("too many attachments");
  return count;
}

function decodeRest(text, start, type, attachments, options) {
  let position = start;
  let nsp = "/";
  if (text.charCodeAt(position) === SLASH) {
    const comma = text.indexOf(",", position);
    const end = comma === -1 ? text.length : comma;
    nsp = text.slice(position, end);
    position = end + 1;
  }
  const packet = attachments === undefined ? { type, nsp } : { type, attachments, nsp };
  const first = text.charCodeAt(position);
  if (first !== BRACKET && first !== BRACE && first !== QUOTE) {
    const end = endOfId(text, position);
    if (end > position) packet.id = Number(text.slice(position, end));
    position = end;
  }
  if (position < text.length) {
    const data = parseJson(position === 0 ? text : text.slice(position), options.reviver);
    const plainType = type < BINARY_EVENT ? type : type - BINARY_OFFSET;
    if (!isPayloadValid(plainType, data)) throw new Error("invalid payload");
    packet.data = data;
  }
  return packet;
}

/**
 * The position after the ack id at `position`. White space counts as digits, as
 * `Number(c) == c` has it in socket.io-parser.
 */
function endOfId(text, position) {
  let end = position;
  while (end < text.length) {
    const code = text.charCodeAt(end);
    const isDigit = code >= ZERO && code <= NINE;
    // biome-ignore lint/suspicious/noDoubleEquals: the conversion is the point.
    if (!isDigit && Number(text[end]) != text[end]) break;
    end++;
  }
  return end;
}

/** @returns {unknown} the value, or `false` where the text is not JSON: no payload may be false */
function parseJson(json, reviver) {
  try {
    if (reviver !== undefined) return JSON.parse(json, reviver);
    return json.length < longText.PARSE_LENGTH ? JSON.parse(json) : longText.parse(json);
  } catch {
    return false;
  }
}

module.exports = { Decoder, Encoder, PacketType, isPacketValid, protocol };
