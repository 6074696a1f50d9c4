"use strict";

/**
 * Generates random programs for a Socket.IO server and its clients: which of them connect, join,
 * emit, upgrade and leave, in which turn, and what is done within which handler. A program is plain
 * data, so that it can be played twice, shrunk and printed. A step that makes no sense when its time
 * has come, such as a client that leaves before it has connected, is passed over on every server.
 *
 * @typedef {object} Program
 * @property {"plain" | "recovery" | "deflate"} server
 * @property {boolean} hasRoomListeners true to record the events of the adapters
 * @property {Turn[]} turns
 *
 * @typedef {object} Turn `what` names a method of `Play` in play.js
 *
 * @typedef {object} Operation `do` names a method of `Stage` in stage.js, which takes its other
 *   members. `ops` are done within its callback or listener
 *
 * @typedef {object} Greeting what a namespace does with a client that connects
 * @property {"open" | "hold" | "refuse"} door what the middleware does; `admit` ends a `hold`
 * @property {Operation[]} inMiddleware
 * @property {Operation[]} onConnection
 * @property {Operation[]} onDisconnecting
 * @property {Operation[]} onDisconnect
 */

const { EDITS } = require("./edits.js");
const PACES = Object.keys(require("./paces.js"));
const { DYNAMIC_NAMESPACE, NAMESPACES, ROOM_EVENTS } = require("./stage.js");
const { randomFrom } = require("../support/random.js");

const NAMES = ["a", "b", "c", "d", "e", "f"];
/** A number and its digits are two rooms. */
const ROOMS = ["r1", "r2", "r3", 1, "1"];
const MAX_TURNS = 12;
const MAX_DEPTH = 3;

const LISTENED = ["onAnyOutgoing", "onAnyOutgoing", "prependAnyOutgoing", "packetCreate"];
LISTENED.push("flush", "drain", "engine flush", "engine drain", ...ROOM_EVENTS);

/** Texts whose frames and JSON differ in kind; no text has seven characters, as offsets have. */
const TEXTS = [
  "",
  "text",
  'quoted "\\"',
  "žluťoučký 😀",
  "\u2028",
  "x".repeat(118),
  "frame ".repeat(50),
  '"long" '.repeat(300),
];
const BUFFERS = ["", "00", "01020304", "ff".repeat(130)];
const VALUES = [0, -1.5, null, true, [], {}, [1, ["2"]], { key: "value" }, { a: { b: [null] } }];

/** Makes operations. @type {Record<string, (author: Author) => object>} */
const OPERATIONS = {
  emit: (author) => author.emit(),
  join: (author) => ({ ...author.whom(), rooms: author.someRooms() }),
  leave: (author) => ({ ...author.whom(), room: author.room() }),
  leaveAll: (author) => author.whom(),
  edit: (author) => author.edit(),
  many: (author) => author.many(),
  disconnect: (author) => ({ ...author.whom(), close: author.random.chance(0.4) }),
  listen: (author) => author.listen(),
  unlisten: (author) => author.unlisten(),
  look: (author) => ({ namespace: author.namespace() }),
  fetch: (author) => ({ id: author.id(), ...author.scope() }),
  // In a cluster only.
  survey: (author) => ({ id: author.id(), namespace: author.namespace() }),
  ask: (author) => author.ask(),
  admit: (author) => author.whom(),
  later: (author) => author.later(),
};

/** The weights of the operations. */
// biome-ignore format: a table
const WEIGHTS = {
  emit: 14, join: 7, leave: 3, leaveAll: 0.3, edit: 3, many: 2, disconnect: 0.7, listen: 1.5,
  unlisten: 1, look: 1, fetch: 1, survey: 0, ask: 0, admit: 1, later: 1,
};

/** Makes the parts of a program. */
class Author {
  random;
  names;
  server;
  /** False in a cluster. */
  isAlone = true;
  weights = WEIGHTS;
  lastId = 0;
  depth = 0;
  /** The transport of each client that has connected. */
  present = new Map();
  /** The namespace to which each client has connected first. */
  homes = new Map();
  listeners = [];

  /** @param {ReturnType<typeof randomFrom>} random */
  constructor(random) {
    this.random = random;
    this.names = NAMES.slice(0, 1 + random.below(NAMES.length));
  }

  /** @returns {Program} */
  program() {
    const { chance, below } = this.random;
    this.server = chance(0.65) ? "plain" : chance(0.7) ? "recovery" : "deflate";
    const turns = this.names.filter(() => chance(0.85)).map((name) => this.connect(name));
    for (let left = 2 + below(MAX_TURNS); left > 0; left--) turns.push(...this.turns());
    return { server: this.server, hasRoomListeners: chance(0.4), turns };
  }

