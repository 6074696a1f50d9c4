"use strict";

const SAMPLE = { type: 2, nsp: "/a", data: ["e", new Uint8Array([1])] };
const TEXT = '51-/a,["e",{"_placeholder":true,"num":0}]';

/**
 * Whether an encoder makes the packets of socket.io-parser: JSON with attachments, of which
 * others can be made without it. One with a `replacer` is another.
 *
 * @param {{ encode: (packet: object) => unknown[], replacer?: unknown }} encoder of a parser
 * @returns {boolean}
 */
function isJsonEncoder(encoder) {
  if (encoder.replacer !== undefined) return false;
  const encoded = encoder.encode({ ...SAMPLE, data: [...SAMPLE.data] });
  return Array.isArray(encoded) && encoded.length === 2 && encoded[0] === TEXT;
}

module.exports = { isJsonEncoder };
