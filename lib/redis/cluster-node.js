"use strict";

const { clusteredFanOutOf } = require("./clustered-fan-out.js");
const { RoomDirectory } = require("./room-directory.js");

/** The number of nodes assumed until Redis has answered: there may be another. */
const UNKNOWN_COUNT = 2;

/** A packet, and the text that socket.io-parser makes of it. */
const SAMPLE = { type: 2, nsp: "/a", data: ["e", new Uint8Array([1])] };
const SAMPLE_TEXT = '51-/a,["e",{"_placeholder":true,"num":0}]';

/**
 * Returns whether an encoder makes the packets of socket.io-parser, which are JSON with attachments,
 * so that the addon can make packets for its clients. A `replacer` changes the JSON.
 *
 * @param {{ encode: (packet: object) => unknown[], replacer?: unknown }} encoder of a parser
 * @returns {boolean}
 */
function isJsonEncoder(encoder) {
  if (encoder.replacer !== undefined) return false;
  const encoded = encoder.encode({ ...SAMPLE, data: [...SAMPLE.data] });
  return Array.isArray(encoded) && encoded.length === 2 && encoded[0] === SAMPLE_TEXT;
}

/**
 * An adapter's part in a cluster: its subscriptions, its publications and its room directory. The
 * adapter makes one in its constructor, and calls `close()` at its own end. Sockets may still come and
 * go then, for instance in a namespace that Socket.IO removed while its middleware was running, so all
 * other methods do nothing from then on.
 *
 * A transport carries the messages: `OwnConnection` with a thread of its own, `ClientPair` with the
 * application's clients. Both have the same methods.
 */
class ClusterNode {
  #namespace;
  /** The channel to which all nodes subscribe. */
  #commonChannel;
  /** The promise that `close()` has returned. */
  #left = null;
  #lastServerCount = UNKNOWN_COUNT;

  /**
   * @param {import("socket.io-adapter").Adapter & { uid: string, channel: string,
   *   handleMessage: (channel: string, message: Buffer) => void }} adapter with a `ClusteredFanOut`
   * @param {import("./own-connection.js").OwnConnection | import("./client-pair.js").ClientPair}
   *   transport
   */
  constructor(adapter, transport) {
    /** @private read by tests */
    this.transport = transport;
    /** True if packets are JSON with attachments, so that the addon can make and read them. */
    this.isStandard = isJsonEncoder(adapter.encoder);
    this.isClosed = false;
    const fanOut = clusteredFanOutOf(adapter);
    /** @private read by tests */
    this.directory = new RoomDirectory(fanOut);
    fanOut.attach(this.directory);
    this.#namespace = this.directory.namespace;
    const { nsp, uid, channel: prefix } = adapter;
    transport.add(this.#namespace, adapter, { name: nsp.name, uid, prefix });
    this.#commonChannel = adapter.requestChannel ?? adapter.channel;
    transport.countListener(this.#commonChannel, 1);
  }

  /**
   * Subscribes to channels.
   *
   * @param {number} messageKind the form of the messages on them
   * @param {number} kind the kind of subscription; both numbers as in `transport.js`
   * @param {string[]} channels
   */
  subscribe(messageKind, kind, channels) {
    if (!this.isClosed) this.transport.subscribe(this.#namespace, messageKind, kind, channels);
  }

  /** Ends what `subscribe()` began, with the same parameters. */
  unsubscribe(messageKind, kind, channels) {
    if (!this.isClosed) this.transport.unsubscribe(this.#namespace, messageKind, kind, channels);
  }

  /**
   * Publishes a message.
   *
   * @param {string} channel
   * @param {string | Buffer} message
   * @param {boolean} isSharded true for `SPUBLISH`
   */
  publish(channel, message, isSharded) {
    if (!this.isClosed) this.transport.publish(channel, message, isSharded);
  }

  /**
   * Publishes a broadcast, whose message the addon makes.
   *
   * @param {string} channel
   * @param {Array<string | Uint8Array>} packet as encoded by the parser
   * @param {string} options `{ rooms, except, flags }` as JSON
   * @param {boolean} isSharded true for `SPUBLISH`, in the sharded protocol
   */
  publishBroadcast(channel, packet, options, isSharded) {
    if (this.isClosed) return;
    this.transport.publishBroadcast(this.#namespace, channel, packet, options, isSharded);
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
   * Returns the number of nodes. While Redis does not answer, it is the number that there were, so that
   * requests end by their timeout.
   *
   * @param {boolean} isSharded
   * @param {number} timeout milliseconds that Redis may take
   * @returns {Promise<number>}
   */
  async serverCount(isSharded, timeout) {
    if (this.isClosed) return 1;
    try {
      const counting = this.transport.countNodes(this.#commonChannel, isSharded);
      this.#lastServerCount = await within(timeout, counting);
    } catch {
      return Math.max(UNKNOWN_COUNT, this.#lastServerCount);
    }
    return this.#lastServerCount;
  }

  /**
   * Leaves the cluster.
   *
   * @returns {Promise<void>} resolves at once, or after the connection to Redis has ended if this was
   *   the transport's last node; further calls return the same promise
   */
  close() {
    this.#left ??= this.#leave();
    return this.#left;
  }

  #leave() {
    this.isClosed = true;
    this.transport.countListener(this.#commonChannel, -1);
    this.directory.close();
    return this.transport.remove(this.#namespace);
  }
}

/** Returns a promise that settles as `promise` does, but is rejected after `timeout` milliseconds. */
function within(timeout, promise) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("timeout reached")), timeout);
    promise.finally(() => clearTimeout(timer)).then(resolve, reject);
  });
}

module.exports = { ClusterNode };
