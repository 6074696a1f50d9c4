"use strict";

/** How messages come and go: numbers of src/binding/cluster.rs, and what it takes. */

const { toBuffer } = require("./connection.js");

/**
 * @param {Array<string | ArrayBuffer | ArrayBufferView>} packet what the parser's encoder makes of it
 * @returns {Buffer[] | undefined} its attachments, over the same memory
 */
function attachmentsOf(packet) {
  return packet.length > 1 ? packet.slice(1).map(toBuffer) : undefined;
}

/**
 * Has a node handle a message that nothing else has dropped. The official code recurses where values
 * are nested, and throws where that is too deep for it.
 *
 * @param {{ handleMessage: (channel: string, message: Buffer) => void } | undefined} node
 * @param {string} channel
 * @param {Buffer} message
 * @returns {boolean} whether it was a message
 */
function handOver(node, channel, message) {
  try {
    node?.handleMessage(channel, message);
    return true;
  } catch (error) {
    if (error instanceof RangeError && /call stack/.test(error.message)) return false;
    throw error;
  }
}

module.exports = {
  attachmentsOf,
  handOver,
  // `SubscriptionKind`: how a channel is subscribed to.
  NAMED: 0,
  PATTERN: 1,
  SHARD: 2,
  // `MessageKind`: what comes on it.
  BROADCAST: 0,
  REQUEST: 1,
  SHARDED: 2,
};
