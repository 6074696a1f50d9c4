"use strict";

/** How messages come and go: numbers of src/binding/cluster.rs, and what it takes. */

const { toBuffer } = require("../engine/payload.js");

/**
 * @param {Array<string | ArrayBuffer | ArrayBufferView>} packet what the parser's encoder makes of it
 * @returns {Buffer[] | undefined} its attachments, over the same memory
 */
function attachmentsOf(packet) {
  return packet.length > 1 ? packet.slice(1).map(toBuffer) : undefined;
}

module.exports = {
  attachmentsOf,
  // `SubscriptionKind`: how a channel is subscribed to.
  NAMED: 0,
  PATTERN: 1,
  SHARD: 2,
  // `MessageKind`: what comes on it.
  BROADCAST: 0,
  REQUEST: 1,
  SHARDED: 2,
};
