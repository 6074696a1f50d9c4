"use strict";

/**
 * Clusters by the protocol of @socket.io/redis-adapter: with our adapter on all nodes or on some, and
 * official ones, which show that the tests ask for nothing new. Under the second and later Node.js of
 * `npm test`, and without the addon, only a mixed one.
 */

const { hasEngine } = require("../../lib/addon/index.js");
const { isFirstNode } = require("../support/node-versions.js");
const parser = require("../support/json-parser.js");
const adapters = require("../support/redis/adapters.js");
const { acknowledgements } = require("../support/redis/behaviours/acknowledgements.js");
const { behaves } = require("../support/redis/behaviours/all.js");
const { broadcasts } = require("../support/redis/behaviours/broadcasts.js");
const { namespaces } = require("../support/redis/behaviours/namespaces.js");
const { requests } = require("../support/redis/behaviours/requests.js");

const { official, officialOverIoRedis, ours, oursOverIoRedis, oursOverNodeRedis } = adapters;

behaves({ kinds: [official, ours], senders: [0, 1], adapter: { key: "a-key#*" } });

if (isFirstNode && hasEngine) {
  behaves({ kinds: [official, official], senders: [0] });
  behaves({ kinds: [ours, ours, ours], senders: [0] });
  behaves({ kinds: [oursOverNodeRedis, officialOverIoRedis, oursOverIoRedis], senders: [0, 2] });
  behaves({
    title: "that answer only the node that asks",
    kinds: [ours, official],
    senders: [0, 1],
    behaviours: [acknowledgements, requests],
    adapter: { publishOnSpecificResponseChannel: true },
  });
  behaves({
    title: "with another parser",
    kinds: [official, ours, ours],
    senders: [0, 1],
    behaviours: [acknowledgements, broadcasts],
    server: { parser },
    client: { parser },
  });
  behaves({
    title: "that subscribe to their rooms",
    kinds: [ours, official, ours],
    senders: [0, 1],
    behaviours: [broadcasts, namespaces, requests],
    ours: { subscriptionMode: "dynamic" },
  });
}
