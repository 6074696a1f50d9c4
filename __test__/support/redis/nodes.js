"use strict";

/** Servers in one cluster, with clients that record what they receive. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { createServer } = require("node:http");
const { setTimeout: delay } = require("node:timers/promises");
const { inspect, isDeepStrictEqual } = require("node:util");
const { Server } = require("socket.io");
const { Manager } = require("socket.io-client");
const { turbo } = require("../../..");

/** The transports of each node's clients. A client that polls does not upgrade. */
const TRANSPORTS = [["websocket"], ["websocket"], ["polling"]];

/** Namespaces besides the main one. */
const NAMESPACES = ["/name"];
/** For adapters that do not mix up channels: a pattern that matches "/name", and the channel of a room. */
const ODD_NAMESPACES = ["/n*", "/#even"];

/** Formats events for errors. */
const SHORT = { depth: 6, maxStringLength: 200, maxArrayLength: 20, breakLength: 200 };

/** The event that arrives behind everything before it. */
const FENCE = "fence";
let fences = 0;

/** A client in a namespace, which records events, and acknowledges those that ask for it. */
class Client {
  /** @type {unknown[][]} events with their arguments */
  received = [];
  #fences = new Set();

  /**
   * @param {object} of
   * @param {string} of.name for errors
   * @param {number} of.index its answer to events
   * @param {import("socket.io-client").Socket} of.socket
   */
  constructor({ name, index, socket }) {
    Object.assign(this, { name, index, socket });
    socket.onAny((event, ...args) => {
      if (event === FENCE) {
        this.#fences.add(args[0]);
        return;
      }
      const acknowledge = typeof args.at(-1) === "function" ? args.pop() : undefined;
      this.received.push([event, ...args]);
      if (event !== "silence") acknowledge?.(index, Buffer.from([index]));
    });
  }

  get id() {
    return this.socket.id;
  }

  get isPolling() {
    return this.socket.io.engine.transport.name === "polling";
  }

  has(fence) {
    return this.#fences.has(fence);
  }
}

/** A Socket.IO server of a cluster. */
class Node {
  /** @type {Client[]} of the main namespace */
  clients = [];
  /** @type {Client[]} of all namespaces */
  everyone = [];
  /** Events of our adapter's factory by their names, and errors. @type {Array<string | Error>} */
  events = [];
  #httpServer = createServer();
  #managers = [];

