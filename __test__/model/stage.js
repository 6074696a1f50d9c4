"use strict";

/** The server's side of a program: does its operations, and records what an application sees. */

const { executionAsyncId } = require("node:async_hooks");
const { keyOf } = require("./cast.js");
const { EDITS } = require("./edits.js");
const { Record } = require("./record.js");
const { STORM_ROOMS } = require("./cluster/storm.js");

/** The `timeout` of emits with an ack: it ends by `fireTimers()` only. */
const TIMEOUT = 3_600_123;

/** The namespaces that programs use. */
const NAMESPACES = ["/", "/p"];

/** A namespace that exists while it has clients; not in clusters. */
const DYNAMIC_NAMESPACE = "/dyn";

const FLUSHES = ["flush", "drain", "engine flush", "engine drain"];
const ROOM_EVENTS = ["create-room", "join-room", "leave-room", "delete-room"];

/** Operations that other nodes take part in; and those that do if the client is on another node. */
const PUBLIC = ["many", "fetch", "survey", "ask"];
const REMOTE = ["emit", "join", "leave", "disconnect"];

/** @type {Partial<import("./program.js").Greeting>} */
const NO_GREETING = { door: "open" };

const clientOf = (conn) => conn.request._query.client;

const shownCreation = ({ type, data, options }) => [type, options.compress, options.volatile, data];

/** Stands for a socket on another node: what is done to it goes through the adapter. */
const remoteSocket = (namespace, id) => ({
  itself: namespace.to(id),
  broadcast: namespace.except(id),
  join: (rooms) => namespace.in(id).socketsJoin(rooms),
  leave: (room) => namespace.in(id).socketsLeave(room),
  disconnect: (close) => namespace.in(id).disconnectSockets(close),
});

class Stage {
  /** @type {Record} */
  record;

  #io;
  #cast;
  /** In a cluster. @type {import("./cluster/order.js").ClusterOrder | null} */
  #order;
  #index;
  /** Set while the node does what this turn is about. */
  #isPrompt = false;
  #done = new Set();
  #isRetired = false;
  #isGone = false;
  #mayClose = true;
  /** The callbacks of Node.js that have done operations in this turn. */
  #callbacks = new Set();
  #greetings = new Map();
  /** `next()` of the middleware that sockets wait in. */
  #held = new Map();
  /** Remove the listeners that operations have added. */
  #removals = new Map();
  /** Timers of emits that wait for acks. @type {Array<{ emit: object, fire: () => void }>} */
  #timers = [];

