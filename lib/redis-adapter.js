"use strict";

const { EventEmitter } = require("node:events");
const official = require("@socket.io/redis-adapter");
const { kFanOut, withFanOut } = require("./adapter.js");
const { InvalidOptionError } = require("./errors.js");
const { isJsonEncoder } = require("./parser-kind.js");
const { redisAdapterOptions } = require("./redis-options.js");
const { BROADCAST, NAMED, PATTERN, REQUEST, RedisLink } = require("./redis-link.js");
const { isRequest, isResponse } = require("./redis-requests.js");
const { RoomDirectory } = require("./room-directory.js");

/** What the official adapter extends: its `broadcast()` reaches the sockets of this process. */
const { broadcast: broadcastHere } = Object.getPrototypeOf(official.RedisAdapter.prototype);

/** A message that cannot be decoded. */
class MalformedMessage extends Error {}

/**
 * In the place of the official adapter's two Redis clients. What it subscribes to, our adapter
 * looks after.
 */
class LinkClient {
  constructor(link) {
    this.link = link;
  }

  publish(channel, message) {
    this.link.publish(channel, message);
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
 * The adapter of @socket.io/redis-adapter 8, on a link. Broadcasts go out as the packet for the
 * clients of this process, of which the link makes the message, and those of other nodes go from
 * the link to the workers. Requests and responses are the official code.
 */
class RedisAdapter extends withFanOut(official.RedisAdapter, { isInMemory: false }) {
  #link;
  #options;
  #directory;
  /** Whether packets are JSON with attachments, and messages MessagePack. */
  #isStandard;
  /** The options of a broadcast that is to be published. */
  #outgoing = null;
  /** How many nodes there were when Redis was asked last; before that, perhaps another. */
  #lastServerCount = 2;
  #isClosed = false;

  constructor(nsp, link, options) {
    const client = new LinkClient(link);
    super(nsp, client, client, options);
    this.#link = link;
    this.#options = options;
    this.#isStandard = options.parser === undefined && isJsonEncoder(this.encoder);
    this.parser = strict(this.parser);
    this.#directory = new RoomDirectory(this[kFanOut]);
    this[kFanOut].directory = this.#directory;
    const names = { name: nsp.name, uid: this.uid, prefix: this.channel };
    link.add(this.namespace, this, names);
    this.#subscribe();
  }

  get namespace() {
    return this.#directory.namespace;
  }

  /** What comes on the channels of broadcasts is decoded by the link, if it can be. */
  get #broadcastKind() {
    return this.#isStandard ? BROADCAST : REQUEST;
  }

  #subscribe() {
    const { namespace } = this;
    const channels = [this.requestChannel, this.responseChannel, this.specificResponseChannel];
    this.#link.subscribe(namespace, REQUEST, NAMED, channels);
    if (this.#options.subscriptionMode === "pattern") {
      this.#link.subscribe(namespace, this.#broadcastKind, PATTERN, [`${this.channel}*`]);
      return;
    }
    this.#link.subscribe(namespace, this.#broadcastKind, NAMED, [this.channel]);
    const change = (name) => (room) => {
      if (isNameable(room))
        this.#link[name](namespace, this.#broadcastKind, NAMED, [this.#channelOf(room)]);
    };
    this.on("create-room", change("subscribe"));
    this.on("delete-room", change("unsubscribe"));
  }

  #channelOf(room) {
    return `${this.channel}${room}#`;
  }

  /** As the official one: published first, then sent to the clients of this process. */
  broadcast(packet, opts) {
    if (!this.#isStandard || this.#isClosed || opts.flags?.local) {
      super.broadcast(packet, opts);
      return;
    }
    this.#outgoing = opts;
    try {
      broadcastHere.call(this, packet, opts);
    } finally {
      this.#outgoing = null;
    }
  }

  /** Of a broadcast: publishes what is to be sent. */
  _encode(packet, packetOpts) {
    const encoded = super._encode(packet, packetOpts);
    const opts = this.#outgoing;
    if (opts !== null) {
      this.#outgoing = null;
      this.#publish(encoded, opts);
    }
    return encoded;
  }

  #publish(encoded, { rooms, except, flags }) {
    const [room] = rooms;
    const channel = rooms.size === 1 ? this.#channelOf(room) : this.channel;
    const options = JSON.stringify({ rooms: [...rooms], except: [...new Set(except)], flags });
    this.#link.publishBroadcast(this.namespace, channel, encoded, options);
  }

  /** Called by the link with what it does not deliver by itself. */
  handleMessage(channel, message) {
    try {
      if (channel.startsWith(this.channel)) this.onmessage(null, channel, message);
      else this.#handleRequest(channel, message);
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error;
      this.#link.countMalformed();
    }
  }

  /** The official code throws where a request is not what it should be. */
  #handleRequest(channel, message) {
    const request = decodeRequest(message, this.parser);
    const isValid = channel.startsWith(this.responseChannel) ? isResponse : isRequest;
    if (!isValid(request)) throw new MalformedMessage();
    this.onrequest(channel, message);
  }

  /** While Redis is not there: as many as there were, so that requests end by their timeout. */
  async serverCount() {
    try {
      this.#lastServerCount = await this.#link.countSubscribers(this.requestChannel, false);
    } catch {
      return Math.max(2, this.#lastServerCount);
    }
    return this.#lastServerCount;
  }

  /** @returns {Promise<void>} when the link has ended, if this was its last adapter */
  close() {
    super.close();
    this.#isClosed = true;
    const { namespace } = this;
    const channels = [this.requestChannel, this.responseChannel, this.specificResponseChannel];
    this.#link.unsubscribe(namespace, REQUEST, NAMED, channels);
    if (this.#options.subscriptionMode === "pattern") {
      this.#link.unsubscribe(namespace, this.#broadcastKind, PATTERN, [`${this.channel}*`]);
    } else {
      this.removeAllListeners("create-room").removeAllListeners("delete-room");
      const rooms = [...this.rooms.keys()].filter(isNameable).map((room) => this.#channelOf(room));
      this.#link.unsubscribe(namespace, this.#broadcastKind, NAMED, [this.channel, ...rooms]);
    }
    this.#directory.close();
    return this.#link.remove(namespace);
  }
}

/** Whether other nodes can say it. */
function isNameable(room) {
  return typeof room === "string" || typeof room === "number";
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

/** As the official adapter does it: JSON by its first byte, else what the parser reads. */
function decodeRequest(message, parser) {
  if (message[0] !== 0x7b) return parser.decode(message);
  try {
    return JSON.parse(message.toString());
  } catch (cause) {
    throw new MalformedMessage("malformed", { cause });
  }
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
  const { link: linkOptions, adapter: adapterOptions } = redisAdapterOptions(options);
  const events = new EventEmitter();
  let link = null;
  function AdapterOf(nsp) {
    refuseRecovery(nsp.server);
    if (link === null || link.isClosing) link = new RedisLink(linkOptions, events);
    return new RedisAdapter(nsp, link, adapterOptions);
  }
  for (const name of ["on", "once", "off"]) {
    AdapterOf[name] = (event, listener) => {
      events[name](event, listener);
      return AdapterOf;
    };
  }
  return AdapterOf;
}

/** @throws {InvalidOptionError} */
function refuseRecovery({ opts }) {
  const { connectionStateRecovery } = opts ?? {};
  if (!connectionStateRecovery) return;
  const accepted = "left out with this adapter: Redis keeps no messages that are published";
  throw new InvalidOptionError("connectionStateRecovery", accepted, connectionStateRecovery);
}

module.exports = { createRedisAdapter };