  // --- Turns

  /** Returns a turn, or a few that belong together. */
  turns() {
    const { chance } = this.random;
    if (this.server !== "recovery" || this.present.size === 0) return [this.turn()];
    return chance(0.2) ? this.interruption() : [this.turn()];
  }

  /** Lets a client be away for a while. */
  interruption() {
    const { pick } = this.random;
    const client = pick([...this.present.keys()]);
    const namespace = this.homes.get(client);
    const what = pick(["close", "vanish", "hangUp"]);
    const before = this.serverTurn();
    const meanwhile = this.serverTurn();
    return [before, { what, client }, meanwhile, this.connect(client, namespace)];
  }

  turn() {
    const { chance } = this.random;
    if (this.present.size === 0 || chance(0.55)) return this.serverTurn();
    return this.weighed([
      [3, () => this.comeOrGo()],
      [3, () => ({ what: "attach", ...this.whom(), greeting: this.greeting() })],
      [4, () => this.say()],
      // Clients with deflate are on ws, others on a worker: between them there is no order.
      [4, () => (this.server === "deflate" ? this.say() : this.together())],
      [2, () => this.pace()],
      [4, () => this.change()],
      [1, () => ({ what: "timeouts" })],
      [2, () => ({ what: "late" })],
    ]);
  }

  serverTurn() {
    return { what: "server", ops: this.ops(7) };
  }

  comeOrGo() {
    const { pick, chance } = this.random;
    const client = pick(this.names);
    if (!this.present.has(client)) return this.connect(client);
    if (chance(0.35)) return this.detach();
    this.present.delete(client);
    return { what: pick(["close", "close", "vanish", "vanish", "hangUp"]), client };
  }

  connect(client, namespace = this.namespace()) {
    const { chance } = this.random;
    this.homes.set(client, namespace);
    const version = chance(0.08) ? 3 : 4;
    const transport = chance(0.65) ? "websocket" : "polling";
    this.present.set(client, transport);
    return {
      what: "connect",
      client,
      namespace,
      version,
      transport,
      offersDeflate: this.server === "deflate" && chance(0.5),
      isReturning: this.server === "recovery" && chance(0.8),
      greeting: this.greeting(),
    };
  }

  greeting() {
    const { chance } = this.random;
    return {
      door: chance(0.88) ? "open" : chance(0.7) ? "hold" : "refuse",
      inMiddleware: this.opsWithin(0.25),
      onConnection: this.opsWithin(0.45),
      onDisconnecting: this.opsWithin(0.2),
      onDisconnect: this.opsWithin(0.2),
    };
  }

  say() {
    const { chance } = this.random;
    return {
      what: "say",
      id: this.id(),
      ...this.whom(),
      args: this.args(),
      wantsAck: chance(0.5),
      ops: this.opsWithin(0.9),
    };
  }

  /** Lets two clients write at once, so that the server has the packets of both in one turn. */
  together() {
    // Attachments would follow in a turn of their own.
    const say = () => ({ ...this.say(), args: [this.random.pick(TEXTS)] });
    const turns = [0, 1].map(() => (this.random.chance(0.7) ? say() : this.detach()));
    return { what: "together", turns };
  }

  detach() {
    return { what: "detach", ...this.whom() };
  }

  /** Lets the server send long packets to a client, no faster than the client reads. */
  pace() {
    const { pick, below } = this.random;
    return { what: "pace", id: this.id(), ...this.whom(), way: pick(PACES), count: 2 + below(4) };
  }

  /** Returns a step of the upgrade from polling to WebSocket. */
  change() {
    const polling = [...this.present].filter(([, transport]) => transport !== "websocket");
    if (polling.length === 0) return this.serverTurn();
    const [client, transport] = this.random.pick(polling);
    const what = transport === "polling" ? "probe" : "upgrade";
    this.present.set(client, what === "probe" ? "probing" : "websocket");
    return { what, client, ops: this.opsWithin(0.7) };
  }

  // --- Operations

  ops(limit) {
    return [this.op(), ...this.random.times(limit, () => this.op())];
  }

  /** Returns operations within a handler, with a probability, and the fewer the deeper. */
  opsWithin(probability) {
    if (this.depth >= MAX_DEPTH || !this.random.chance(probability)) return [];
    this.depth++;
    const ops = this.ops(4 - this.depth);
    this.depth--;
    return ops;
  }

