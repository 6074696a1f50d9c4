"use strict";

/** A parser for both sides, as an application might bring its own: one text for each packet. */

const { EventEmitter } = require("node:events");

class Encoder {
  encode(packet) {
    return [
      JSON.stringify(packet, function (key, value) {
        // What it was before its toJSON().
        const original = this[key];
        if (ArrayBuffer.isView(original)) return { base64: original.toString("base64") };
        if (original instanceof ArrayBuffer) {
          return { base64: Buffer.from(original).toString("base64") };
        }
        return value;
      }),
    ];
  }
}

class Decoder extends EventEmitter {
  add(text) {
    const bytes = (_key, value) =>
      typeof value?.base64 === "string" ? Buffer.from(value.base64, "base64") : value;
    this.emit("decoded", JSON.parse(text, bytes));
  }

  destroy() {}
}

module.exports = { Decoder, Encoder };
