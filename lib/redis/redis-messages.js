"use strict";

const { MessageKind, SubscriptionKind } = require("../addon/codes.js");
const { toBuffer } = require("../engine/connection.js");

/**
 * @param {Array<string | ArrayBuffer | ArrayBufferView>} packet what the parser's encoder makes of it
 * @returns {Buffer[] | undefined} its attachments, over the same memory
 */
function attachmentsOf(packet) {
  return packet.length > 1 ? packet.slice(1).map(toBuffer) : undefined;
}

module.exports = {
  attachmentsOf,
  NAMED: SubscriptionKind.Named,
  PATTERN: SubscriptionKind.Pattern,
  SHARD: SubscriptionKind.Shard,
  BROADCAST: MessageKind.Broadcast,
  REQUEST: MessageKind.Request,
  SHARDED: MessageKind.Sharded,
};
