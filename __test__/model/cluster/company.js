"use strict";

/**
 * The surroundings of a cluster's nodes: Redis, the key of their channels, and an emitter. It knows
 * when nothing is under way between the nodes.
 */

const { createAdapter, createShardedAdapter } = require("@socket.io/redis-adapter");
const { Emitter } = require("@socket.io/redis-emitter");
const { createClient } = require("redis");
const turbo = require("../../..");
const { NAMESPACES } = require("../stage.js");
const { HANG_GUARD } = require("../../support/observed.js");

/** The number of nodes of a cluster. */
const SIZE = 3;

/** Workers of our nodes, which all nodes of a process share. */
const IO_THREADS = 2;

/** The event that arrives behind everything before it. */
const SENTINEL = "sentinel";

let count = 0;

/** A command that publishes a message of ours, in a line of `MONITOR`. */
const PUBLICATION = /"S?PUBLISH" "(test-\d+-\d+-\w+)/i;

/** A sentinel, as Redis quotes it there. */
const SENTINEL_LINE = /\\"sentinel\\",(?:\\")?(\w+)(?:\\")?,(\d+)/;

/** Connected clients of node-redis 5, which one company uses after the other. */
class RedisConnections {
  /** Called with each message that is published. @type {(key: string, command: string) => void} */
  handlePublication = () => {};

  /** @param {string} url */
  static async connect(url) {
    const connect = async () => {
      const client = createClient({ url });
      // Each of many adapters adds listeners.
      client.setMaxListeners(0);
      client.on("error", () => {});
      await client.connect();
      return client;
    };
    const pair = async () => [await connect(), await connect()];
    const connections = Object.assign(new RedisConnections(), {
      url,
      pairs: await Promise.all(Array.from({ length: SIZE }, pair)),
      control: await connect(),
      witness: await connect(),
    });
    await connections.witness.monitor((command) => {
      const [, key] = PUBLICATION.exec(command) ?? [];
      if (key !== undefined) connections.handlePublication(key, command);
    });
    return connections;
  }

  close() {
    this.witness.destroy();
    const clients = [...this.pairs.flat(), this.control];
    return Promise.all(clients.map((client) => client.close()));
  }
}

/** Does the operations of an emitter, in place of a `Stage`. */
class EmitterStage {
  #emitter;
  #cast;
  #order;

  constructor(emitter, cast, order) {
    this.#emitter = emitter;
    this.#cast = cast;
    this.#order = order;
    order.add(this);
  }

  perform(ops) {
    for (const op of ops) {
      const how = { isPrompt: true, isPublic: true };
      if (this.#order.admits(this, op, how)) this[op.do](op);
    }
  }

  emit(op) {
    const event = `e${op.id}`;
    this.#cast.emits.set(event, op);
    this.#cast.publishers.set(event, "emitter");
    this.#operator(op).emit(event, ...op.args);
  }

  many(op) {
    const argument = op.action === "disconnectSockets" ? op.close : this.#cast.rooms(op.rooms);
    this.#operator(op)[op.action](argument);
  }

  ask({ id, namespace }) {
    this.#emitter.of(namespace).serverSideEmit("ask", id);
  }

  #operator(op) {
    return this.#cast.operator(this.#emitter.of(op.namespace), op);
  }
}

/**
 * @typedef {"official" | OurKind} Kind of a node
 *
 * @typedef {object} OurKind
 * @property {boolean} [hasClients] true if it uses clients of node-redis
 * @property {(factory: Function) => Function} [change] plants a bug in the factory of its adapters
 */

class Company {
  /** Make the options of each node. @type {Array<(options: object) => object>} */
  serverOptions;
  /** @type {EmitterStage} */
  emitter;
  /** Broadcasts of other nodes that our nodes have given to workers without JavaScript. */
  delivered = 0;

  #redis;
  #isSharded;
  #subscriptionMode;
  #emitter;
  #key = `test-${process.pid}-${count++}-${Math.random().toString(36).slice(2)}`;
  #nodes;
  #cast;
  #until;
  #sentinels = 0;
  /** The last sentinel, by its receiver and its sender. */
  #received = new Map();
  /** Counts all other messages. */
  #messages = 0;

