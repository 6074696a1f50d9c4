"use strict";

const { promisify } = require("node:util");
const { binding } = require("../addon/index.js");
const { RedisError } = require("../errors.js");
const { stats } = require("../stats.js");
const { NAMED, PATTERN, SHARD, Transport, attachmentsOf } = require("./transport.js");

/** The methods of node-redis 4 and later that subscribe and unsubscribe. */
const METHODS = {
  [NAMED]: ["subscribe", "unsubscribe"],
  [PATTERN]: ["pSubscribe", "pUnsubscribe"],
  [SHARD]: ["sSubscribe", "sUnsubscribe"],
};
const SUBSCRIBE = 0;
const UNSUBSCRIBE = 1;

/** The events of ioredis and redis 3, with the indices of channel and message in their arguments. */
const EVENTS = [
  ["messageBuffer", NAMED, 0, 1],
  ["pmessageBuffer", PATTERN, 1, 2],
  ["smessageBuffer", SHARD, 0, 1],
];

/**
 * A transport over two Redis clients of the application. JavaScript receives the messages, and the addon
 * decodes and delivers them as those of an `OwnConnection`. It begins ready and never connects by
 * itself; the application closes the clients.
 */
class ClientPair extends Transport {
  #pubClient;
  #subClient;
  #isNodeRedis;
  /** By kind and channel, the namespaces that get the messages. */
  #subscriptions = new Map();
  /** The prefix that ioredis adds to the channels of `SSUBSCRIBE` and `SPUBLISH`, as to keys. */
  #shardPrefix;
  /** Functions that remove the listeners of a client other than node-redis. */
  #unlisten;

  /**
   * @param {{ pubClient: object, subClient: object }} clients of `redis` or `ioredis`
   * @param {import("node:events").EventEmitter} events on which `error` and `end` are emitted
   */
  constructor({ pubClient, subClient }, events) {
    super(events, subClient);
    this.#pubClient = pubClient;
    this.#subClient = subClient;
    this.native = new binding.RedisClientPair(this.workers.native);
    /** @type {"ready" | "ended"} */
    this.state = "ready";
    this.#isNodeRedis = typeof subClient.pSubscribe === "function";
    this.#shardPrefix = String(subClient.options?.keyPrefix ?? "");
    this.#unlisten = this.#isNodeRedis ? [] : EVENTS.map((event) => this.#listen(...event));
    stats.addLink(this);
  }

