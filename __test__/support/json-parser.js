"use strict";

/** A parser for both sides, as an application might bring its own: one text for each packet. */

const { EventEmitter } = require("node:events");

class Encoder {
  encode(packet) {
    // Buffers have a toJSON() of their own.
    const ownForm = (_key, value) => (value instanceof ArrayBuffer ? Buffer.from(value) : value);
    return [JSON.stringify(packet, ownForm)];
  }
}

class Decoder extends EventEmitter {
  add(text) {
    const bytes = (_key, value) => (value?.type === "Buffer" ? Buffer.from(value.data) : value);
    this.emit("decoded", JSON.parse(text, bytes));
  }

  destroy() {}
}

module.exports = { Decoder, Encoder };
