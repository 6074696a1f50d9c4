"use strict";

/**
 * Clusters by the protocol of the sharded adapter of @socket.io/redis-adapter, in all its modes.
 * Under the second and later Node.js of `npm test`, and without the addon, only one.
 */

const { hasEngine } = require("../../lib/addon/index.js");
const { isFirstNode } = require("../support/node-versions.js");
const adapters = require("../support/redis/adapters.js");
const { behaves } = require("../support/redis/behaviours/all.js");
const { broadcasts } = require("../support/redis/behaviours/broadcasts.js");
const { namespaces } = require("../support/redis/behaviours/namespaces.js");
const { order } = require("../support/redis/behaviours/order.js");
const { requests } = require("../support/redis/behaviours/requests.js");

const { official, ours, oursOverIoRedis, oursOverNodeRedis } = adapters;

behaves({
  title: "with a prefix",
  kinds: [official, ours],
  senders: [0, 1],
  adapter: { sharded: true, key: "a-prefix#*" },
});

if (isFirstNode && hasEngine) {
  behaves({ kinds: [official, official], senders: [0], adapter: { sharded: true } });
  behaves({
    kinds: [ours, oursOverNodeRedis, oursOverIoRedis],
    senders: [0, 1, 2],
    behaviours: [broadcasts, requests],
    adapter: { sharded: true },
  });
  behaves({
    title: "in the mode static",
    kinds: [official, ours],
    senders: [0, 1],
    behaviours: [broadcasts, order],
    adapter: { sharded: true, subscriptionMode: "static" },
  });
  behaves({
    title: "in the mode dynamic-private",
    kinds: [official, ours],
    senders: [0, 1],
    behaviours: [broadcasts, namespaces],
    adapter: { sharded: true, subscriptionMode: "dynamic-private" },
  });
}
