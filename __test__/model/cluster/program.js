"use strict";

/**
 * Generates random programs for a cluster of three servers with clients on each: those of
 * ../program.js, whose turns name the node that acts, and more.
 *
 * In a turn one node acts, or an emitter, so that only its messages are under way. A storm is a turn
 * in which all act at the same time; storm.js says what is compared then. It leaves the order of
 * sockets and rooms open, so storms come last.
 *
 * @typedef {import("../program.js").Program & { protocol: Protocol }} ClusterProgram
 *
 * @typedef {"pattern" | "dynamic" | "sharded static" | "sharded dynamic" | "sharded dynamic-private"
 *   } Protocol with the `subscriptionMode` of our nodes; of all nodes in the sharded one
 *
 * @typedef {object} Storm
 * @property {"storm"} what
 * @property {string[]} restless clients that come and go, or whose rooms change
 * @property {Script[]} scripts
 *
 * @typedef {object} Script a node or an emitter acts in `steps`, of several operations each; or
 *   clients act in `turns`
 * @property {number | "emitter"} [by]
 * @property {import("../program.js").Operation[][]} [steps]
 * @property {import("../program.js").Turn[]} [turns]
 */

const { Author, MAX_TURNS, NAMES, WEIGHTS } = require("../program.js");
const { STORM_ROOMS } = require("./storm.js");
const { randomFrom } = require("../../support/random.js");

const NODES = [0, 1, 2];

/** Rooms; some names are more than a text to the protocol. */
const ROOMS = ["r1", "r1", "r1", "r2", "r2", "r3", 1, "1", 1.5, "", "ž #*"];

/** Values that MessagePack and JSON encode differently, and large ones. */
const MORE_VALUES = [
  undefined,
  [undefined, { a: undefined, b: 1 }],
  Number.NaN,
  -0,
  2 ** 40,
  -(2 ** 31) - 1,
  1e21,
  0.1,
  new Date(1_700_000_000_123),
  { 10: "ten", 2: "two", b: [new Date(0)] },
  { toJSON: () => "by toJSON" },
  new Uint8Array([1, 2, 3]),
  new Uint8Array([4, 5]).buffer,
  "ž".repeat(40_000),
  Buffer.alloc(70_000, 7),
];

/** @type {Protocol[]} */
const PROTOCOLS = [...Array(5).fill("pattern"), ...Array(2).fill("dynamic")];
PROTOCOLS.push("sharded static", "sharded static", "sharded dynamic", "sharded dynamic-private");

const LISTENED_IN_STORMS = ["onAnyOutgoing", "packetCreate", "flush", "engine flush"];

// biome-ignore format: a table
const CLUSTER_WEIGHTS = {
  ...WEIGHTS, emit: 12, many: 5, listen: 2.5, look: 1.5, fetch: 1.5, survey: 0.5, ask: 1.5,
};

class ClusterAuthor extends Author {
  isAlone = false;
  /** The node that each client has connected to last. @type {Map<string, number>} */
  places = new Map();
  /** The node that acts. */
  node = 0;
  /** @type {Protocol} */
  protocol;

  constructor(random) {
    super(random);
    this.names = NAMES.slice(0, 3 + random.below(NAMES.length - 2));
  }

  /** @returns {ClusterProgram} */
  program() {
    const { chance, below, pick } = this.random;
    this.server = chance(0.88) ? "plain" : "deflate";
    this.protocol = pick(PROTOCOLS);
    // Nodes that subscribe to single rooms do so by the adapter's events.
    const isDynamic = this.protocol.includes("dynamic");
    this.weights = { ...CLUSTER_WEIGHTS, edit: isDynamic ? 0 : 2 };
    const turns = this.names.filter(() => chance(0.92)).map((name) => this.connect(name));
    for (let left = 2 + below(MAX_TURNS); left > 0; left--) turns.push(this.turn());
    if (chance(0.3)) turns.push(...this.departure());
    if (chance(0.4)) turns.push(...this.storms());
    const { protocol, server } = this;
    return { server, protocol, hasRoomListeners: chance(0.4), turns };
  }

  /** Emitters know the classic protocol only. */
  get hasEmitter() {
    return !this.protocol.startsWith("sharded");
  }

  // --- Turns

  turn() {
    if (this.present.size === 0) return this.serverTurn();
    return this.weighed([
      [11, () => this.serverTurn()],
      [2, () => this.volatileTurn()],
      [this.hasEmitter ? 3 : 0, () => this.emitterTurn()],
      [3, () => this.comeOrGo()],
      [3, () => this.actOf((whom) => ({ what: "attach", ...whom, greeting: this.greeting() }))],
      [4, () => this.actOf(() => this.say())],
      [4, () => this.change()],
      [1, () => ({ what: "timeouts" })],
      [2, () => ({ what: "late" })],
    ]);
  }

  /** Returns an act of a client: its node acts. */
  actOf(make) {
    const whom = this.whom();
    this.node = this.places.get(whom.client) ?? 0;
    return make(whom);
  }

  serverTurn() {
    this.node = this.random.pick(NODES);
    return { ...super.serverTurn(), node: this.node };
  }

  /** Returns a volatile broadcast, alone: which other packets wait is left to the server. */
  volatileTurn() {
    this.node = this.random.pick(NODES);
    const emit = { ...this.emit(), isVolatile: true, ack: undefined, ops: [] };
    return { what: "server", node: this.node, ops: [emit] };
  }

  /** Lets an emitter publish messages. */
  emitterTurn() {
    const { pick, times } = this.random;
    const namespace = this.namespace();
    const op = () => ({ ...pick([this.emission, this.many, this.ask]).call(this), namespace });
    return { what: "emitter", ops: [op(), ...times(4, op)] };
  }

