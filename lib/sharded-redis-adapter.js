"use strict";

const { createShardedAdapter } = require("@socket.io/redis-adapter");
const { existing, kPrepare, withFanOut } = require("./adapter.js");
const { ClusterNode } = require("./cluster-node.js");
const messagePack = require("./message-pack.js");
const { REQUEST, SHARD, SHARDED } = require("./redis-messages.js");
const { decodeMessage, isClusterMessage } = require("./redis-requests.js");

/** In the place of the official adapter's two Redis clients. */
class CarrierClient {
  constructor(carrier) {
    this.carrier = carrier;
    /** The adapter, once it is there; until then, what it has subscribed to. */
    this.adapter = null;
    this.channels = [];
  }

  attach(adapter) {
    this.adapter = adapter;
    for (const channel of this.channels) this.sSubscribe(channel);
  }

  sSubscribe(channel) {
    if (this.adapter === null) this.channels.push(channel);
    else this.carrier.subscribe(...this.adapter.subscriber, SHARD, [channel]);
  }

  async sUnsubscribe(channel) {
    if (!this.adapter.isClosed)
      this.carrier.unsubscribe(...this.adapter.subscriber, SHARD, [channel]);
  }

  async sPublish(channel, message) {
    this.carrier.publish(channel, message, true);
  }
}

/** socket.io-adapter, `DEFAULT_TIMEOUT`: how long a request may take, in milliseconds. */
const REQUESTS_TIMEOUT = 5000;

/** socket.io-adapter, `MessageType.BROADCAST`. */
const BROADCAST = 3;

/** The classes of the official adapters on a carrier, by their prototypes. */
const classes = new WeakMap();

/**
 * @param {object} prototype that of the official adapters, whose class is not exported
 * @returns {Function} a class that makes of such an adapter one on a carrier
 */
function shardedAdapterOf(prototype) {
  /**
   * The adapter of @socket.io/redis-adapter's sharded protocol, on a carrier. Broadcasts go out as
   * the packet for the clients of this process, and those of other nodes go to the workers. The rest
   * is the official code.
   */
  return class ShardedRedisAdapter extends withFanOut(existing(prototype), { isInMemory: false }) {
    #node;

    constructor(adapter, carrier) {
      super(adapter);
      this.#node = new ClusterNode(this, carrier);
    }

    /** Who subscribes, and to what: that is decoded without JavaScript, if it can be. */
    get subscriber() {
      return [this.#node.namespace, this.#node.isStandard ? SHARDED : REQUEST];
    }

    get isClosed() {
      return this.#node.isClosed;
    }

    /**
     * As the official one: published first, then sent to the clients of this process. What cannot be
     * encoded is thrown at once, where `emit()` is called.
     */
    broadcast(packet, opts) {
      const { encoded, send } = this[kPrepare](packet, opts);
      if (!opts.flags?.local) return this.#publishAndSend(packet, opts, encoded, send);
      send();
      return Promise.resolve();
    }

    async #publishAndSend(packet, opts, encoded, send) {
      try {
        await this.#publish(packet, opts, encoded);
      } catch {
        // As in the official code: what other nodes cannot be told, clients of this one still get.
      }
      send();
    }

    /**
     * Publishes a broadcast. Does not wait for Redis, which may be away; but takes as many turns of
     * the queue of promises as what the official code publishes, so that all is done in its order.
     */
    #publish({ nsp: _, ...packet }, opts, encoded) {
      const { carrier, isStandard, namespace } = this.#node;
      const { flags } = opts;
      const data = { packet, opts: { rooms: [...opts.rooms], except: [...opts.except], flags } };
      const message = { type: BROADCAST, data };
      if (!isStandard) return this.publishAndReturnOffset(message);
      const [channel, options] = [this.computeChannel(message), JSON.stringify(data.opts)];
      carrier.publishBroadcast(namespace, channel, encoded, options, true);
      return Promise.resolve().then(() => "");
    }

    /** Called by the carrier with what it does not deliver by itself. */
    handleMessage(channel, message) {
      const decoded = decodeMessage(message, messagePack);
      if (!isClusterMessage(decoded)) this.#node.carrier.countMalformed();
      else if (channel === this.responseChannel) this.onResponse(decoded);
      else this.onMessage(decoded);
    }

    serverCount() {
      return this.#node.serverCount(this.channel, true, REQUESTS_TIMEOUT);
    }

    /** @returns {Promise<void>} when Redis has been left, if this was the last adapter */
    async close() {
      await Promise.all([super.close(), this.#node.close()]);
    }
  };
}

/**
 * @param {import("socket.io").Namespace} nsp
 * @param {import("./cluster-node.js").ClusterNode["carrier"]} carrier
 * @param {{ key: string, subscriptionMode: "static" | "dynamic" | "dynamic-private" }} options
 * @returns {import("socket.io-adapter").ClusterAdapter}
 */
function makeShardedAdapter(nsp, carrier, { key: channelPrefix, subscriptionMode }) {
  const client = new CarrierClient(carrier);
  const adapter = createShardedAdapter(client, client, { channelPrefix, subscriptionMode })(nsp);
  const prototype = Object.getPrototypeOf(adapter);
  let Sharded = classes.get(prototype);
  if (Sharded === undefined) {
    Sharded = shardedAdapterOf(prototype);
    classes.set(prototype, Sharded);
  }
  Object.setPrototypeOf(adapter, Sharded.prototype);
  new Sharded(adapter, carrier);
  client.attach(adapter);
  return adapter;
}

module.exports = { makeShardedAdapter };
