"use strict";

/**
 * A drop-in replacement for socket.io-parser 4.2.7: same classes, same bytes, same events, same
 * errors. V8's JSON encodes and decodes the values, Rust quotes long strings (`long-text.js`), and the
 * rest is written for the JIT: one pass over the header, binary data found without needless
 * `instanceof` and deconstructed without copying values that hold none.
 *
 * Socket.IO v5, "Packet encoding".
 */

const official = require("socket.io-parser");
const { BINARY, LONG_TEXT, deconstruct, inspect, isBinary, reconstruct } = require("./binary.js");
const { LastEvent } = require("./last-event.js");
const { stringify } = require("./long-text.js");
const { PacketType, isPacketValid, isPayloadValid, protocol } = require("./packet.js");
const { decodeMethod, encodeMethod } = require("../untouched.js");

const { EVENT, ACK, BINARY_EVENT, BINARY_ACK } = PacketType;

/** The difference between the types of a packet with and without attachments. */
const BINARY_OFFSET = BINARY_EVENT - EVENT;

const SLASH = 0x2f;
const ZERO = 0x30;
const NINE = 0x39;
const BRACKET = 0x5b;
const BRACE = 0x7b;
const QUOTE = 0x22;

/**
 * Encodes packets. One instance serves a whole server, and keeps nothing but its last event. If `encode()`
 * of socket.io-parser has been replaced, for instance by tracing, the replacement encodes.
 */
class Encoder extends official.Encoder {
  #lastEvent = new LastEvent();

  /**
   * Encodes a packet.
   *
   * @param {{ type: number, nsp?: string, id?: number, data?: unknown, attachments?: number }} packet
   *   not modified
   * @returns {unknown[]} the text, followed by the attachments, which are the objects in `data`
   * @throws {TypeError} whatever `JSON.stringify` or a getter throws
   * @throws {RangeError} if `data` is cyclic, or too deep for the stack
   */
  encode(packet) {
    if (!encodeMethod.areUntouched) return super.encode(packet);
    const type = packet.type; // throws for null, as socket.io-parser does
    if (type !== EVENT && type !== ACK) {
      // `+=` asks an object for `valueOf` first, as socket.io-parser does; a template would not.
      let prefix = "";
      prefix += type;
      if (type === BINARY_EVENT || type === BINARY_ACK) {
        prefix += packet.attachments;
        prefix += "-";
      }
      return [prefix + this.#rest(packet, packet.data, false)];
    }
    const isRepeatable = type === EVENT && this.replacer === undefined;
    const repeated = isRepeatable ? this.#lastEvent.textOf(packet) : "";
    if (repeated !== "") return [repeated];
    const found = inspect(packet);
    if (found !== BINARY) {
      const hasLongText = found === LONG_TEXT && this.replacer === undefined;
      const text = (type === EVENT ? "2" : "3") + this.#rest(packet, packet.data, hasLongText);
      if (isRepeatable) this.#lastEvent.keep(packet, text);
      return [text];
    }
    const parts = [""];
    const data = deconstruct(packet.data, parts, this.replacer === undefined);
    const count = parts.length - 1;
    const digit = type === EVENT ? "5" : "6";
    parts[0] = `${digit}${count}-${this.#rest(packet, data, false)}`;
    return parts;
  }

  /** Encodes everything after the type and the number of attachments. */
  #rest(packet, data, hasLongText) {
    const { nsp, id } = packet;
    let text = "";
    if (nsp && nsp !== "/") {
      text += nsp;
      text += ",";
    }
    if (id !== undefined && id !== null) text += id;
    if (data === undefined || data === null) return text;
    return text + (hasLongText ? stringify(data) : JSON.stringify(data, this.replacer));
  }
}

/**
 * Decodes the packets of one connection. Emits `decoded` with each packet, synchronously within
 * {@link Decoder#add}. If `add()` of socket.io-parser has been replaced, the replacement decodes.
 */
class Decoder extends official.Decoder {
  /**
   * @param {((this: any, key: string, value: any) => any) |
   *   { reviver?: Function, maxAttachments?: number }} [options] a reviver for `JSON.parse`; the maximum
   *   number of attachments of a packet, by default 10
   */
  constructor(options) {
    super(options);
    /** The packet whose attachments are awaited, with the attachments received so far. */
    this.reconstructor = null;
    /** Set while the `reconstructor` is socket.io-parser's. */
    this.isOfficial = false;
  }