  op() {
    const choices = Object.entries(this.weights).map(([name, weight]) => [
      weight,
      () => ({ do: name, ...OPERATIONS[name](this) }),
    ]);
    return this.weighed(choices);
  }

  emit() {
    const { chance, pick } = this.random;
    const toOne = chance(0.25);
    const ack = chance(0.15) ? this.ack(toOne) : undefined;
    return {
      do: "emit",
      id: this.id(),
      ...(toOne ? { ...this.whom(), isBroadcast: false, to: [], except: [] } : this.broadcast()),
      isVolatile: chance(0.18),
      isLocal: !toOne && chance(0.05),
      compress: chance(0.15) ? pick([true, false]) : undefined,
      args: this.args(),
      ack,
      ops: ack === undefined ? [] : this.opsWithin(0.5),
    };
  }

  /** From the namespace, or from a socket, which then receives nothing. */
  broadcast() {
    if (this.random.chance(0.6)) return this.scope();
    return { client: this.name(), isBroadcast: true, ...this.scope() };
  }

  scope() {
    const { chance } = this.random;
    return {
      namespace: this.namespace(),
      to: chance(0.6) ? this.someRooms() : [],
      except: chance(0.3) ? this.someRooms() : [],
    };
  }

  ack(toOne) {
    const { chance } = this.random;
    const silent = this.names.filter(() => chance(0.15));
    return { silent, asPromise: chance(0.4), hasTimeout: !toOne || chance(0.5) };
  }

  many() {
    const { pick, chance } = this.random;
    const action = pick([
      "socketsJoin",
      "socketsLeave",
      chance(0.4) ? "disconnectSockets" : "socketsJoin",
    ]);
    const scope = { do: "many", action, ...this.scope() };
    if (action === "disconnectSockets") return { ...scope, close: chance(0.4) };
    return { ...scope, rooms: this.someRooms() };
  }

  edit() {
    const { pick } = this.random;
    const [room, other] = [this.room(), this.room()];
    return { do: "edit", edit: pick(Object.keys(EDITS)), ...this.whom(), room, other };
  }

  listen() {
    const listener = { id: this.id(), ...this.whom(), to: this.random.pick(LISTENED) };
    this.listeners.push(listener.id);
    // When "flush" and "drain" come is left to the server; and Engine.IO crashes where a listener
    // of "flush" writes to a polling connection.
    const ops = /flush|drain/.test(listener.to) ? [] : this.opsWithin(0.6);
    return { do: "listen", ...listener, ops };
  }

  unlisten() {
    if (this.listeners.length === 0) return this.listen();
    return { do: "unlisten", id: this.random.pick(this.listeners) };
  }

  later() {
    return { do: "later", how: this.random.pick(["tick", "microtask"]), ops: this.opsWithin(1) };
  }

  // --- Parts

  id() {
    return ++this.lastId;
  }

  name() {
    return this.random.pick(this.names);
  }

  namespace() {
    const { chance } = this.random;
    if (this.isAlone && chance(0.15)) return DYNAMIC_NAMESPACE;
    return NAMESPACES[chance(0.3) ? 1 : 0];
  }

  whom() {
    return { client: this.name(), namespace: this.namespace() };
  }

  room() {
    return this.random.chance(0.85) ? this.random.pick(ROOMS) : this.whom();
  }

  someRooms() {
    return [this.room(), ...this.random.times(3, () => this.room())];
  }

  args() {
    return this.random.times(4, () => this.value());
  }

  value() {
    const { pick, chance, times } = this.random;
    if (chance(0.4)) return pick(TEXTS);
    if (chance(0.6)) return pick(VALUES);
    const buffer = Buffer.from(pick(BUFFERS), "hex");
    if (chance(0.5)) return buffer;
    const buffers = [buffer, ...times(3, () => Buffer.from(pick(BUFFERS), "hex"))];
    return chance(0.5) ? buffers : { first: buffers[0], all: buffers };
  }

  /** Calls one of several functions, chosen by their weights. */
  weighed(choices) {
    const total = choices.reduce((sum, [weight]) => sum + weight, 0);
    let left = this.random.random() * total;
    const [, make] = choices.find(([weight]) => {
      left -= weight;
      return left < 0;
    });
    return make();
  }
}

/**
 * @param {number} seed
 * @returns {Program} the same for the same seed
 */
function makeProgram(seed) {
  return new Author(randomFrom(seed)).program();
}

module.exports = { Author, MAX_TURNS, NAMES, WEIGHTS, makeProgram };