  /**
   * @param {import("./adapters.js").AdapterKind} kind
   * @param {string[]} namespaces
   * @param {{ server: object, client?: object }} options of Socket.IO, and of its clients
   */
  constructor(kind, namespaces, { server: serverOptions, client }) {
    this.kind = kind;
    this.namespaces = namespaces;
    this.clientOptions = client;
    const options = kind.isOurs ? turbo(serverOptions) : serverOptions;
    this.io = new Server(this.#httpServer, options);
    this.io.on("connection", (socket) => {
      socket.on("echo", (...args) => args.pop()(args));
      const { index } = socket.handshake.query;
      if (index === undefined) return;
      socket.data.index = Number(index);
      socket.join(index % 2 === 0 ? "even" : "odd");
    });
    for (const name of namespaces) this.io.of(name);
  }

  /** Records the events of the adapter's factory. */
  record(factory) {
    for (const event of ["ready", "reconnecting", "error", "end"]) {
      factory.on(event, (error) => this.events.push(error === undefined ? event : error));
    }
  }

  async listen() {
    await once(this.#httpServer.listen(0, "127.0.0.1"), "listening");
    this.origin = `http://127.0.0.1:${this.#httpServer.address().port}`;
  }

  /** Connects the clients that stay for all tests. */
  async populate(first) {
    for (const [offset, transports] of TRANSPORTS.entries()) {
      const index = first + offset;
      const manager = this.manager({ transports, query: { index } });
      const client = await this.#enter(manager, "/", index);
      this.clients.push(client);
      if (offset > 0) continue;
      for (const name of this.namespaces) await this.#enter(manager, name, index);
    }
  }

  /** @returns {Manager} of a client; it is closed with the node */
  manager(options) {
    const defaults = { transports: ["websocket"], reconnection: false };
    const manager = new Manager(this.origin, { ...defaults, ...this.clientOptions, ...options });
    this.#managers.push(manager);
    return manager;
  }

  /** Connects a guest: a client for one test, which dismisses it. */
  async connect(options) {
    const socket = this.manager(options).socket("/");
    await once(socket, "connect");
    return new Client({ name: "guest", index: -1, socket });
  }

  async #enter(manager, namespace, index) {
    const socket = manager.socket(namespace);
    await once(socket, "connect");
    const transport = manager.opts.transports[0];
    const name = `${index} ${transport}${namespace === "/" ? "" : ` ${namespace}`}`;
    const client = new Client({ name, index, socket });
    this.everyone.push(client);
    return client;
  }

  /** Returns the server's socket of a client. */
  socketOf({ id }) {
    return this.io.of("/").sockets.get(id);
  }

  async disconnectClients() {
    for (const manager of this.#managers) manager._close();
    // A server that closes a polling client between two polls keeps the process for 30 s.
    while (this.io.engine.clientsCount > 0) await delay(5);
  }

  async close() {
    await this.disconnectClients();
    await this.io.close();
  }
}

class Nodes {
  #closers = [];

  /**
   * Starts servers, each with clients, and waits until all receive each other's messages.
   *
   * @param {string | string[]} url of Redis, or one for each node
   * @param {import("./adapters.js").AdapterKind[]} kinds of their adapters
   * @param {object} [options]
   * @param {object} [options.adapter] options of all adapters
   * @param {object} [options.ours] more options, of our adapters alone
   * @param {object} [options.server] options of Socket.IO
   * @param {object} [options.client] options of the clients
   * @param {boolean} [options.isAlone] true not to wait for that
   * @returns {Promise<Nodes>}
   */
  static async start(url, kinds, options = {}) {
    const nodes = new Nodes();
    nodes.urls = Array.isArray(url) ? url : kinds.map(() => url);
    if (!kinds.some(({ mixesUpChannels }) => mixesUpChannels)) {
      nodes.namespaces.push(...ODD_NAMESPACES);
    }
    try {
      for (const kind of kinds) await nodes.#add(kind, options);
      if (!options.isAlone) await nodes.areConnected();
      return nodes;
    } catch (error) {
      await nodes.close();
      throw error;
    }
  }

  /** @type {Node[]} */
  all = [];
  /** Namespaces besides the main one. @type {string[]} */
  namespaces = [...NAMESPACES];

  async #add(kind, { adapter, ours, server, client }) {
    const after = (close) => this.#closers.unshift(close);
    const adapterOptions = kind.isOurs ? { ...adapter, ...ours } : adapter;
    const factory = await kind.create({
      url: this.urls[this.all.length],
      options: adapterOptions,
      after,
    });
    const options = { server: { ...server, adapter: factory }, client };
    const node = new Node(kind, this.namespaces, options);
    if (factory.on !== undefined) node.record(factory);
    after(() => node.close());
    this.all.push(node);
    await node.listen();
    await node.populate((this.all.length - 1) * TRANSPORTS.length);
  }

  /** @returns {Client[]} of all nodes, in the main namespace */
  get clients() {
    return this.all.flatMap(({ clients }) => clients);
  }

  /** @returns {Client[]} of all nodes and namespaces */
  get everyone() {
    return this.all.flatMap(({ everyone }) => everyone);
  }

  /** Waits until everything that a node sends reaches the clients of all. */
  async areConnected() {
    for (const node of this.all) {
      for (const name of ["/", ...this.namespaces]) {
        const { adapter } = node.io.of(name);
        while ((await adapter.serverCount()) < this.all.length) await delay(10);
        await this.roomIsReached(name);
      }
    }
    await this.received();
  }

  /**
   * Waits until what any node sends to a room, or to a namespace, reaches all members. Nodes that
   * subscribe to single rooms take a moment after a client has joined.
   */
  async roomIsReached(namespace, room) {
    const isMember = ({ socket, index }) =>
      socket.nsp === namespace &&
      (room === undefined ||
        this.#nodeOf(index).io.of(namespace).adapter.rooms.get(room)?.has(socket.id));
    const members = this.everyone.filter(isMember);
    await Promise.all(
      this.all.map(async ({ io }) => {
        for (let isHeard = false; !isHeard; ) {
          const fence = ++fences;
          const target = io.of(namespace);
          (room === undefined ? target : target.to(room)).emit(FENCE, fence);
          for (let wait = 0; wait < 10 && !isHeard; wait++) {
            await delay(5);
            isHeard = members.every((client) => client.has(fence));
          }
        }
      }),
    );
  }

  /** Waits until all nodes answer the requests of a node, and all clients its events. */
  async answer({ io }) {
    // A request may be lost before, and a slow machine may take longer than its timeout.
    const count = () =>
      io.fetchSockets().then(
        ({ length }) => length,
        () => 0,
      );
    while ((await count()) !== this.clients.length) await delay(10);
    const answers = await io.timeout(5_000).emitWithAck("whole");
    assert.equal(answers.length, this.clients.length);
  }

  #nodeOf(index) {
    return this.all[Math.floor(index / TRANSPORTS.length)];
  }

  /**
   * Waits until everything that nodes have sent has arrived.
   *
   * @returns {Promise<Record<string, unknown[][]>>} the events since the last time by the clients'
   *   names, without clients that have received nothing
   */
  async received() {
    await this.settle();
    const got = this.everyone.map((client) => [client.name, client.received.splice(0)]);
    return Object.fromEntries(got.filter(([, events]) => events.length > 0));
  }

  /**
   * Waits until everything that nodes have sent has arrived, and fails if it is not as expected.
   *
   * @param {Record<string, unknown[][]>} expected as `received()` returns it
   */
  async assertReceived(expected) {
    const received = await this.received();
    if (isDeepStrictEqual(received, expected)) return;
    // Not deepEqual(): the difference of long texts takes seconds to print.
    for (const name of new Set([...Object.keys(received), ...Object.keys(expected)])) {
      const [got, wanted] = [received[name] ?? [], expected[name] ?? []];
      const at = got.findIndex((event, number) => !isDeepStrictEqual(event, wanted[number]));
      if (at === -1 && got.length === wanted.length) continue;
      const number = at === -1 ? got.length : at;
      const texts = [got[number], wanted[number]].map((event) => inspect(event, SHORT));
      assert.fail(`event ${number} of ${name} is ${texts[0]}, not ${texts[1]}`);
    }
  }

  /** Waits until everything that nodes have sent to clients has arrived. */
  async settle() {
    const sent = new Map(["/", ...this.namespaces].map((name) => [name, []]));
    for (const { io } of this.all) {
      for (const [name, list] of sent) {
        list.push(++fences);
        io.of(name).emit(FENCE, fences);
      }
    }
    for (const client of this.everyone) {
      for (const fence of sent.get(client.socket.nsp)) {
        while (!client.has(fence)) await delay(2);
      }
    }
  }

  /** Disconnects guests, and waits until their servers have noticed. */
  async dismiss(guests) {
    const ids = guests.map(({ id }) => id);
    for (const { socket } of guests) socket.disconnect();
    const isHere = ({ io }) => ids.some((id) => io.of("/").sockets.has(id));
    while (this.all.some(isHere)) await delay(2);
  }

  async close() {
    for (const close of this.#closers) await close();
  }
}

/** Returns what `received()` does if these clients receive the same events, and no others any. */
function eachGets(clients, events) {
  return Object.fromEntries(clients.map(({ name }) => [name, events]));
}

module.exports = { Nodes, eachGets };