  /**
   * @param {RedisConnections} redis for this company alone until it ends
   * @param {Kind[]} kinds of the nodes
   * @param {import("./program.js").ClusterProgram} program
   */
  constructor(redis, kinds, { protocol }) {
    this.#redis = redis;
    redis.handlePublication = (key, command) => {
      if (key === this.#key) this.#handlePublication(command);
    };
    this.#isSharded = protocol.startsWith("sharded ");
    this.#subscriptionMode = protocol.split(" ").at(-1);
    this.serverOptions = kinds.map((kind, index) => {
      if (kind === "official") return (options) => this.#officialOptions(options, index);
      return (options) => this.#ourOptions(options, index, kind);
    });
  }

  #officialOptions(options, index) {
    const [publisher, subscriber] = this.#redis.pairs[index];
    const classic = { key: this.#key, requestsTimeout: HANG_GUARD };
    const sharded = { channelPrefix: this.#key, subscriptionMode: this.#subscriptionMode };
    const adapter = this.#isSharded
      ? createShardedAdapter(publisher, subscriber, sharded)
      : createAdapter(publisher, subscriber, classic);
    return { ...options, adapter };
  }

  #ourOptions(options, index, { hasClients = false, change = (factory) => factory }) {
    const [pubClient, subClient] = this.#redis.pairs[index];
    const factory = turbo.createRedisAdapter({
      ...(hasClients ? { pubClient, subClient } : { url: this.#redis.url }),
      subscriptionMode: this.#subscriptionMode,
      key: this.#key,
      ...(this.#isSharded ? { sharded: true } : { requestsTimeout: HANG_GUARD }),
    });
    return turbo.turbo({ ...options, adapter: change(factory), ioThreads: IO_THREADS });
  }

  /**
   * Begins with the nodes that have been made.
   *
   * @param {Array<{ io: import("socket.io").Server, isOpen: boolean }>} nodes
   * @param {import("../cast.js").Cast} cast
   * @param {import("./order.js").ClusterOrder} order
   * @param {(isReached: () => boolean) => Promise<void>} until
   */
  start(nodes, cast, order, until) {
    this.#nodes = nodes;
    this.#cast = cast;
    this.#until = until;
    this.#emitter = new Emitter(this.#redis.control, { key: this.#key });
    this.emitter = new EmitterStage(this.#emitter, cast, order);
    for (const [index, { io }] of nodes.entries()) {
      io.of("/").on(SENTINEL, (by, number) => this.#received.set(`${index} ${by}`, number));
    }
  }

  /** Waits until all open nodes receive each other's messages, and the others have left. */
  async whenComplete() {
    const size = this.#nodes.filter(({ isOpen }) => isOpen).length;
    for (const namespace of NAMESPACES) {
      const [kind, channel] = this.#isSharded
        ? ["SHARDNUMSUB", `${this.#key}#${namespace}#`]
        : ["NUMSUB", `${this.#key}-request#${namespace}#`];
      const command = ["PUBSUB", kind, channel];
      while ((await this.#redis.control.sendCommand(command))[1] !== size);
    }
    await this.whenQuiet();
  }

  #handlePublication(command) {
    const [, by, number] = SENTINEL_LINE.exec(command) ?? [];
    if (number === undefined) this.#messages++;
    else this.#received.set(`witness ${by}`, Number(number));
  }

  /**
   * Waits until nothing is under way: twice in a row, all have received each other's sentinels, and
   * there were no other messages. What an earlier message causes would arrive before the second.
   */
  async whenQuiet() {
    if (this.#nodes.every(({ isOpen }) => !isOpen)) return;
    for (let quietRounds = 0; quietRounds < 2; ) {
      const before = this.#messages;
      await this.#exchange();
      const isQuiet = this.#messages === before && this.#cast.pending === 0;
      quietRounds = isQuiet ? quietRounds + 1 : 0;
    }
  }

  async #exchange() {
    const number = ++this.#sentinels;
    const open = [...this.#nodes.entries()].filter(([, { isOpen }]) => isOpen);
    const indexes = open.map(([index]) => index);
    for (const [index, { io }] of open) io.of("/").serverSideEmit(SENTINEL, index, number);
    if (!this.#isSharded) this.#emitter.serverSideEmit(SENTINEL, "emitter", number);
    const senders = this.#isSharded ? indexes : [...indexes, "emitter"];
    const pairs = senders.flatMap((by) =>
      [...indexes, "witness"]
        .filter((receiver) => receiver !== by)
        .map((receiver) => `${receiver} ${by}`),
    );
    await this.#until(() => pairs.every((pair) => this.#received.get(pair) === number));
  }

  /** Adds up what the nodes have delivered, before they close. */
  count() {
    for (const { delivered } of turbo.stats().redis) this.delivered += delivered;
  }
}

module.exports = { Company, RedisConnections };
