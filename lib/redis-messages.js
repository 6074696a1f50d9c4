"use strict";

/** How messages come: the numbers of src/binding/cluster.rs. */

module.exports = {
  // `SubscriptionKind`: how a channel is subscribed to.
  NAMED: 0,
  PATTERN: 1,
  SHARD: 2,
  // `MessageKind`: what comes on it.
  BROADCAST: 0,
  REQUEST: 1,
  SHARDED: 2,
};
