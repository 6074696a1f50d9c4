"use strict";

/** Parsers of packets for both sides, as an application might bring its own. */

const { Emitter } = require("@socket.io/component-emitter");

/** Writes binary data as `{ base64 }`. Called with the object as `this`, before its `toJSON()`. */
function replaceBytes(key, value) {
  const original = this[key];
  if (ArrayBuffer.isView(original)) return { base64: original.toString("base64") };
  if (original instanceof ArrayBuffer) return { base64: Buffer.from(original).toString("base64") };
  return value;
}

const reviveBytes = (_key, value) =>
  typeof value?.base64 === "string" ? Buffer.from(value.base64, "base64") : value;

/** @returns {object | undefined} `undefined` while the text is not complete */
function parsed(json) {
  try {
    return JSON.parse(json, reviveBytes);
  } catch {
    return undefined;
  }
}

/**
 * Returns a parser that encodes a packet as JSON without attachments.
 *
 * @param {(json: Buffer) => Array<string | Uint8Array | ArrayBuffer>} wrap returns what is sent of it
 */
function parserOf(wrap) {
  class Encoder {
    encode(packet) {
      return wrap(Buffer.from(JSON.stringify(packet, replaceBytes)));
    }
  }
  class Decoder extends Emitter {
    #rest = "";

    add(data) {
      this.#rest += typeof data === "string" ? data : Buffer.from(data).toString();
      const packet = parsed(this.#rest);
      if (packet === undefined) return;
      this.#rest = "";
      this.emit("decoded", packet);
    }

    destroy() {}
  }
  return { Encoder, Decoder };
}

/** Encodes each packet as one text. */
const { Decoder, Encoder } = parserOf((json) => [json.toString()]);

module.exports = { Decoder, Encoder, parserOf };
