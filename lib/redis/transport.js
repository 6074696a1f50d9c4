"use strict";

const { environmentWorkers } = require("../engine/workers.js");
const { RedisError } = require("../errors.js");

/**
 * How many nodes of this process hear a channel by one connection to Redis, by that connection. Redis
 * counts connections: several servers may share one factory, or several factories one client.
 *
 * @type {WeakMap<object, Map<string, number>>}
 */
const listeners = new WeakMap();

/** What both transports are: the nodes of this process, and how they get messages. See `ClusterNode`. */
class Transport {
  /**
   * @param {import("node:events").EventEmitter} events of the factory whose adapters these are
   * @param {object} [connection] what is subscribed; left out, nothing else uses it
   */
  constructor(events, connection) {
    this.events = events;
    const counts = listeners.get(connection) ?? new Map();
    listeners.set(connection ?? this, counts);
    /** How many nodes hear each channel by the connection. */
    this.listeners = counts;
    this.workers = environmentWorkers();
    /** What the addon has of it: a `RedisLink` or a `RedisClientPair` of binding.d.ts. */
    this.native = null;
    /** Those who get messages, by the numbers of their namespaces. */
    this.nodes = new Map();
    /** Whether the last node has left. */
    this.isClosing = false;
    /** Whether a warning has been printed since the connection was there. */
    this.hasWarned = false;
  }

  /**
   * Has messages come for a namespace.
   *
   * @param {number} namespace its number
   * @param {{ handleMessage: (channel: string, message: Buffer) => void }} node
   * @param {{ name: string, uid: string, prefix: string }} names see `addNode` in binding.d.ts
   */
  add(namespace, node, { name, uid, prefix }) {
    this.nodes.set(namespace, node);
    this.native.addNode(namespace, name, uid, prefix);
  }

  /**
   * @param {string} channel to which all nodes have subscribed
   * @param {boolean} isSharded
   * @returns {Promise<number>} how many nodes there are, in this process and in others; rejected if
   *   Redis is not there
   */
  async countNodes(channel, isSharded) {
    const connections = await this.countSubscribers(channel, isSharded);
    const here = this.listeners.get(channel) ?? 0;
    return Math.max(here, connections + here - 1);
  }

  /** A node hears a channel from now on, or no longer: `change` is 1 or -1. */
  countListener(channel, change) {
    const count = (this.listeners.get(channel) ?? 0) + change;
    if (count === 0) this.listeners.delete(channel);
    else this.listeners.set(channel, count);
  }

  /** Ends that. `isClosing` tells whether it was the last. */
  forget(namespace) {
    this.native.removeNode(namespace);
    this.nodes.delete(namespace);
    this.isClosing = this.nodes.size === 0;
  }

  /**
   * Has a node handle a message that nothing else has dropped. The official code recurses where values
   * are nested, and throws where that is too deep for it.
   */
  hand(namespace, channel, message) {
    try {
      this.nodes.get(namespace)?.handleMessage(channel, message);
    } catch (error) {
      if (!isStackOverflow(error)) throw error;
      this.countMalformed();
    } finally {
      // Broadcasts that follow may go to the workers, behind what this message has sent.
      this.workers.native.handled(namespace);
      this.workers.scheduleFlush();
    }
  }

  /** Counts a message that could not be decoded. */
  countMalformed() {
    this.native.countMalformed();
  }

  /**
   * Emits `error` on the factory; without a listener, prints the first as a process warning.
   *
   * @param {string} problem what has gone wrong
   */
  report(problem) {
    const error = new RedisError(problem);
    if (this.events.listenerCount("error") > 0) this.events.emit("error", error);
    else this.warn(error);
  }

  warn({ message, code }) {
    if (this.hasWarned) return;
    this.hasWarned = true;
    const hint = 'listen to "error" on what createRedisAdapter() returns';
    process.emitWarning(`${message} (${hint})`, { type: "SocketIoTurboWarning", code });
  }
}

function isStackOverflow(error) {
  return error instanceof RangeError && /call stack/.test(error.message);
}

module.exports = { Transport };
