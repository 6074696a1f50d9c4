"use strict";

/**
 * notepack.io for what comes from others. Its decoder believes lengths: six bytes that announce 4 GiB
 * have it allocate and loop for them.
 */

const { decode, encode } = require("notepack.io");
const { binding } = require("../addon/index.js");

/**
 * @param {Buffer} message
 * @returns {unknown} what notepack.io makes of it
 * @throws {Error} if it is no MessagePack, or cut, or followed by something
 */
function decodeChecked(message) {
  if (!binding.isMessagePack(message)) throw new Error("no MessagePack");
  return decode(message);
}

module.exports = { decode: decodeChecked, encode };