  #listen(event, kind, channelIndex, messageIndex) {
    const prefix = kind === SHARD ? this.#shardPrefix : "";
    const nameOf = (channel) => {
      const name = String(channel);
      return name.startsWith(prefix) ? name.slice(prefix.length) : name;
    };
    const listener = (...args) =>
      this.#dispatch(kind, nameOf(args[0]), nameOf(args[channelIndex]), args[messageIndex]);
    this.#subClient.on(event, listener);
    return () => this.#subClient.removeListener(event, listener);
  }

  /** Gives a message to the subscribers of `name`, a channel or a pattern. */
  #dispatch(kind, name, channel, message) {
    const handlers = this.#subscriptions.get(keyOf(kind, name))?.handlers ?? [];
    for (const handler of [...handlers.values()]) handler(channel, message);
  }

  /** Removes a node. The last one ends the transport. */
  async remove(namespace) {
    this.forget(namespace);
    if (!this.isClosing) return;
    this.state = "ended";
    for (const unlisten of this.#unlisten) unlisten();
    stats.removeLink(this);
    this.events.emit("end");
  }

  /** As `OwnConnection.subscribe()`. */
  subscribe(namespace, messageKind, kind, channels) {
    for (const channel of channels) {
      const key = keyOf(kind, channel);
      const { handlers, counts } = this.#subscriptions.get(key) ?? this.#start(key, kind, channel);
      counts.set(namespace, (counts.get(namespace) ?? 0) + 1);
      handlers.set(namespace, (name, message) =>
        this.#receive(namespace, messageKind, name, message),
      );
    }
  }

  #start(key, kind, channel) {
    const listener = (message, name) => this.#dispatch(kind, channel, String(name), message);
    // Subscriptions are counted: rooms named `5` and `"5"` share one channel.
    const subscription = { handlers: new Map(), counts: new Map(), listener };
    this.#subscriptions.set(key, subscription);
    this.#change(kind, SUBSCRIBE, channel, listener);
    return subscription;
  }

  /** Ends what `subscribe()` began, with the same parameters. */
  unsubscribe(namespace, _messageKind, kind, channels) {
    for (const channel of channels) {
      const key = keyOf(kind, channel);
      const subscription = this.#subscriptions.get(key);
      if (subscription === undefined || !this.#isLast(subscription, namespace)) continue;
      this.#subscriptions.delete(key);
      this.#change(kind, UNSUBSCRIBE, channel, subscription.listener);
    }
  }

  /** Counts an end of a subscription. Returns whether the channel has no subscribers left. */
  #isLast({ handlers, counts }, namespace) {
    const count = (counts.get(namespace) ?? 0) - 1;
    counts.set(namespace, count);
    if (count > 0) return false;
    counts.delete(namespace);
    handlers.delete(namespace);
    return handlers.size === 0;
  }

  async #change(kind, change, channel, listener) {
    const method = METHODS[kind][change];
    try {
      if (this.#isNodeRedis) await this.#subClient[method](channel, listener, true);
      else await this.#subClient[method.toLowerCase()](channel);
    } catch (error) {
      // The application may close its clients together with the server.
      if (!this.isClosing) this.#handleError(error);
    }
  }

  /** Handles a message. Posts the workers' commands first, which earlier messages may have caused. */
  #receive(namespace, messageKind, channel, message) {
    this.workers.post();
    if (this.native.receive(namespace, messageKind, channel, message)) {
      this.hand(namespace, channel, message);
    }
  }

  /** As `OwnConnection.publish()`. */
  async publish(channel, message, isSharded) {
    const sharded = this.#isNodeRedis ? "sPublish" : "spublish";
    try {
      await this.#pubClient[isSharded ? sharded : "publish"](channel, message);
    } catch (error) {
      this.#handleError(error);
    }
  }

  /** As `OwnConnection.publishBroadcast()`. */
  publishBroadcast(namespace, channel, packet, options, isSharded) {
    const attachments = attachmentsOf(packet);
    const message = this.native.encodeBroadcast(
      namespace,
      packet[0],
      attachments,
      options,
      isSharded,
    );
    if (message !== null) this.publish(channel, message, isSharded);
  }

  /** As `OwnConnection.countSubscribers()`: any server of a Redis Cluster may have subscribers. */
  async countSubscribers(channel, isSharded) {
    const command = isSharded
      ? ["PUBSUB", "SHARDNUMSUB", `${this.#shardPrefix}${channel}`]
      : ["PUBSUB", "NUMSUB", channel];
    const answers = await Promise.all(askServers(this.#pubClient, command));
    return answers.reduce((sum, [, count]) => sum + Number(count), 0);
  }

  /** Handles the end of a client, or the refusal of a command. */
  #handleError({ message }) {
    if (this.events.listenerCount("error") > 0) this.events.emit("error", new RedisError(message));
  }
}

/**
 * Sends a command to each server that a client knows. node-redis knows the replicas of a Redis Cluster
 * only if it may subscribe to them, by `useReplicas`.
 *
 * @returns {Array<Promise<unknown>>} the answers
 */
function askServers(client, command) {
  if (Array.isArray(client.masters)) {
    const servers = [...client.masters, ...client.replicas];
    return servers.map(async (server) => (await client.nodeClient(server)).sendCommand(command));
  }
  if (client.isCluster) return client.nodes().map((node) => sendCommand(node, command));
  return [sendCommand(client, command)];
}

async function sendCommand(client, command) {
  if (typeof client.pSubscribe === "function") return client.sendCommand(command);
  const [name, ...args] = command;
  // redis 3 has no promises.
  return promisify(client.send_command).call(client, name, args);
}

function keyOf(kind, name) {
  return `${kind}:${name}`;
}

module.exports = { ClientPair };