  /** Returns a broadcast by a namespace. */
  emission() {
    const scope = this.scope();
    return { do: "emit", id: this.id(), ...scope, args: this.args(), isVolatile: false, ops: [] };
  }

  ask() {
    const isAnswered = this.random.chance(0.6);
    return { do: "ask", id: this.id(), namespace: this.namespace(), isAnswered };
  }

  connect(client, namespace) {
    const { chance, pick } = this.random;
    this.node = chance(0.75) ? this.names.indexOf(client) % NODES.length : pick(NODES);
    this.places.set(client, this.node);
    return { ...super.connect(client, namespace), node: this.node, isReturning: false };
  }

  /** Returns a step of the upgrade from polling to WebSocket, or all of it. */
  change() {
    const polling = [...this.present].filter(([, transport]) => transport === "polling");
    if (polling.length === 0 || this.random.chance(0.6)) return super.change();
    return this.changeover(this.random.pick(polling)[0]);
  }

  changeover(client) {
    this.present.set(client, "websocket");
    return { what: "changeover", client };
  }

  /** Lets a node leave, with a few turns afterwards. */
  departure() {
    const { pick, times } = this.random;
    return [{ what: "depart", node: pick(NODES) }, ...times(4, () => this.turn())];
  }

  // --- Storms

  storms() {
    const storms = [this.storm(), ...this.random.times(3, () => this.storm())];
    // Afterwards every client is where the program says.
    return storms.flatMap((storm) => [storm, ...NODES.map((node) => this.inspection(node))]);
  }

  inspection(node) {
    const ops = Array.from({ length: 4 }, () => this.emission());
    return { what: "server", node, ops: [...ops, { do: "look", namespace: this.namespace() }] };
  }

  storm() {
    const { chance } = this.random;
    const restless = [...this.present.keys()].filter(() => chance(0.4));
    const calm = [...this.present.keys()].filter((client) => !restless.includes(client));
    const scripts = NODES.map((node) => ({ by: node, steps: this.emissions() }));
    if (this.hasEmitter && chance(0.5)) {
      scripts.push({ by: "emitter", steps: this.emissions() });
    }
    for (const client of restless) this.disturb(client, scripts);
    for (const client of calm) this.divert(client, scripts);
    return { what: "storm", restless, scripts };
  }

  emissions() {
    const { below, times } = this.random;
    return Array.from({ length: 4 + below(12) }, () => times(4, () => this.stormEmission()));
  }

  stormEmission() {
    const { chance, pick } = this.random;
    const emission = this.emission();
    return chance(0.3) ? { ...emission, to: [pick(STORM_ROOMS)], except: [] } : emission;
  }

  /** Lets a client come and go, or change its rooms, by its own node or another. */
  disturb(client, scripts) {
    const { chance, pick, below } = this.random;
    const place = this.places.get(client);
    if (chance(0.35)) {
      const comings = Array.from({ length: 1 + below(3) }, () => this.returning(client)).flat();
      scripts.push({ turns: comings });
      return;
    }
    const { steps } = scripts[chance(0.7) ? place : pick(NODES)];
    for (let left = 2 + below(8); left > 0; left--) {
      pick(steps).splice(0, 0, this.disturbance(client));
    }
  }

  disturbance(client) {
    const { pick } = this.random;
    const whom = { client, namespace: this.namespace() };
    return this.weighed([
      [2, () => ({ do: "visit", ...whom, room: pick(STORM_ROOMS) })],
      [2, () => ({ do: "quit", ...whom, room: pick(STORM_ROOMS) })],
      [1, () => ({ do: "join", ...whom, rooms: this.someRooms() })],
      [1, () => ({ do: "leave", ...whom, room: this.room() })],
    ]);
  }

  returning(client) {
    // Between two polls a server does not see that a client has vanished.
    const canVanish = this.present.get(client) === "websocket" && this.random.chance(0.6);
    const { greeting, ...how } = this.connect(client, this.homes.get(client));
    return [{ what: canVanish ? "vanish" : "close", client }, how];
  }

  /** Changes the way on which packets go to a client. */
  divert(client, scripts) {
    const { chance, pick } = this.random;
    if (this.present.get(client) === "polling" && chance(0.6)) {
      scripts.push({ turns: [this.changeover(client)] });
    }
    if (!chance(0.5)) return;
    const { steps } = scripts[this.places.get(client)];
    const listener = { id: this.id(), client, namespace: this.namespace() };
    const to = pick(LISTENED_IN_STORMS);
    const at = this.random.below(steps.length);
    steps[at].push({ do: "listen", ...listener, to, ops: [] });
    pick(steps.slice(at)).push({ do: "unlisten", id: listener.id });
  }

  // --- Operations

  emit() {
    return { ...super.emit(), isVolatile: false };
  }

  // --- Parts

  /** Returns mostly a client of the node that acts. */
  name() {
    const { chance, pick } = this.random;
    const own = this.names.filter((name) => this.places.get(name) === this.node);
    return own.length > 0 && chance(0.5) ? pick(own) : super.name();
  }

  room() {
    return this.random.chance(0.85) ? this.random.pick(ROOMS) : this.whom();
  }

  value() {
    return this.random.chance(0.12) ? this.random.pick(MORE_VALUES) : super.value();
  }
}

/**
 * @param {number} seed
 * @returns {ClusterProgram} the same for the same seed
 */
function makeClusterProgram(seed) {
  return new ClusterAuthor(randomFrom(seed)).program();
}

module.exports = { makeClusterProgram };