  /**
   * @param {import("socket.io").Server} io
   * @param {import("./program.js").Program} program
   * @param {import("./cast.js").Cast} cast
   * @param {import("./cluster/order.js").ClusterOrder | null} order
   * @param {number} index of the node
   */
  constructor(io, program, cast, order, index) {
    this.#io = io;
    this.#cast = cast;
    this.#order = order;
    this.#index = index;
    order?.add(this);
    this.record = new Record(program.server === "recovery", cast.names);
    io.engine.on("connection", (conn) => this.#handleConn(conn));
    for (const name of NAMESPACES) {
      const namespace = io.of(name);
      this.#serve(namespace);
      namespace.on("ask", (id, answer) => this.#handleQuestion(namespace, id, answer));
      if (program.hasRoomListeners) this.#listenToRooms(namespace);
    }
    if (order === null) this.#serve(io.of(/^\/dyn$/));
    if (program.hasRoomListeners)
      io.on("new_namespace", (namespace) => this.#listenToRooms(namespace));
  }

  #serve(namespace) {
    namespace.use((socket, next) => this.#handleSocket(socket, next));
    namespace.on("connection", (socket) => this.#handleConnection(socket));
  }

  /** Sets what is done when a client connects to a namespace. */
  expect(client, namespace, greeting) {
    this.#greetings.set(keyOf(client, namespace), greeting);
  }

  /** @returns {boolean} whether a client has a socket in a namespace, or waits in its middleware */
  has(client, namespace) {
    const key = keyOf(client, namespace);
    return this.#held.has(key) || this.#cast.sockets.get(key)?.connected === true;
  }

  /** Answers the next event of this name of a client. */
  expectEvent({ client, namespace, event, ops }) {
    this.#cast.sockets.get(keyOf(client, namespace)).once(event, (...args) => {
      this.record.note(`${event} of ${client}`, args);
      this.doForClient(ops);
      if (typeof args.at(-1) === "function") args.at(-1)("heard", event, Buffer.from(event));
    });
  }

  /** From now on, handlers only record that they are called. */
  retire() {
    this.#isRetired = true;
  }

  /** From now on, nothing is done: the server closes. */
  close() {
    this.retire();
    this.#isGone = true;
  }

  /** Does the operations of a server's turn, or of a step of a storm. */
  perform(ops) {
    this.#promptly(true, () => this.#run(ops));
  }

  /** Ends all visits of clients. */
  endVisits(clients) {
    for (const client of clients) {
      for (const namespace of NAMESPACES) {
        for (const room of STORM_ROOMS) this.quit({ client, namespace, room });
      }
    }
  }

  /** Ends the timeouts of emits that still wait for acks. */
  fireTimers() {
    const timers = this.#timers.filter(({ emit }) => !emit.isDone);
    this.#timers = [];
    for (const { fire } of timers) fire();
  }

  /**
   * Does operations once: handlers that lead to themselves do nothing the second time.
   *
   * @param {import("./program.js").Operation[]} [ops]
   */
  do(ops = []) {
    if (this.#isRetired || this.#done.has(ops)) return;
    this.#done.add(ops);
    this.#run(ops);
  }

  #run(ops) {
    if (this.#isGone) return;
    if (ops.length > 0) this.#enterCallback();
    for (const op of ops) {
      if (!this.#admits(op)) continue;
      try {
        this[op.do](op);
      } catch (error) {
        this.record.note(`${op.do} throws`, error);
      }
    }
  }

  #admits(op) {
    if (this.#order === null) return true;
    return this.#order.admits(this, op, { isPrompt: this.#isPrompt, isPublic: this.#isPublic(op) });
  }

  /** Returns whether other nodes take part. */
  #isPublic(op) {
    if (PUBLIC.includes(op.do)) return true;
    if (op.do === "emit" && (op.client === undefined || op.isBroadcast)) return !op.isLocal;
    if (!REMOTE.includes(op.do)) return false;
    const socket = this.#cast.sockets.get(keyOf(op.client, op.namespace));
    return socket !== undefined && socket.nsp.server !== this.#io;
  }

  #promptly(isPrompt, run) {
    const before = this.#isPrompt;
    this.#isPrompt = isPrompt;
    try {
      run();
    } finally {
      this.#isPrompt = before;
    }
  }

  /** Does operations within a listener of a client's act, such as its probe. */
  doForClient(ops) {
    this.#promptly(this.#order?.isOfClient(this) === true, () => this.do(ops));
  }

  /** Does operations within the listener of an upgrade. */
  doAtUpgrade(ops) {
    // Engine.IO closes such a connection before all is written.
    this.#mayClose = false;
    this.doForClient(ops);
    this.#mayClose = true;
  }

  /** Returns whether no other callback than the current one has done operations in this turn. */
  #isAlone() {
    return this.#callbacks.size === 1;
  }

  #enterCallback() {
    if (this.#callbacks.size === 0) setImmediate(() => this.#callbacks.clear());
    this.#callbacks.add(executionAsyncId());
  }

  #handleConn(conn) {
    conn.received = 0;
    conn.on("packet", ({ type }) => {
      if (type === "message") conn.received++;
    });
    this.#cast.conns.set(clientOf(conn), conn);
    this.#cast.name(conn.id, `engine-${clientOf(conn)}`);
  }

