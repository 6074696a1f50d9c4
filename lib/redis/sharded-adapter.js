"use strict";

const { createShardedAdapter } = require("@socket.io/redis-adapter");
const { adopt } = require("../adapter/adopt.js");
const { kPrepare, withFanOut } = require("../adapter/with-fan-out.js");
const { ClusterNode } = require("./cluster-node.js");
const { ClusteredFanOut } = require("./clustered-fan-out.js");
const messagePack = require("./message-pack.js");
const { REQUEST, SHARD, SHARDED } = require("./transport.js");
const { decodeMessage, isClusterMessage } = require("./requests.js");
const { encodeSockets } = require("./remote-sockets.js");

/** Replaces the two Redis clients of the official adapter, which subscribes in its constructor. */
class TransportClient {
  /** @type {ClusterNode | null} `null` until `attach()` */
  #node = null;
  /** The channels that were subscribed to before `attach()`. */
  #channels = [];

  /** @param {ClusterNode} node */
  attach(node) {
    this.#node = node;
    for (const channel of this.#channels) this.sSubscribe(channel);
  }

  /** The form of the messages on all channels: the addon decodes them if it can. */
  get #messageKind() {
    return this.#node.isStandard ? SHARDED : REQUEST;
  }

  sSubscribe(channel) {
    if (this.#node === null) this.#channels.push(channel);
    else this.#node.subscribe(this.#messageKind, SHARD, [channel]);
  }

  async sUnsubscribe(channel) {
    this.#node.unsubscribe(this.#messageKind, SHARD, [channel]);
  }

  async sPublish(channel, message) {
    this.#node.publish(channel, message, true);
  }
}

const IN_CLUSTER = { isInMemory: false, FanOut: ClusteredFanOut };

/** socket.io-adapter, `DEFAULT_TIMEOUT`: the timeout of requests, in milliseconds. */
const REQUESTS_TIMEOUT = 5000;

/** socket.io-adapter, `MessageType`. */
const BROADCAST = 3;
const FETCH_SOCKETS_RESPONSE = 8;
const SERVER_SIDE_EMIT = 9;

/**
 * Returns a class of adapters of @socket.io/redis-adapter's sharded protocol on a transport.
 *
 * Broadcasts are published as the packet for the clients of this process, of which the addon makes the
 * message, and those of other nodes go to the workers. Everything else is the official code. The
 * official class is not exported, so `Base` is that of an adapter that its factory has made.
 *
 * @param {typeof import("socket.io-adapter").ClusterAdapter} Base
 */
const onTransport = (Base) =>
  class ShardedRedisAdapter extends withFanOut(Base, IN_CLUSTER) {
    #node;

    constructor(adapter, transport, client) {
      super(adapter);
      this.#node = new ClusterNode(this, transport);
      client.attach(this.#node);
    }

    /**
     * As the official method: publishes the broadcast, then sends it to the clients of this process.
     * But it throws at once, to the caller of `emit()`, if the packet cannot be encoded.
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
        // As in the official code: the clients of this node receive it nevertheless.
        this.#node.report(`a broadcast could not be published: ${message}`);
      }
      send();
    }

    /**
     * Publishes a broadcast, without waiting for Redis, which may be away. The promise takes as many
     * microtasks as those of the official methods that publish, so that the order is the same.
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

    /** Called by the transport with messages that the addon leaves to JavaScript. */
    handleMessage(channel, message) {
      const decoded = decodeMessage(message, messagePack);
      if (!isClusterMessage(decoded)) this.#node.countMalformed();
      else if (channel === this.responseChannel) this.onResponse(decoded);
      else this.onMessage(decoded);
    }

    /** As the official method, but leaves out values of the application that cannot be encoded. */
    doPublishResponse(requester, response) {
      if (response.type !== FETCH_SOCKETS_RESPONSE)
        return super.doPublishResponse(requester, response);
      const { data } = response;
      const encode = (sockets) => this.encode({ ...response, data: { ...data, sockets } });
      const message = encodeSockets(data.sockets, encode, (problem) => this.#node.report(problem));
      return this.pubClient.sPublish(`${this.channel}${requester}#`, message);
    }

    /** As the official method, but throws at once if the packet cannot be encoded. */
    serverSideEmit(packet) {
      const values = typeof packet.at(-1) === "function" ? packet.slice(0, -1) : packet;
      this.encode({ type: SERVER_SIDE_EMIT, data: { packet: values } });
      return super.serverSideEmit(packet);
    }

    serverCount() {
      return this.#node.serverCount(true, REQUESTS_TIMEOUT);
    }

    /**
     * Leaves the cluster. From then on the adapter knows this process alone.
     *
     * @returns {Promise<void>} resolves after the connection to Redis has ended, if this was the last
     *   adapter
     */
    async close() {
      if (!this.#node.isClosed) await Promise.all([super.close(), this.#node.close()]);
      await this.#node.close();
    }
  };

/**
 * Makes an adapter of the sharded protocol.
 *
 * @param {import("socket.io").Namespace} nsp
 * @param {import("./transport.js").Transport} transport
 * @param {{ key: string, subscriptionMode: "static" | "dynamic" | "dynamic-private" }} options
 * @returns {import("socket.io-adapter").ClusterAdapter}
 */
function makeShardedAdapter(nsp, transport, { key: channelPrefix, subscriptionMode }) {
  const client = new TransportClient();
  const adapter = createShardedAdapter(client, client, { channelPrefix, subscriptionMode })(nsp);
  return adopt(adapter, onTransport, transport, client);
}

module.exports = { makeShardedAdapter };