  /**
   * Decodes a message.
   *
   * @param {unknown} data the text of a packet, or an attachment
   * @throws {Error} if the peer broke the protocol; the connection has to be closed
   */
  add(data) {
    // A packet with attachments is decoded to its end by the same decoder.
    if (!this.reconstructor) this.isOfficial = !decodeMethod.areUntouched;
    if (this.isOfficial) {
      super.add(data);
      return;
    }
    if (typeof data === "string") {
      if (this.reconstructor) throw new Error("got plaintext data when reconstructing a packet");
      this.#addText(data);
    } else if (isBinary(data) || data.base64) {
      if (!this.reconstructor) {
        throw new Error("got binary data when not reconstructing a packet");
      }
      this.#addAttachment(data);
    } else {
      // biome-ignore lint/style/useTemplate: a template would not ask for `valueOf`.
      throw new Error("Unknown type: " + data);
    }
  }

  /** Forgets a packet whose attachments have not all been received. */
  destroy() {
    if (this.isOfficial) super.destroy();
    this.reconstructor = null;
  }

  #addText(text) {
    const type = typeOf(text);
    if (type < BINARY_EVENT) {
      this.#emitDecoded(decode(text, 1, type, this.opts.reviver));
      return;
    }
    const dash = text.indexOf("-", 1);
    const awaited = attachmentCount(text, dash, this.opts.maxAttachments);
    const packet = decode(text, dash + 1, type - BINARY_OFFSET, this.opts.reviver);
    this.reconstructor = { packet, awaited, attachments: [] };
  }

  #addAttachment(attachment) {
    const { packet, awaited, attachments } = this.reconstructor;
    // Only after an error can there be more than awaited, and these are ignored.
    if (attachments.length === awaited || attachments.push(attachment) < awaited) return;
    packet.data = reconstruct(packet.data, attachments);
    this.reconstructor = null;
    this.#emitDecoded(packet);
  }

  #emitDecoded(packet) {
    const listeners = this.listeners("decoded");
    if (listeners.length === 1) {
      listeners[0].call(this, packet);
    } else {
      super.emitReserved("decoded", packet);
    }
  }
}

/**
 * Returns the packet type, by `Number()` as in socket.io-parser, for which the empty string and white
 * space are 0.
 */
function typeOf(text) {
  const digit = text.charCodeAt(0) - ZERO;
  if (digit >= 0 && digit <= BINARY_ACK) return digit;
  const type = Number(text.charAt(0));
  if (type !== 0) throw new Error(`unknown packet type ${type}`);
  return type;
}

/**
 * Returns the number of attachments, by `Number()` as in socket.io-parser.
 *
 * Socket.IO v5, "number of binary attachments".
 */
function attachmentCount(text, dash, maxAttachments) {
  const count = Number(text.slice(1, dash));
  // With 0 the decoder would wait for attachments for ever: CVE-2026-69185.
  if (dash === -1 || !Number.isInteger(count) || count < 1) {
    throw new Error("Illegal attachments");
  }
  if (count > maxAttachments) throw new Error("too many attachments");
  return count;
}

/**
 * Decodes everything after the type and the number of attachments.
 *
 * @param {string} text
 * @param {number} start the index at which it begins
 * @param {number} type the type of the packet, as if it had no attachments
 * @param {Function} [reviver]
 * @returns {{ type: number, nsp: string, id?: number, data?: unknown }}
 * @throws {Error} "invalid payload"
 */
function decode(text, start, type, reviver) {
  let position = start;
  let nsp = "/";
  if (text.charCodeAt(position) === SLASH) {
    const comma = text.indexOf(",", position);
    const end = comma === -1 ? text.length : comma;
    nsp = text.slice(position, end);
    position = end + 1;
  }
  const packet = { type, nsp };
  const first = text.charCodeAt(position);
  if (first !== BRACKET && first !== BRACE && first !== QUOTE) {
    const end = endOfId(text, position);
    if (end > position) packet.id = Number(text.slice(position, end));
    position = end;
  }
  if (position < text.length) {
    const data = parseJson(text.slice(position), reviver);
    if (!isPayloadValid(type, data)) throw new Error("invalid payload");
    packet.data = data;
  }
  return packet;
}

/**
 * Returns the position after the ack id at `position`. White space counts as digits, as it does in
 * socket.io-parser, which tests `Number(c) == c`.
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

/** Returns the value of a JSON text; `false`, which no payload may be, if it is malformed. */
function parseJson(json, reviver) {
  try {
    return JSON.parse(json, reviver);
  } catch {
    return false;
  }
}

module.exports = { Decoder, Encoder, PacketType, isPacketValid, protocol };