  #register(socket) {
    const key = keyOf(clientOf(socket.conn), socket.nsp.name);
    const { names, sockets } = this.#cast;
    const earlier = sockets.get(key);
    const generation = earlier === undefined ? "" : "'";
    this.#cast.name(socket.id, (names.get(earlier?.id) ?? key) + generation);
    this.#cast.name(socket.pid, `pid of ${key}`);
    sockets.set(key, socket);
    return { key, greeting: this.#greetings.get(key) ?? NO_GREETING };
  }

  #handleSocket(socket, next) {
    const { key, greeting } = this.#register(socket);
    this.record.note(`${key} comes`, socket.recovered);
    this.doForClient(greeting.inMiddleware);
    if (greeting.door === "hold") this.#held.set(key, next);
    else if (greeting.door === "refuse") next(new Error("refused"));
    else next();
  }

  #handleConnection(socket) {
    // The client's CONNECT packet is on its way.
    this.#enterCallback();
    const { key, greeting } = this.#register(socket);
    this.record.note(`${key} is connected`, socket.recovered, socket.rooms);
    socket.on("disconnecting", (reason) => {
      this.record.note(`${key} is disconnecting`, reason, socket.rooms);
      this.#doAtEnd(reason, greeting.onDisconnecting);
    });
    socket.on("disconnect", (reason) => {
      this.record.note(`${key} is disconnected`, reason, socket.rooms);
      this.#doAtEnd(reason, greeting.onDisconnect);
    });
    this.doForClient(greeting.onConnection);
  }

  #doAtEnd(reason, ops) {
    if (reason === "server namespace disconnect") this.do(ops);
    else this.doForClient(ops);
  }

  /** Handles a question of another node or of an emitter. */
  #handleQuestion(namespace, id, answer) {
    this.record.note(`asked ${id} in ${namespace.name}`);
    answer?.(`node ${this.#index} has ${id}`);
  }

  #listenToRooms(namespace) {
    for (const event of ROOM_EVENTS) {
      namespace.adapter.on(event, (...args) =>
        this.record.note(`${event} in ${namespace.name}`, args),
      );
    }
  }

  /** Returns a client's socket, or what stands for it if it is on another node. */
  #socket(client, namespace) {
    const socket = this.#cast.sockets.get(keyOf(client, namespace));
    if (socket === undefined || socket.nsp.server === this.#io) return socket;
    return remoteSocket(this.#io.of(namespace), socket.id);
  }

  /** Returns a client's socket if it is on this node. */
  #ownSocket(client, namespace) {
    const socket = this.#cast.sockets.get(keyOf(client, namespace));
    return socket?.nsp.server === this.#io ? socket : undefined;
  }

  // --- Operations

  join({ client, namespace, rooms }) {
    this.#socket(client, namespace)?.join(this.#cast.rooms(rooms));
  }

  leave({ client, namespace, room }) {
    this.#socket(client, namespace)?.leave(this.#cast.room(room));
  }

  leaveAll({ client, namespace }) {
    this.#ownSocket(client, namespace)?.leaveAll();
  }

  /** Edits the maps of an adapter. */
  edit({ edit, client, namespace, room, other }) {
    const { adapter, sockets } = this.#io.of(namespace);
    const socket = this.#ownSocket(client, namespace);
    const id = this.#cast.idOf(client, namespace) ?? "nobody";
    const named = { room: this.#cast.room(room), other: this.#cast.room(other) };
    EDITS[edit]({ adapter, sockets, socket, id, ...named });
  }

  disconnect({ client, namespace, close }) {
    this.#socket(client, namespace)?.disconnect(close && this.#mayClose);
  }

  admit({ client, namespace }) {
    const key = keyOf(client, namespace);
    const next = this.#held.get(key);
    this.#held.delete(key);
    next?.();
  }

  later({ how, ops }) {
    const isPrompt = this.#isPrompt;
    const run = () => this.#promptly(isPrompt, () => this.do(ops));
    if (how === "tick") process.nextTick(run);
    else queueMicrotask(run);
  }

  /** `socketsJoin`, `socketsLeave` or `disconnectSockets`. */
  many(op) {
    const operator = this.#cast.operator(this.#io.of(op.namespace), op);
    if (op.action === "disconnectSockets") operator.disconnectSockets(op.close && this.#mayClose);
    else operator[op.action](this.#cast.rooms(op.rooms));
  }

  look({ namespace }) {
    const { adapter, sockets } = this.#io.of(namespace);
    const { record } = this;
    const list = (values) => (record.isUnordered ? record.unordered([...values]) : [...values]);
    const entries = (map) => list(Array.from(map, ([key, set]) => [key, list(set)]));
    record.note(`rooms of ${namespace}`, entries(adapter.rooms));
    record.note(`sids of ${namespace}`, entries(adapter.sids));
    record.note(`sockets of ${namespace}`, list(sockets.keys()));
    for (const { rooms } of sockets.values()) record.note("rooms of a socket", list(rooms));
  }

  fetch(op) {
    const operator = this.#cast.operator(this.#io.of(op.namespace), op);
    this.#answer(op.id, operator.fetchSockets(), (found) =>
      found.map(({ id, rooms }) => [id, rooms]),
    );
    if (op.except.length > 0) return;
    this.#answer(`${op.id} allSockets`, operator.allSockets(), (ids) => [...ids]);
  }

  /** Records all rooms of a cluster, and how many servers it has. */
  survey({ id, namespace }) {
    const { adapter } = this.#io.of(namespace);
    // In the classic protocol only.
    const rooms = adapter.allRooms?.() ?? Promise.resolve([]);
    this.#answer(`${id} rooms`, rooms, (list) => [...list]);
    this.#answer(`${id} servers`, adapter.serverCount(), (count) => [count]);
  }

  /** Asks the other nodes. */
  ask({ id, namespace, isAnswered }) {
    if (!isAnswered) this.#io.of(namespace).serverSideEmit("ask", id);
    else {
      const answers = this.#io.of(namespace).serverSideEmitWithAck("ask", id);
      this.#answer(`${id} answers`, answers, (list) => list);
    }
  }

  /** Records the values that a promise is settled with; of several nodes, in any order. */
  #answer(id, promise, values) {
    const { record } = this;
    const settle = (value) => {
      this.#cast.pending--;
      if (this.#order === null) record.answer(id, value);
      else record.answer(id, record.unordered(value));
    };
    this.#cast.pending++;
    promise.then(
      (value) => settle(values(value)),
      (error) => settle([error]),
    );
  }

  emit(op) {
    const namespace = this.#io.of(op.namespace);
    const socket = this.#socket(op.client, op.namespace);
    if (op.client !== undefined && socket === undefined) return;
    const start = op.isBroadcast ? socket?.broadcast : (socket?.itself ?? socket);
    let operator = this.#cast.operator(start ?? namespace, op);
    if (op.compress !== undefined) operator = operator.compress(op.compress);
    // It is left to the server whether packets still wait that another callback of the same turn has
    // sent, or that were sent before a listener was added.
    if (op.isVolatile && this.#isAlone() && !this.record.areListenersChanged)
      operator = operator.volatile;
    if (op.isLocal) operator = operator.local;
    const event = `e${op.id}`;
    this.#cast.emits.set(event, op);
    this.#cast.publishers.set(event, this.#index);
    if (op.ack === undefined) operator.emit(event, ...op.args);
    else this.#emitWithAck(operator, event, op);
  }

  #emitWithAck(operator, event, { args, ack, ops }) {
    const emit = { isDone: false };
    const settle = (...results) => {
      emit.isDone = true;
      this.record.note(`ack of ${event}`, ...results);
      this.do(ops);
    };
    // Broadcasts have a timeout, and so have emits to another node.
    const timed = ack.hasTimeout || this.#order !== null ? operator.timeout(TIMEOUT) : operator;
    this.#holdTimers(emit, () => {
      if (!ack.asPromise) return timed.emit(event, ...args, settle);
      const answered = timed.emitWithAck(event, ...args);
      return answered.then(settle, (error) => settle(error, error.responses));
    });
  }

  /** Holds the timeouts of an emit back: else a clock would decide which acks are in time. */
  #holdTimers(emit, run) {
    const { setTimeout } = globalThis;
    globalThis.setTimeout = (fire, delay, ...args) => {
      if (delay !== TIMEOUT) return setTimeout(fire, delay, ...args);
      this.#timers.push({ emit, fire });
      return undefined;
    };
    try {
      run();
    } finally {
      globalThis.setTimeout = setTimeout;
    }
  }

  /** Lets a client join a room, with an event before. */
  visit({ client, namespace, room }) {
    const socket = this.#ownSocket(client, namespace);
    if (!socket?.connected || socket.rooms.has(room)) return;
    socket.emit("in", room);
    socket.join(room);
  }

  /** Lets a client leave a room, with an event afterwards. */
  quit({ client, namespace, room }) {
    const socket = this.#ownSocket(client, namespace);
    if (!socket?.connected || !socket.rooms.has(room)) return;
    socket.leave(room);
    socket.emit("out", room);
  }

  /** Adds a listener. */
  listen(op) {
    const remove = this.#listen(op, (...values) => this.#handlerOf(op.to).call(this, op, values));
    this.#changeListeners(op.to);
    this.#removals.set(op.id, () => {
      remove();
      this.#changeListeners(op.to);
    });
  }

  unlisten({ id }) {
    this.#removals.get(id)?.();
    this.#removals.delete(id);
  }

  #handlerOf(to) {
    if (ROOM_EVENTS.includes(to)) return this.#handleRooms;
    return FLUSHES.includes(to) ? this.#handleFlush : this.#handlePacket;
  }

  #changeListeners(to) {
    if (!ROOM_EVENTS.includes(to)) this.record.areListenersChanged = true;
  }

  #listen({ to, client, namespace }, listener) {
    if (to.endsWith("AnyOutgoing")) {
      const socket = this.#ownSocket(client, namespace);
      socket?.[to](listener);
      return () => socket?.offAnyOutgoing(listener);
    }
    const [emitter, event] = this.#emitter(to, client, namespace);
    emitter?.on(event, listener);
    return () => emitter?.off(event, listener);
  }

  #emitter(to, client, namespace) {
    if (to.startsWith("engine ")) return [this.#io.engine, to.slice("engine ".length)];
    if (ROOM_EVENTS.includes(to)) return [this.#io.of(namespace).adapter, to];
    const conn = this.#cast.conns.get(client);
    return [conn?.server === this.#io.engine ? conn : undefined, to];
  }

  #handleRooms(op, values) {
    this.record.note(`${op.to} in ${op.namespace}`, values);
    // The official adapter throws if a room is left before its first member is in it.
    if (op.to === "create-room") this.later({ how: "tick", ops: op.ops });
    else this.do(op.ops);
  }

  #handlePacket(op, values) {
    const name = `${op.to} of ${op.client}, listener ${op.id}`;
    this.record.addPackets(name, op.to === "packetCreate" ? shownCreation(values[0]) : values);
    // In the middle of a broadcast, the recipients so far are left to the server.
    this.later({ how: "tick", ops: op.ops });
  }

  #handleFlush(op, values) {
    const isOfEngine = op.to.startsWith("engine ");
    const client = isOfEngine ? clientOf(values[0]) : op.client;
    const packets = values[isOfEngine ? 1 : 0] ?? [];
    this.record.addPackets(
      `${op.to} of ${client}, listener ${op.id}`,
      ...packets.map(shownCreation),
    );
  }
}

module.exports = { DYNAMIC_NAMESPACE, NAMESPACES, ROOM_EVENTS, Stage };
