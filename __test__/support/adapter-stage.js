"use strict";

/**
 * The server's side of a program: does its operations, and records what an application sees.
 */

const { executionAsyncId } = require("node:async_hooks");
const { Record } = require("./adapter-record.js");

/** Options' `timeout` of emits with an ack: nobody waits for it, see `fireTimers()`. */
const TIMEOUT = 3_600_123;

/** The namespaces that programs use. */
const NAMESPACES = ["/", "/p"];

const FLUSHES = ["flush", "drain", "engine flush", "engine drain"];
const ROOM_EVENTS = ["create-room", "join-room", "leave-room", "delete-room"];

/** @type {import("./adapter-program.js").Greeting} */
const NO_GREETING = {
  door: "open",
  inMiddleware: [],
  onConnection: [],
  onDisconnecting: [],
  onDisconnect: [],
};

const keyOf = (client, namespace) => `${client}@${namespace}`;
const clientOf = (conn) => conn.request._query.client;

const shownCreation = ({ type, data, options }) => [type, options.compress, options.volatile, data];

class Stage {
  /** @type {Record} */
  record;
  /** Connections of Engine.IO, the latest of each client. */
  conns = new Map();
  /** Sockets by `client@namespace`, the latest; connected, held at the door, or gone. */
  sockets = new Map();
  /** Operations that emit, by the event's name. */
  emits = new Map();

  #io;
  #done = new Set();
  #isRetired = false;
  #mayClose = true;
  /** The callbacks of Node.js that have done operations in this turn. */
  #callbacks = new Set();
  #greetings = new Map();
  /** Sockets at the door: how to let them in. */
  #held = new Map();
  /** How to remove the listeners that operations have added. */
  #removals = new Map();
  /** Timers of emits that wait for acks. @type {Array<{ emit: object, fire: () => void }>} */
  #timers = [];

  /**
   * @param {import("socket.io").Server} io
   * @param {import("./adapter-program.js").Program} program
   */
  constructor(io, program) {
    this.#io = io;
    this.record = new Record(program.server === "recovery");
    io.engine.on("connection", (conn) => this.#handleConn(conn));
    for (const name of NAMESPACES) {
      const namespace = io.of(name);
      namespace.use((socket, next) => this.#handleSocket(socket, next));
      namespace.on("connection", (socket) => this.#handleConnection(socket));
      if (program.hearsRooms) this.#hearRooms(namespace);
    }
  }

  /** What is to happen when a client comes to a namespace. */
  expect(client, namespace, greeting) {
    this.#greetings.set(keyOf(client, namespace), greeting);
  }

  /** @returns {boolean} whether a client has a socket in a namespace, or is at its door */
  has(client, namespace) {
    const key = keyOf(client, namespace);
    return this.#held.has(key) || this.sockets.get(key)?.connected === true;
  }

  /** The next event of this name of a client is answered. */
  expectEvent({ client, namespace, event, ops }) {
    this.sockets.get(keyOf(client, namespace)).once(event, (...args) => {
      this.record.note(`${event} of ${client}`, args);
      this.do(ops);
      if (typeof args.at(-1) === "function") args.at(-1)("heard", event, Buffer.from(event));
    });
  }

  /** From now on, handlers do nothing but write down that they are called. */
  retire() {
    this.#isRetired = true;
  }

  /** Lets all time pass: emits that still wait for acks time out. */
  fireTimers() {
    const timers = this.#timers.filter(({ emit }) => !emit.isDone);
    this.#timers = [];
    for (const { fire } of timers) fire();
  }

  /**
   * Does operations, once: handlers that lead to themselves do nothing the second time.
   *
   * @param {object[]} ops see `Operation` in adapter-program.js
   */
  do(ops) {
    if (this.#isRetired || this.#done.has(ops)) return;
    this.#done.add(ops);
    if (ops.length > 0) this.#enterCallback();
    for (const op of ops) {
      try {
        this[op.do](op);
      } catch (error) {
        this.record.note(`${op.do} throws`, error);
      }
    }
  }

  /** Does operations from within the listener of an upgrade. */
  doAtUpgrade(ops) {
    // Engine.IO closes such a connection before all is written.
    this.#mayClose = false;
    this.do(ops);
    this.#mayClose = true;
  }

  /** Whether only the callback that is running now has done operations in this turn. */
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
    this.conns.set(clientOf(conn), conn);
    this.record.name(conn.id, `engine-${clientOf(conn)}`);
  }

  #register(socket) {
    const key = keyOf(clientOf(socket.conn), socket.nsp.name);
    const earlier = this.sockets.get(key);
    const generation = earlier === undefined ? "" : "'";
    this.record.name(socket.id, (this.record.nameOf(earlier?.id) ?? key) + generation);
    this.record.name(socket.pid, `pid of ${key}`);
    this.sockets.set(key, socket);
    return { key, greeting: this.#greetings.get(key) ?? NO_GREETING };
  }

  #handleSocket(socket, next) {
    const { key, greeting } = this.#register(socket);
    this.record.note(`${key} comes`, socket.recovered);
    this.do(greeting.inMiddleware);
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
      this.do(greeting.onDisconnecting);
    });
    socket.on("disconnect", (reason) => {
      this.record.note(`${key} is disconnected`, reason, socket.rooms);
      this.do(greeting.onDisconnect);
    });
    this.do(greeting.onConnection);
  }

