"use strict";

const { createShardedAdapter } = require("@socket.io/redis-adapter");
const { existing, kPrepare, withFanOut } = require("../adapter/index.js");
const { ClusterNode } = require("./cluster-node.js");
const messagePack = require("./message-pack.js");
const { REQUEST, SHARD, SHARDED } = require("./transport.js");
const { decodeMessage, isClusterMessage } = require("./requests.js");
const { encodeSockets } = require("./remote-sockets.js");

/** In the place of the official adapter's two Redis clients. */
class TransportClient {
  /** The adapter's part in the cluster, once that is there; until then, what it has subscribed to. */
  node = null;
  channels = [];

  attach(node) {
    this.node = node;
    for (const channel of this.channels) this.sSubscribe(channel);
  }

  /** Messages on the channels are decoded without JavaScript, if they can be. */
  get messageKind() {
    return this.node.isStandard ? SHARDED : REQUEST;
  }

  sSubscribe(channel) {
    if (this.node === null) this.channels.push(channel);
    else this.node.subscribe(this.messageKind, SHARD, [channel]);
  }

  async sUnsubscribe(channel) {
    this.node.unsubscribe(this.messageKind, SHARD, [channel]);
  }

  async sPublish(channel, message) {
    this.node.publish(channel, message, true);
  }
}

/** socket.io-adapter, `DEFAULT_TIMEOUT`: how long a request may take, in milliseconds. */
const REQUESTS_TIMEOUT = 5000;

/** socket.io-adapter, `MessageType`. */
const BROADCAST = 3;
const FETCH_SOCKETS_RESPONSE = 8;
const SERVER_SIDE_EMIT = 9;

/** The classes of the official adapters on a transport, by their prototypes. */
const classes = new WeakMap();

/**
 * @param {object} prototype that of the official adapters, whose class is not exported
 * @returns {Function} a class that makes of such an adapter one on a transport
 */
function shardedAdapterOf(prototype) {
  /**
   * The adapter of @socket.io/redis-adapter's sharded protocol, on a transport. Broadcasts go out as
   * the packet for the clients of this process, and those of other nodes go to the workers. The rest
   * is the official code.
   */
  return class ShardedRedisAdapter extends withFanOut(existing(prototype), { isInMemory: false }) {
    #node;

    constructor(adapter, transport, client) {
      super(adapter);
      this.#node = new ClusterNode(this, transport);
      client.attach(this.#node);
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
      } catch ({ message }) {
        // As in the official code: clients of this node get it nevertheless.
        this.#node.report(`a broadcast could not be published: ${message}`);
      }
      send();
    }

    /**
     * Publishes a broadcast. Does not wait for Redis, which may be away; but takes as many turns of
     * the queue of promises as what the official code publishes, so that all is done in its order.
     */
    #publish({ nsp: _, ...packet }, opts, encoded) {
      const { flags } = opts;
      const data = { packet, opts: { rooms: [...opts.rooms], except: [...opts.except], flags } };
      const message = { type: BROADCAST, data };
      if (!this.#node.isStandard) return this.publishAndReturnOffset(message);
      const [channel, options] = [this.computeChannel(message), JSON.stringify(data.opts)];
      this.#node.publishBroadcast(channel, encoded, options, true);
      return Promise.resolve().then(() => "");
    }

    /** Called by the transport with what it does not deliver by itself. */
    handleMessage(channel, message) {
      const decoded = decodeMessage(message, messagePack);
      if (!isClusterMessage(decoded)) this.#node.countMalformed();
      else if (channel === this.responseChannel) this.onResponse(decoded);
      else this.onMessage(decoded);
    }

    /** As the official one, without what cannot be encoded of the application's values. */
    doPublishResponse(requester, response) {
      if (response.type !== FETCH_SOCKETS_RESPONSE)
        return super.doPublishResponse(requester, response);
      const { data } = response;
      const encode = (sockets) => this.encode({ ...response, data: { ...data, sockets } });
      const message = encodeSockets(data.sockets, encode, (problem) => this.#node.report(problem));
      return this.pubClient.sPublish(`${this.channel}${requester}#`, message);
    }

    /** As the official one; but what cannot be encoded is thrown at once. */
    serverSideEmit(packet) {
      const values = typeof packet.at(-1) === "function" ? packet.slice(0, -1) : packet;
      this.encode({ type: SERVER_SIDE_EMIT, data: { packet: values } });
      return super.serverSideEmit(packet);
    }

    serverCount() {
      return this.#node.serverCount(true, REQUESTS_TIMEOUT);
    }

    /**
     * Leaves the cluster. What the adapter is asked for then concerns this process alone.
     *
     * @returns {Promise<void>} when Redis has been left, if this was the last adapter
     */
    async close() {
      if (!this.#node.isClosed) await Promise.all([super.close(), this.#node.close()]);
      await this.#node.close();
    }
  };
}

/**
 * @param {import("socket.io").Namespace} nsp
 * @param {import("./cluster-node.js").ClusterNode["transport"]} transport
 * @param {{ key: string, subscriptionMode: "static" | "dynamic" | "dynamic-private" }} options
 * @returns {import("socket.io-adapter").ClusterAdapter}
 */
function makeShardedAdapter(nsp, transport, { key: channelPrefix, subscriptionMode }) {
  const client = new TransportClient();
  const adapter = createShardedAdapter(client, client, { channelPrefix, subscriptionMode })(nsp);
  const prototype = Object.getPrototypeOf(adapter);
  let Sharded = classes.get(prototype);
  if (Sharded === undefined) {
    Sharded = shardedAdapterOf(prototype);
    classes.set(prototype, Sharded);
  }
  Object.setPrototypeOf(adapter, Sharded.prototype);
  new Sharded(adapter, transport, client);
  return adapter;
}

module.exports = { makeShardedAdapter };
