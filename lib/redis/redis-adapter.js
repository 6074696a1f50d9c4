"use strict";

const { EventEmitter } = require("node:events");
const official = require("@socket.io/redis-adapter");
const { kPrepare, withFanOut } = require("../adapter/index.js");
const { ClusterNode } = require("./cluster-node.js");
const { InvalidOptionError } = require("../errors.js");
const messagePack = require("./message-pack.js");
const { hasCluster } = require("../addon/index.js");
const { ClientPair } = require("./client-pair.js");
const { fallbackFactory } = require("./fallback.js");
const { OwnConnection } = require("./own-connection.js");
const { BROADCAST, NAMED, PATTERN, REQUEST } = require("./transport.js");
const { redisAdapterOptions } = require("./options.js");
const { ANSWERS, broadcastOf, decodeMessage, isRequest, isResponse } = require("./requests.js");
const { makeShardedAdapter } = require("./sharded-adapter.js");
const { broadcastMethods } = require("../untouched.js");

/** The type of a request, as @socket.io/redis-adapter 8 numbers them. */
const BROADCAST_WITH_ACK = 7;

/** A message that cannot be decoded. */
class MalformedMessage extends Error {}

/**
 * In the place of the official adapter's two Redis clients. What it subscribes to, our adapter
 * looks after.
 */
class TransportClient {
  constructor(transport) {
    this.transport = transport;
    /** The adapter's, once that is there. */
    this.node = null;
  }

  publish(channel, message) {
    this.node.publish(channel, message, false);
  }

  // The official adapter takes what has this for a client of redis 4 and later.
  pSubscribe() {}
  pUnsubscribe() {}
  subscribe() {}
  unsubscribe() {}
  on() {}
  off() {}
}

/**
 * The adapter of @socket.io/redis-adapter 8, on a transport. Broadcasts go out as the packet for the
 * clients of this process, of which the addon makes the message, and those of other nodes go to the
 * workers. Requests and responses are the official code.
 */
class RedisAdapter extends withFanOut(official.RedisAdapter, { isInMemory: false }) {
  #node;
  #isPattern;
  /** What comes on the channels of broadcasts is decoded without JavaScript, if it can be. */
  #broadcastKind;

  constructor(nsp, transport, { subscriptionMode, ...options }) {
    const client = new TransportClient(transport);
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
      if (isNameable(room)) this.#node.subscribe(...this.#subscriptionTo(room));
    });
    this.on("delete-room", (room) => {
      if (isNameable(room)) this.#node.unsubscribe(...this.#subscriptionTo(room));
    });
  }

  #unsubscribe() {
    this.#node.unsubscribe(REQUEST, NAMED, this.#requestChannels);
    this.#node.unsubscribe(this.#broadcastKind, ...this.#broadcastChannels);
    if (this.#isPattern) return;
    const channels = [...this.rooms.keys()].filter(isNameable).map((room) => this.#channelOf(room));
    this.#node.unsubscribe(this.#broadcastKind, NAMED, channels);
  }

  /** How the channels of broadcasts are subscribed to, and which; but for those of rooms. */
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

  /** As the official one: published first, then sent to the clients of this process. */
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

  /** Called by the transport with what it does not deliver by itself. */
  handleMessage(channel, message) {
    try {
      if (channel.startsWith(this.channel)) this.#handleBroadcast(channel, message);
      else this.#handleRequest(channel, message);
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error;
      this.#node.countMalformed();
    }
  }

  /** As the official one, but for rooms that are named by null and booleans. */
  hasRoom(room) {
    const isLiteral = ["null", "true", "false"].includes(room);
    return super.hasRoom(room) || (isLiteral && this.rooms.has(JSON.parse(room)));
  }

  /** As the official `onmessage()`, which throws where a broadcast is not what it should be. */
  #handleBroadcast(channel, message) {
    const room = channel.slice(this.channel.length, -1);
    if (room !== "" && !this.hasRoom(room)) return;
    const broadcast = broadcastOf(this.parser.decode(message));
    if (broadcast === null) throw new MalformedMessage();
    const { uid, packet, opts } = broadcast;
    if (uid !== this.uid && packet.nsp === this.nsp.name) this[kPrepare](packet, opts).send();
  }

  /** The official code throws where a request is not what it should be. */
  #handleRequest(channel, message) {
    const request = decodeMessage(message, this.parser);
    const isValid = channel.startsWith(this.responseChannel) ? isResponse : isRequest;
    if (!isValid(request)) throw new MalformedMessage();
    // The official code forgets what it has asked for when the timeout is over, and without one that
    // is at once: it would take the broadcast for another node's.
    if (request.type === BROADCAST_WITH_ACK && request.uid === this.uid) return;
    if (isValid === isResponse || !this.#answer(request)) this.onrequest(channel, message);
  }

  /**
   * Answers what asks for values of the application. The official code throws where JSON cannot hold
   * one, and nobody catches it.
   *
   * @returns {boolean} whether the request is one of these
   */
  #answer(request) {
    const answerTo = ANSWERS.get(request.type);
    if (answerTo === undefined) return false;
    // Else it is this node's own.
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
   * Leaves the cluster. What the adapter is asked for then concerns this process alone.
   *
   * @returns {Promise<void>} when Redis has been left, if this was the last adapter
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

/** @returns {string} the options of a broadcast as JSON, as other nodes are to have them */
function encodeOptions({ rooms, except, flags }) {
  if (rooms.size === 0 && except?.size === 0 && isEmpty(flags)) return TO_ALL;
  return JSON.stringify({ rooms: [...rooms], except: [...new Set(except)], flags });
}

function isEmpty(flags) {
  for (const _ in flags) return false;
  return flags !== undefined;
}

/** Returns the pattern of Redis that matches this text alone. */
function literal(text) {
  return text.replace(/[*?[\]\\]/g, "\\$&");
}

/** Returns whether a channel can have the name of a room. */
function isNameable(room) {
  return room === null || ["string", "number", "boolean"].includes(typeof room);
}

/** A parser of messages whose errors are told from those of listeners. */
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
 * A factory for the `adapter` of Socket.IO's server: a cluster over Redis, in which nodes with
 * @socket.io/redis-adapter 8 and those with @socket.io/redis-emitter take part, too.
 *
 * @param {object} options see `RedisAdapterOptions` in index.d.ts
 * @returns {((nsp: import("socket.io").Namespace) => import("socket.io-adapter").Adapter) &
 *   Pick<EventEmitter, "on" | "once" | "off">} also with `new`
 * @throws {InvalidOptionError} with the option's name and the accepted values; from what is
 *   returned, if the server's `connectionStateRecovery` is on
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

/** @returns {(nsp: import("socket.io").Namespace) => official.RedisAdapter} */
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
  const accepted = "left out with this adapter: Redis keeps no messages that are published";
  throw new InvalidOptionError("connectionStateRecovery", accepted, connectionStateRecovery);
}

module.exports = { createRedisAdapter };
