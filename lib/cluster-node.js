"use strict";

const { kFanOut } = require("./adapter.js");
const { isJsonEncoder } = require("./parser-kind.js");
const { RoomDirectory } = require("./room-directory.js");

/** How many nodes there are said to be before Redis has been asked: perhaps another. */
const UNKNOWN_COUNT = 2;

/**
 * An adapter's part in a cluster: what its broadcasts and its requests go through.
 *
 * A carrier brings messages to Redis and back: `RedisLink` on a thread of its own, `RedisClients`
 * with the application's clients. Both have the same methods.
 */
class ClusterNode {
  /**
   * @param {import("socket.io-adapter").Adapter & { uid: string, channel: string,
   *   handleMessage: (channel: string, message: Buffer) => void }} adapter with our fan-out
   * @param {import("./redis-link.js").RedisLink | import("./redis-clients.js").RedisClients} carrier
   */
  constructor(adapter, carrier) {
    this.carrier = carrier;
    /** Whether packets are JSON with attachments, so that they can be made without JavaScript. */
    this.isStandard = isJsonEncoder(adapter.encoder);
    this.isClosed = false;
    this.lastServerCount = UNKNOWN_COUNT;
    this.directory = new RoomDirectory(adapter[kFanOut]);
    adapter[kFanOut].setDirectory(this.directory);
    this.namespace = this.directory.namespace;
    const { nsp, uid, channel: prefix } = adapter;
    carrier.add(this.namespace, adapter, { name: nsp.name, uid, prefix });
  }

  /**
   * @param {string} channel to which all nodes have subscribed
   * @param {boolean} isSharded
   * @param {number} timeout milliseconds that Redis may take
   * @returns {Promise<number>} how many nodes there are; while Redis does not say it, as many as
   *   there were, so that requests end by their timeout
   */
  async serverCount(channel, isSharded, timeout) {
    try {
      const counting = this.carrier.countSubscribers(channel, isSharded);
      this.lastServerCount = await within(timeout, counting);
    } catch {
      return Math.max(UNKNOWN_COUNT, this.lastServerCount);
    }
    return this.lastServerCount;
  }

  /** @returns {Promise<void>} when Redis has been left, if this was the carrier's last node */
  close() {
    this.isClosed = true;
    this.directory.close();
    return this.carrier.remove(this.namespace);
  }
}

/** As a promise, which is rejected if it takes longer. */
function within(timeout, promise) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("timeout reached")), timeout);
    promise.finally(() => clearTimeout(timer)).then(resolve, reject);
  });
}

module.exports = { ClusterNode };
