"use strict";

/** The tests that every cluster passes, whatever adapters its nodes have. */

const { after, before, describe } = require("node:test");
const { Nodes } = require("../nodes.js");
const { endsOf, skipWithoutRedis, startRedis } = require("../server.js");
const { acknowledgements } = require("./acknowledgements.js");
const { broadcasts } = require("./broadcasts.js");
const { emitter } = require("./emitter.js");
const { listeners } = require("./listeners.js");
const { namespaces } = require("./namespaces.js");
const { order } = require("./order.js");
const { requests } = require("./requests.js");

const ALL = [acknowledgements, broadcasts, listeners, namespaces, order, requests];

/** A guard against hanging only, in milliseconds. */
const TIMEOUT = 60_000;

/**
 * @typedef {object} Protocol
 * @property {boolean} isSharded
 * @property {boolean} isOrdered true if nodes subscribe to a room before it has a member
 *
 * @typedef {(started: () => Nodes, index: number, protocol: Protocol) => void} Behaviour adds the tests
 *   of one subject; `index` is that of the node that sends or asks
 */

/** @returns {Protocol} of adapters with these options */
function protocolOf({ sharded: isSharded = false, subscriptionMode }) {
  const mode = subscriptionMode ?? (isSharded ? "dynamic" : "pattern");
  return { isSharded, isOrdered: !mode.startsWith("dynamic") };
}

/**
 * Tests that a cluster does what the official one does.
 *
 * @param {object} plan
 * @param {string} [plan.title]
 * @param {import("../adapters.js").AdapterKind[]} plan.kinds of the nodes' adapters
 * @param {number[]} plan.senders the nodes that send
 * @param {Behaviour[]} [plan.behaviours] by default, all
 * @param {object} [plan.adapter] options of all adapters
 * @param {object} [plan.ours] options of ours alone
 * @param {object} [plan.server] options of Socket.IO
 * @param {object} [plan.client] options of the clients
 * @param {Protocol} [plan.protocol] by default, that of the options
 */
function behaves({ title = "", kinds, senders, behaviours = ALL, ...options }) {
  const names = kinds.map(({ name }) => name).join(", ");
  const { protocol = protocolOf({ ...options.adapter, ...options.ours }) } = options;
  describe(`${names} ${title}`, { skip: skipWithoutRedis, timeout: TIMEOUT }, () => {
    const ends = endsOf({ after });
    let nodes;
    before(async () => {
      const url = await startRedis(ends);
      const server = { cleanupEmptyChildNamespaces: true, ...options.server };
      nodes = await Nodes.start(url, kinds, { ...options, server });
      ends(() => nodes.close());
    });
    for (const sender of senders) {
      describe(`from ${kinds[sender].name}`, () => {
        for (const behave of behaviours) behave(() => nodes, sender, protocol);
      });
    }
    // It knows the classic protocol only.
    if (!protocol.isSharded) {
      describe("from the emitter", () => emitter(() => nodes, options.adapter));
    }
  });
}

module.exports = { behaves };
