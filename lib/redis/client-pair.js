"use strict";

const { promisify } = require("node:util");
const { Transport } = require("./transport.js");
const { RedisError } = require("../errors.js");
const { binding } = require("../addon/index.js");
const { NAMED, PATTERN, SHARD, attachmentsOf } = require("./redis-messages.js");
const { stats } = require("../stats.js");

/** What node-redis 4 and later call it, to begin with it and to end it. */
const METHODS = {
  [NAMED]: ["subscribe", "unsubscribe"],
  [PATTERN]: ["pSubscribe", "pUnsubscribe"],
  [SHARD]: ["sSubscribe", "sUnsubscribe"],
};

/** Messages as ioredis and redis 3 emit them, and where the channel and the message stand. */
const EVENTS = [
  ["messageBuffer", NAMED, 0, 1],
  ["pmessageBuffer", PATTERN, 1, 2],
  ["smessageBuffer", SHARD, 0, 1],
];

/**
 * A transport that consists of two Redis clients of the application's: JavaScript passes the bytes on,
 * and the addon does with them what a link does. See `ClusterNode`.
 */
class ClientPair extends Transport {
  /**
   * @param {{ pubClient: object, subClient: object }} clients of `redis` or `ioredis`
   * @param {import("node:events").EventEmitter} events where `error` is emitted
   */
  constructor({ pubClient, subClient }, events) {
    super(events, subClient);
    this.pubClient = pubClient;
    this.subClient = subClient;
    this.native = new binding.RedisClientPair(this.workers.native);
    this.state = "ready";
    /** Who gets what comes, by how and to what it is subscribed. */
    this.subscriptions = new Map();
    this.isNodeRedis = typeof subClient.pSubscribe === "function";
    /** The prefix that ioredis puts in front of the channels of `SSUBSCRIBE` and `SPUBLISH`, as of keys. */
    this.shardPrefix = String(subClient.options?.keyPrefix ?? "");
    /** What ends the listening to a client of another kind. */
    this.unlisten = this.isNodeRedis ? [] : EVENTS.map((event) => this.listen(...event));
    stats.addLink(this);
  }

  listen(event, kind, channelIndex, messageIndex) {
    const prefix = kind === SHARD ? this.shardPrefix : "";
    const nameOf = (channel) => {
      const name = String(channel);
      return name.startsWith(prefix) ? name.slice(prefix.length) : name;
    };
    const listener = (...args) =>
      this.dispatch(kind, nameOf(args[0]), nameOf(args[channelIndex]), args[messageIndex]);
    this.subClient.on(event, listener);
    return () => this.subClient.removeListener(event, listener);
  }

  dispatch(kind, name, channel, message) {
    const handlers = this.subscriptions.get(keyOf(kind, name))?.handlers ?? [];
    for (const handler of [...handlers.values()]) handler(channel, message);
  }

  async remove(namespace) {
    this.forget(namespace);
    if (!this.isClosing) return;
    this.state = "ended";
    for (const unlisten of this.unlisten) unlisten();
    stats.removeLink(this);
    this.events.emit("end");
  }

  subscribe(namespace, messageKind, kind, channels) {
    for (const channel of channels) {
      const key = keyOf(kind, channel);
      const { handlers, counts } = this.subscriptions.get(key) ?? this.start(key, kind, channel);
      counts.set(namespace, (counts.get(namespace) ?? 0) + 1);
      handlers.set(namespace, (name, message) =>
        this.receive(namespace, messageKind, name, message),
      );
    }
  }

  start(key, kind, channel) {
    const listener = (message, name) => this.dispatch(kind, channel, String(name), message);
    // Rooms that are named by a number and by its text have one channel, which is asked for twice.
    const subscription = { handlers: new Map(), counts: new Map(), listener };
    this.subscriptions.set(key, subscription);
    this.change(kind, 0, channel, listener);
    return subscription;
  }

  unsubscribe(namespace, _messageKind, kind, channels) {
    for (const channel of channels) {
      const key = keyOf(kind, channel);
      const subscription = this.subscriptions.get(key);
      if (subscription === undefined || !this.isOver(subscription, namespace)) continue;
      this.subscriptions.delete(key);
      this.change(kind, 1, channel, subscription.listener);
    }
  }

  /** Takes one request of a namespace's for a channel away: whether it was the last of all. */
  isOver({ handlers, counts }, namespace) {
    const count = (counts.get(namespace) ?? 0) - 1;
    counts.set(namespace, count);
    if (count > 0) return false;
    counts.delete(namespace);
    handlers.delete(namespace);
    return handlers.size === 0;
  }

  /** Subscribes, or ends that: which, is the place among the method's names. */
  async change(kind, place, channel, listener) {
    const method = METHODS[kind][place];
    try {
      if (this.isNodeRedis) await this.subClient[method](channel, listener, true);
      else await this.subClient[method.toLowerCase()](channel);
    } catch (error) {
      // Clients may be closed together with the server: then nothing comes any more.
      if (!this.isClosing) this.handleError(error);
    }
  }

  /** A message has come. Those before it are with the workers, if JavaScript has handled them. */
  receive(namespace, messageKind, channel, message) {
    this.workers.post();
    if (this.native.receive(namespace, messageKind, channel, message)) {
      this.hand(namespace, channel, message);
    }
  }

  async publish(channel, message, isSharded) {
    const sharded = this.isNodeRedis ? "sPublish" : "spublish";
    try {
      await this.pubClient[isSharded ? sharded : "publish"](channel, message);
    } catch (error) {
      this.handleError(error);
    }
  }

  publishBroadcast(namespace, channel, packet, options, isSharded) {
    const message = this.encode(namespace, packet, options, isSharded);
    if (message !== null) this.publish(channel, message, isSharded);
  }

  encode(namespace, packet, options, isSharded) {
    const attachments = attachmentsOf(packet);
    return this.native.encodeBroadcast(namespace, packet[0], attachments, options, isSharded);
  }

  /** On all servers of a Redis Cluster: each of them may have subscribers. */
  async countSubscribers(channel, isSharded) {
    const command = isSharded
      ? ["PUBSUB", "SHARDNUMSUB", `${this.shardPrefix}${channel}`]
      : ["PUBSUB", "NUMSUB", channel];
    const answers = await Promise.all(askServers(this.pubClient, command));
    return answers.reduce((sum, [, count]) => sum + Number(count), 0);
  }

  /** A client has been closed, or Redis refuses something. */
  handleError({ message }) {
    if (this.events.listenerCount("error") > 0) this.events.emit("error", new RedisError(message));
  }
}

/**
 * Has each server that a client knows do a command. node-redis knows the replicas of a Redis Cluster
 * only where it may subscribe at them, with `useReplicas`.
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
