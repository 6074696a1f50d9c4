"use strict";

const { MessageKind, SubscriptionKind } = require("../addon/codes.js");
const { toBuffer } = require("../engine/payload.js");
const { environmentWorkers } = require("../engine/workers.js");
const { RedisError, warn } = require("../errors.js");

const { Named: NAMED, Pattern: PATTERN, Shard: SHARD } = SubscriptionKind;
const { Broadcast: BROADCAST, Request: REQUEST, Sharded: SHARDED } = MessageKind;

/**
 * For each connection to Redis, the number of nodes of this process subscribed to each channel. Redis counts
 * connections, but several servers may share a factory, and several factories a client.
 *
 * @type {WeakMap<object, Map<string, number>>}
 */
const listeners = new WeakMap();

/**
 * The base class of both transports. A transport belongs to a factory, and carries the messages of its
 * adapters, the *nodes*, to Redis and back.
 *
 * A `ClusterNode` calls `add()` and `countListener()`, then `subscribe()`, `publish()` and the like, and
 * at its end `remove()`, after which `isClosing` says whether it was the last. Messages that the addon
 * leaves to JavaScript are given to the node's `handleMessage()`, by `hand()`.
 *
 * Subclasses set `native`, and implement `remove()`, `subscribe()`, `unsubscribe()`, `publish()`,
 * `publishBroadcast()` and `countSubscribers()`.
 */
class Transport {
  #nodes = new Map();
  /** The number of nodes subscribed to each channel by this connection. */
  #listeners;
  /** True if a warning was printed and the connection has not been ready since. */
  #hasWarned = false;

  /**
   * @param {import("node:events").EventEmitter} events of the factory
   * @param {object} [connection] the client that subscribes, if others may share it
   */
  constructor(events, connection) {
    this.events = events;
    this.#listeners = listeners.get(connection) ?? new Map();
    if (connection !== undefined) listeners.set(connection, this.#listeners);
    this.workers = environmentWorkers();
    /** The addon's part: a `RedisLink` or a `RedisClientPair` of binding.d.ts. */
    this.native = null;
    /** True once the last node has left. */
    this.isClosing = false;
  }

  /**
   * Adds a node.
   *
   * @param {number} namespace the id of its namespace
   * @param {{ handleMessage: (channel: string, message: Buffer) => void }} node
   * @param {{ name: string, uid: string, prefix: string }} names the namespace's name, the adapter's
   *   uid, and the part of a broadcast's channel in front of the room's name
   */
  add(namespace, node, { name, uid, prefix }) {
    this.#nodes.set(namespace, node);
    this.native.addNode(namespace, name, uid, prefix);
  }

  /** Removes a node, and sets `isClosing` if it was the last. */
  forget(namespace) {
    this.native.removeNode(namespace);
    this.#nodes.delete(namespace);
    this.isClosing = this.#nodes.size === 0;
  }

  /**
   * Counts the nodes of this process and of others.
   *
   * @param {string} channel to which all nodes have subscribed
   * @param {boolean} isSharded
   * @returns {Promise<number>} rejected if Redis cannot be reached
   */
  async countNodes(channel, isSharded) {
    const connections = await this.countSubscribers(channel, isSharded);
    const here = this.#listeners.get(channel) ?? 0;
    return Math.max(here, connections + here - 1);
  }

  /**
   * Notes that a node has subscribed to a channel, or unsubscribed from it.
   *
   * @param {string} channel
   * @param {1 | -1} change
   */
  countListener(channel, change) {
    const count = (this.#listeners.get(channel) ?? 0) + change;
    if (count === 0) this.#listeners.delete(channel);
    else this.#listeners.set(channel, count);
  }

  /**
   * Gives a message to its node. The official code recurses into nested values; a message that
   * overflows the stack is dropped and counted.
   */
  hand(namespace, channel, message) {
    try {
      this.#nodes.get(namespace)?.handleMessage(channel, message);
    } catch (error) {
      if (!isStackOverflow(error)) throw error;
      this.countMalformed();
    } finally {
      // Later broadcasts may be posted to the workers again, behind the commands of this message.
      this.workers.native.handled(namespace);
      this.workers.scheduleFlush();
    }
  }

  /** Counts a message that could not be decoded. */
  countMalformed() {
    this.native.countMalformed();
  }

  /**
   * Emits `error` on the factory. Without a listener, prints a process warning, but only the first
   * until the connection is ready again.
   *
   * @param {string} problem
   */
  report(problem) {
    const error = new RedisError(problem);
    if (this.events.listenerCount("error") > 0) this.events.emit("error", error);
    else this.#warn(error);
  }

  /** Allows another warning. */
  resetWarning() {
    this.#hasWarned = false;
  }

  #warn({ message, code }) {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    const hint = 'listen to "error" on what createRedisAdapter() returns';
    warn(code, `${message} (${hint})`);
  }
}

/**
 * Returns the attachments of a packet, over the same memory.
 *
 * @param {Array<string | ArrayBuffer | ArrayBufferView>} packet as the parser's encoder returns it
 * @returns {Buffer[] | undefined} `undefined` for none
 */
function attachmentsOf(packet) {
  return packet.length > 1 ? packet.slice(1).map(toBuffer) : undefined;
}

function isStackOverflow(error) {
  return error instanceof RangeError && /call stack/.test(error.message);
}

module.exports = { BROADCAST, NAMED, PATTERN, REQUEST, SHARD, SHARDED, Transport, attachmentsOf };
