"use strict";

/**
 * notepack.io for messages of other nodes. Its decoder trusts lengths: six bytes that announce 4 GiB
 * make it allocate and loop for them. So each message is validated before.
 */

const { decode, encode } = require("notepack.io");
const { binding } = require("../addon/index.js");

/**
 * Decodes a message.
 *
 * @param {Buffer} message
 * @returns {unknown}
 * @throws {Error} if it is not exactly one well-formed MessagePack value
 */
function decodeChecked(message) {
  if (!binding.isMessagePack(message)) throw new Error("not a MessagePack value");
  return decode(message);
}

module.exports = { decode: decodeChecked, encode };
