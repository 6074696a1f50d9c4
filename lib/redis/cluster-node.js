"use strict";

const { kFanOut } = require("../adapter/index.js");
const { isJsonEncoder } = require("./parser-kind.js");
const { RoomDirectory } = require("./room-directory.js");

/** How many nodes there are said to be before Redis has been asked: perhaps another. */
const UNKNOWN_COUNT = 2;

/**
 * An adapter's part in a cluster: what its broadcasts and its requests go through, until it is
 * closed. Sockets may still come and go then, as one of a namespace that Socket.IO has removed while
 * its middleware was under way: the methods do nothing any more.
 *
 * A transport brings messages to Redis and back: `RedisLink` on a thread of its own, `ClientPair`
 * with the application's clients. Both have the same methods.
 */
class ClusterNode {
  /**
   * @param {import("socket.io-adapter").Adapter & { uid: string, channel: string,
   *   handleMessage: (channel: string, message: Buffer) => void }} adapter with our fan-out
   * @param {import("./own-connection.js").RedisLink | import("./client-pair.js").ClientPair} transport
   */
  constructor(adapter, transport) {
    this.transport = transport;
    /** Whether packets are JSON with attachments, so that they can be made without JavaScript. */
    this.isStandard = isJsonEncoder(adapter.encoder);
    this.isClosed = false;
    /** The promise that `close()` has returned. */
    this.left = null;
    this.lastServerCount = UNKNOWN_COUNT;
    this.directory = new RoomDirectory(adapter[kFanOut]);
    adapter[kFanOut].setDirectory(this.directory);
    this.namespace = this.directory.namespace;
    const { nsp, uid, channel: prefix } = adapter;
    transport.add(this.namespace, adapter, { name: nsp.name, uid, prefix });
    /** Which all nodes hear. */
    this.commonChannel = adapter.requestChannel ?? adapter.channel;
    transport.countListener(this.commonChannel, 1);
  }

  /**
   * @param {number} messageKind what comes on the channels
   * @param {number} kind how they are subscribed to; both as in `transport.js`
   * @param {string[]} channels
   */
  subscribe(messageKind, kind, channels) {
    if (!this.isClosed) this.transport.subscribe(this.namespace, messageKind, kind, channels);
  }

  /** Ends what `subscribe()` began, with the same parameters. */
  unsubscribe(messageKind, kind, channels) {
    if (!this.isClosed) this.transport.unsubscribe(this.namespace, messageKind, kind, channels);
  }

  /**
   * @param {string} channel
   * @param {string | Buffer} message
   * @param {boolean} isSharded whether by `SPUBLISH`
   */
  publish(channel, message, isSharded) {
    if (!this.isClosed) this.transport.publish(channel, message, isSharded);
  }

  /**
   * @param {string} channel
   * @param {Array<string | Uint8Array>} packet what the parser's encoder makes of it
   * @param {string} options `{ rooms, except, flags }` as JSON
   * @param {boolean} isSharded whether by `SPUBLISH`, in the sharded protocol
   */
  publishBroadcast(channel, packet, options, isSharded) {
    if (this.isClosed) return;
    this.transport.publishBroadcast(this.namespace, channel, packet, options, isSharded);
  }

  /** Counts a message that could not be decoded. */
  countMalformed() {
    this.transport.countMalformed();
  }

  /** Emits `error` on the factory, or prints a warning. */
  report(problem) {
    this.transport.report(problem);
  }

  /**
   * @param {boolean} isSharded
   * @param {number} timeout milliseconds that Redis may take
   * @returns {Promise<number>} how many nodes there are; while Redis does not say it, as many as
   *   there were, so that requests end by their timeout
   */
  async serverCount(isSharded, timeout) {
    if (this.isClosed) return 1;
    try {
      const counting = this.transport.countNodes(this.commonChannel, isSharded);
      this.lastServerCount = await within(timeout, counting);
    } catch {
      return Math.max(UNKNOWN_COUNT, this.lastServerCount);
    }
    return this.lastServerCount;
  }

  /**
   * @returns {Promise<void>} when Redis has been left, if this was the transport's last node; the same
   *   when it is called again
   */
  close() {
    this.left ??= this.leave();
    return this.left;
  }

  leave() {
    this.isClosed = true;
    this.transport.countListener(this.commonChannel, -1);
    this.directory.close();
    return this.transport.remove(this.namespace);
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
