"use strict";

/**
 * Clusters whose applications edit the maps of their adapters. Without the addon, and under the second
 * and later Node.js of `npm test`, only a mixed one.
 */

const { hasEngine } = require("../../lib/addon/index.js");
const { isFirstNode } = require("../support/node-versions.js");
const { official, ours, oursOverNodeRedis } = require("../support/redis/adapters.js");
const { behaves } = require("../support/redis/behaviours/all.js");
const { maps } = require("../support/redis/behaviours/maps.js");

const behaviours = [maps];

behaves({ kinds: [official, ours], senders: [0, 1], behaviours });

if (isFirstNode && hasEngine) {
  behaves({ kinds: [ours, oursOverNodeRedis], senders: [0, 1], behaviours });
  behaves({ kinds: [official, ours], senders: [0, 1], behaviours, adapter: { sharded: true } });
  behaves({
    title: "that subscribe to their rooms",
    kinds: [ours, ours],
    senders: [0],
    behaviours,
    ours: { subscriptionMode: "dynamic" },
  });
}
