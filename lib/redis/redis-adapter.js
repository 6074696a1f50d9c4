"use strict";

/** `createRedisAdapter()`, and the adapter of the classic protocol. */

const { EventEmitter } = require("node:events");
const official = require("@socket.io/redis-adapter");
const { kPrepare, withFanOut } = require("../adapter/with-fan-out.js");
const { hasCluster } = require("../addon/index.js");
const { InvalidOptionError } = require("../errors.js");
const { broadcastMethods } = require("../untouched.js");
const { ClientPair } = require("./client-pair.js");
const { ClusterNode } = require("./cluster-node.js");
const { ClusteredFanOut } = require("./clustered-fan-out.js");
const { fallbackFactory } = require("./fallback.js");
const messagePack = require("./message-pack.js");
const { redisAdapterOptions } = require("./options.js");
const { OwnConnection } = require("./own-connection.js");
const { ANSWERS, broadcastOf, decodeMessage, isRequest, isResponse } = require("./requests.js");
const { makeShardedAdapter } = require("./sharded-adapter.js");
const { BROADCAST, NAMED, PATTERN, REQUEST } = require("./transport.js");

/** A type of request, as numbered by @socket.io/redis-adapter 8. */
const BROADCAST_WITH_ACK = 7;

/** Thrown when a message cannot be decoded. */
class MalformedMessage extends Error {}

/**
 * Replaces the two Redis clients of the official adapter. Its subscriptions are ignored: `RedisAdapter`
 * makes them itself.
 */
class TransportClient {
  /** @type {ClusterNode | null} set by the adapter's constructor */
  node = null;

  publish(channel, message) {
    this.node.publish(channel, message, false);
  }

  // The official adapter regards a client with this method as one of redis 4 or later.
  pSubscribe() {}
  pUnsubscribe() {}
  subscribe() {}
  unsubscribe() {}
  on() {}
  off() {}
}

const IN_CLUSTER = { isInMemory: false, FanOut: ClusteredFanOut };

/**
 * The adapter of @socket.io/redis-adapter 8 on a transport.
 *
 * Socket.IO calls `broadcast()`: the packet is encoded once, published, and sent to the sockets of this
 * process. The addon makes the message for other nodes out of the encoded packet.
 *
 * The transport calls `handleMessage()` with requests, responses, and those broadcasts that the addon
 * does not deliver to the workers by itself. Requests and responses are handled by the official code;
 * messages that would make it throw are dropped and counted before.
 */
class RedisAdapter extends withFanOut(official.RedisAdapter, IN_CLUSTER) {
  #node;
  #isPattern;
  /** The form of the messages on the channels of broadcasts: the addon decodes them if it can. */
  #broadcastKind;

  constructor(nsp, transport, { subscriptionMode, ...options }) {
    const client = new TransportClient();
    super(nsp, client, client, options);
    this.#node = new ClusterNode(this, transport);
    client.node = this.#node;
    this.#node.isStandard &&= options.parser === undefined;
    this.#isPattern = subscriptionMode === "pattern";
    this.#broadcastKind = this.#node.isStandard ? BROADCAST : REQUEST;
    this.parser = strict(options.parser ?? messagePack);
    this.#subscribe();
  }

  #subscribe() {
    this.#node.subscribe(REQUEST, NAMED, this.#requestChannels);
    this.#node.subscribe(this.#broadcastKind, ...this.#broadcastChannels);
    if (this.#isPattern) return;
    this.on("create-room", (room) => {
      if (hasChannel(room)) this.#node.subscribe(...this.#subscriptionTo(room));
    });
    this.on("delete-room", (room) => {
      if (hasChannel(room)) this.#node.unsubscribe(...this.#subscriptionTo(room));
    });
  }

  #unsubscribe() {
    this.#node.unsubscribe(REQUEST, NAMED, this.#requestChannels);
    this.#node.unsubscribe(this.#broadcastKind, ...this.#broadcastChannels);
    if (this.#isPattern) return;
    const channels = [...this.rooms.keys()].filter(hasChannel).map((room) => this.#channelOf(room));
    this.#node.unsubscribe(this.#broadcastKind, NAMED, channels);
  }

  /** The kind of subscription and the channels for broadcasts, without the channels of rooms. */
  get #broadcastChannels() {
    return this.#isPattern ? [PATTERN, [`${literal(this.channel)}*`]] : [NAMED, [this.channel]];
  }

  #subscriptionTo(room) {
    return [this.#broadcastKind, NAMED, [this.#channelOf(room)]];
  }