  #hearRooms(namespace) {
    for (const event of ROOM_EVENTS) {
      namespace.adapter.on(event, (...args) =>
        this.record.note(`${event} in ${namespace.name}`, args),
      );
    }
  }

  #room(room) {
    if (typeof room !== "object") return room;
    return this.sockets.get(keyOf(room.client, room.namespace))?.id ?? "nobody";
  }

  /** As callers write it: one room, or a list. */
  #rooms(rooms) {
    return rooms.length === 1 ? this.#room(rooms[0]) : rooms.map((room) => this.#room(room));
  }

  #operator(start, { to, except }) {
    const targeted = to.length === 0 ? start : start.to(this.#rooms(to));
    return except.length === 0 ? targeted : targeted.except(this.#rooms(except));
  }

  // --- Operations

  join({ client, namespace, rooms }) {
    this.sockets.get(keyOf(client, namespace))?.join(this.#rooms(rooms));
  }

  leave({ client, namespace, room }) {
    this.sockets.get(keyOf(client, namespace))?.leave(this.#room(room));
  }

  leaveAll({ client, namespace }) {
    this.sockets.get(keyOf(client, namespace))?.leaveAll();
  }

  disconnect({ client, namespace, close }) {
    this.sockets.get(keyOf(client, namespace))?.disconnect(close && this.#mayClose);
  }

  admit({ client, namespace }) {
    const key = keyOf(client, namespace);
    const next = this.#held.get(key);
    this.#held.delete(key);
    next?.();
  }

  later({ how, ops }) {
    if (how === "tick") process.nextTick(() => this.do(ops));
    else queueMicrotask(() => this.do(ops));
  }

  /** `socketsJoin`, `socketsLeave` or `disconnectSockets`. */
  many(op) {
    const operator = this.#operator(this.#io.of(op.namespace), op);
    if (op.action === "disconnectSockets") operator.disconnectSockets(op.close && this.#mayClose);
    else operator[op.action](this.#rooms(op.rooms));
  }

  look({ namespace }) {
    const { adapter, sockets } = this.#io.of(namespace);
    this.record.note(
      `rooms of ${namespace}`,
      Array.from(adapter.rooms, ([room, ids]) => [room, ids]),
    );
    this.record.note(
      `sids of ${namespace}`,
      Array.from(adapter.sids, ([id, rooms]) => [id, rooms]),
    );
    this.record.note(`sockets of ${namespace}`, Array.from(sockets.keys()));
    for (const { rooms } of sockets.values()) this.record.note("rooms of a socket", rooms);
  }

  fetch(op) {
    const operator = this.#operator(this.#io.of(op.namespace), op);
    operator.fetchSockets().then((found) => {
      this.record.answer(
        op.id,
        found.map(({ id, rooms }) => [id, rooms]),
      );
    });
    if (op.except.length > 0) return;
    operator.allSockets().then((ids) => this.record.answer(`${op.id} allSockets`, ids));
  }

  emit(op) {
    const socket = this.sockets.get(keyOf(op.client, op.namespace));
    if (op.client !== undefined && socket === undefined) return;
    let operator = this.#operator(socket ?? this.#io.of(op.namespace), op);
    if (socket !== undefined && op.isBroadcast) operator = this.#operator(socket.broadcast, op);
    if (op.compress !== undefined) operator = operator.compress(op.compress);
    // Whether a packet waits that another callback of the same turn has sent is left to the server;
    // or one that was sent before somebody listened.
    if (op.isVolatile && this.#isAlone() && !this.record.isHearingChanged)
      operator = operator.volatile;
    if (op.isLocal) operator = operator.local;
    const event = `e${op.id}`;
    this.emits.set(event, op);
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
    const timed = ack.hasTimeout ? operator.timeout(TIMEOUT) : operator;
    this.#holdTimers(emit, () => {
      if (!ack.asPromise) return timed.emit(event, ...args, settle);
      const answered = timed.emitWithAck(event, ...args);
      return answered.then(settle, (error) => settle(error, error.responses));
    });
  }

  /** Else a clock would decide who is in time. */
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

  /** Adds a listener. */
  listen(op) {
    const remove = this.#listen(op, (...values) => this.#handlerOf(op.to).call(this, op, values));
    this.#changeHearing(op.to);
    this.#removals.set(op.id, () => {
      remove();
      this.#changeHearing(op.to);
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

  #changeHearing(to) {
    if (!ROOM_EVENTS.includes(to)) this.record.isHearingChanged = true;
  }

  #listen({ to, client, namespace }, listener) {
    if (to.endsWith("AnyOutgoing")) {
      const socket = this.sockets.get(keyOf(client, namespace));
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
    return [this.conns.get(client), to];
  }

  #handleRooms(op, values) {
    this.record.note(`${op.to} in ${op.namespace}`, values);
    // The official adapter throws where a room is left before its first member is in it.
    if (op.to === "create-room") this.later({ how: "tick", ops: op.ops });
    else this.do(op.ops);
  }

  #handlePacket(op, values) {
    const name = `${op.to} of ${op.client}, heard by ${op.id}`;
    this.record.hear(name, op.to === "packetCreate" ? shownCreation(values[0]) : values);
    // In the middle of a broadcast, whom it has reached already is left to the server.
    this.later({ how: "tick", ops: op.ops });
  }

  #handleFlush(op, values) {
    const isOfEngine = op.to.startsWith("engine ");
    const client = isOfEngine ? clientOf(values[0]) : op.client;
    const packets = values[isOfEngine ? 1 : 0] ?? [];
    this.record.hear(`${op.to} of ${client}, heard by ${op.id}`, ...packets.map(shownCreation));
  }
}

module.exports = { NAMESPACES, ROOM_EVENTS, Stage };