  get #requestChannels() {
    return [this.requestChannel, this.responseChannel, this.specificResponseChannel];
  }

  #channelOf(room) {
    return `${this.channel}${room}#`;
  }

  /** As the official method: publishes the broadcast, then sends it to the clients of this process. */
  broadcast(packet, opts) {
    const isFast = this.#node.isStandard && broadcastMethods.areUntouched;
    if (!isFast && !this.#node.isClosed) {
      super.broadcast(packet, opts);
      return;
    }
    const { encoded, send } = this[kPrepare](packet, opts);
    if (!opts.flags?.local) this.#publish(encoded, opts);
    send();
  }

  #publish(encoded, opts) {
    const { rooms } = opts;
    const [room] = rooms;
    const channel = rooms.size === 1 ? this.#channelOf(room) : this.channel;
    this.#node.publishBroadcast(channel, encoded, encodeOptions(opts), false);
  }

  /** Called by the transport with messages that the addon leaves to JavaScript. */
  handleMessage(channel, message) {
    try {
      if (channel.startsWith(this.channel)) this.#handleBroadcast(channel, message);
      else this.#handleRequest(channel, message);
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error;
      this.#node.countMalformed();
    }
  }

  /** As the official method, but also finds rooms that are named by null and booleans. */
  hasRoom(room) {
    const isLiteral = ["null", "true", "false"].includes(room);
    return super.hasRoom(room) || (isLiteral && this.rooms.has(JSON.parse(room)));
  }

  /** Does what the official `onmessage()` does, but drops malformed broadcasts, which make it throw. */
  #handleBroadcast(channel, message) {
    const room = channel.slice(this.channel.length, -1);
    if (room !== "" && !this.hasRoom(room)) return;
    const broadcast = broadcastOf(this.parser.decode(message));
    if (broadcast === null) throw new MalformedMessage();
    const { uid, packet, opts } = broadcast;
    if (uid !== this.uid && packet.nsp === this.nsp.name) this[kPrepare](packet, opts).send();
  }

  /** Leaves requests and responses to the official code, but drops those that make it throw. */
  #handleRequest(channel, message) {
    const request = decodeMessage(message, this.parser);
    const isValid = channel.startsWith(this.responseChannel) ? isResponse : isRequest;
    if (!isValid(request)) throw new MalformedMessage();
    // The official code forgets its own request after the timeout, and without a timeout at once: it
    // would then handle its own broadcast as another node's.
    if (request.type === BROADCAST_WITH_ACK && request.uid === this.uid) return;
    if (isValid === isResponse || !this.#answer(request)) this.onrequest(channel, message);
  }

  /**
   * Answers requests for values of the application. The official code throws if one of these cannot be
   * encoded as JSON, and nothing catches the error.
   *
   * @returns {boolean} true if the request is of such a type
   */
  #answer(request) {
    const answerTo = ANSWERS.get(request.type);
    if (answerTo === undefined) return false;
    // Its own requests come back to this node, too.
    if (!this.requests.has(request.requestId)) {
      const report = (problem) => this.#node.report(problem);
      this.publishResponse(request, answerTo(this, request, report));
    }
    return true;
  }

  serverCount() {
    return this.#node.serverCount(false, this.requestsTimeout);
  }

  /**
   * Leaves the cluster. From then on the adapter knows this process alone.
   *
   * @returns {Promise<void>} resolves after the connection to Redis has ended, if this was the last
   *   adapter
   */
  close() {
    if (!this.#node.isClosed) {
      super.close();
      this.#unsubscribe();
    }
    return this.#node.close();
  }
}

/** The options of most broadcasts. */
const TO_ALL = '{"rooms":[],"except":[],"flags":{}}';

/** Returns the options of a broadcast as JSON, for other nodes. */
function encodeOptions({ rooms, except, flags }) {
  if (rooms.size === 0 && except?.size === 0 && isEmpty(flags)) return TO_ALL;
  return JSON.stringify({ rooms: [...rooms], except: [...new Set(except)], flags });
}

function isEmpty(flags) {
  for (const _ in flags) return false;
  return flags !== undefined;
}

/** Returns a pattern of Redis that matches only `text`. */
function literal(text) {
  return text.replace(/[*?[\]\\]/g, "\\$&");
}

/** Returns whether the name of a room can be part of a channel name. */
function hasChannel(room) {
  return room === null || ["string", "number", "boolean"].includes(typeof room);
}

/** Returns a parser that throws `MalformedMessage`, which no listener throws. */
function strict(parser) {
  return {
    encode: (value) => parser.encode(value),
    decode: (message) => {
      try {
        return parser.decode(message);
      } catch (cause) {
        throw new MalformedMessage("malformed", { cause });
      }
    },
  };
}

/**
 * Returns a factory for the `adapter` option of Socket.IO's server. Its adapters form a cluster over
 * Redis, together with nodes that have @socket.io/redis-adapter 8 or @socket.io/redis-emitter.
 *
 * @param {object} options see `RedisAdapterOptions` in index.d.ts
 * @returns {((nsp: import("socket.io").Namespace) => import("socket.io-adapter").Adapter) &
 *   Pick<EventEmitter, "on" | "once" | "off">} also with `new`
 * @throws {InvalidOptionError} with the option's name and the accepted values; the returned factory
 *   throws it if the server's `connectionStateRecovery` is on
 */
function createRedisAdapter(options) {
  const settings = redisAdapterOptions(options);
  const events = new EventEmitter();
  const make = hasCluster ? nativeFactory(settings, events) : fallbackFactory(settings, events);
  function AdapterOf(nsp) {
    refuseRecovery(nsp.server);
    return make(nsp);
  }
  for (const name of ["on", "once", "off"]) {
    AdapterOf[name] = (event, listener) => {
      events[name](event, listener);
      return AdapterOf;
    };
  }
  return AdapterOf;
}

/**
 * Returns a factory whose adapters share a transport. A new one is made after the last adapter on it
 * has been closed.
 *
 * @returns {(nsp: import("socket.io").Namespace) => import("socket.io-adapter").Adapter}
 */
function nativeFactory({ link, clients, adapter }, events) {
  let transport = null;
  return (nsp) => {
    if (transport === null || transport.isClosing) {
      transport =
        clients === null ? new OwnConnection(link, events) : new ClientPair(clients, events);
    }
    return adapter.sharded
      ? makeShardedAdapter(nsp, transport, adapter)
      : new RedisAdapter(nsp, transport, adapter);
  };
}

/** @throws {InvalidOptionError} */
function refuseRecovery({ opts }) {
  const { connectionStateRecovery } = opts ?? {};
  if (!connectionStateRecovery) return;
  const accepted = "left out with this adapter: Redis keeps no messages that were published";
  throw new InvalidOptionError("connectionStateRecovery", accepted, connectionStateRecovery);
}

module.exports = { createRedisAdapter };
