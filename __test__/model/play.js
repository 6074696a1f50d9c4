"use strict";

/**
 * Plays a program on a server of its own, or on a cluster. Each turn ends before the next begins: all
 * that was sent has been received, polls are pending again, acks have been given, one by one. So a
 * program has one outcome, whatever the timing.
 */

const { once } = require("node:events");
const { createServer } = require("node:http");
const { setImmediate: nextTurn } = require("node:timers/promises");
const { Server } = require("socket.io");
const { Encoder } = require("socket.io-parser");
const { Cast, keyOf } = require("./cast.js");
const PACES = require("./paces.js");
const { Stage } = require("./stage.js");
const { ClusterOrder } = require("./cluster/order.js");
const { ALL_HAS_COME, StormLog } = require("./cluster/storm.js");
const { hasPollingWorkers } = require("../support/engines.js");
const { HANG_GUARD } = require("../support/observed.js");
const { PacketClient } = require("./packet-client.js");

/** Longer than any program takes, in milliseconds. */
const NEVER = 2 ** 30;

const COMMON = {
  serveClient: false,
  cleanupEmptyChildNamespaces: true,
  allowEIO3: true,
  pingInterval: NEVER,
  upgradeTimeout: NEVER,
  connectTimeout: NEVER,
};

/** The options of a Socket.IO server, by the kind of server that a program names. */
const SERVERS = {
  plain: () => ({ ...COMMON }),
  recovery: () => ({ ...COMMON, connectionStateRecovery: {} }),
  deflate: () => ({ ...COMMON, perMessageDeflate: { threshold: 100 } }),
};

const encoder = new Encoder();

/** The beginning of the error of a program that does not end. */
const HANGS = "the program hangs";

/** Longer than what the network takes at once. */
const LONG_TEXT = "long ".repeat(20_000);

/** A Socket.IO server that a program is played on. */
class Node {
  httpServer = createServer();
  isOpen = true;

  /**
   * @param {object} options of the Socket.IO server
   * @param {(io: Server) => Stage} makeStage
   */
  constructor(options, makeStage) {
    this.io = new Server(this.httpServer, options);
    this.stage = makeStage(this.io);
  }

  get port() {
    return this.httpServer.address().port;
  }

  async listen() {
    await once(this.httpServer.listen(0, "127.0.0.1"), "listening");
  }
}

class Play {
  #program;
  #cast = new Cast();
  /** @type {import("./cluster/company.js").Company | null} */
  #company;
  /** In a cluster: puts operations off. */
  #order;
  #nodes;
  #clients = new Map();
  /** The node that each client has connected to last. @type {Map<string, Node>} */
  #places = new Map();
  /** Acks that clients hold back. */
  #late = [];
  #pings = 0;

  /**
   * @param {import("./program.js").Program} program
   * @param {Array<(options: object) => object>} serverOptions of each node
   * @param {import("./cluster/company.js").Company | null} company of a cluster
   */
  constructor(program, serverOptions, company) {
    this.#program = program;
    this.#company = company;
    this.#order = company === null ? null : new ClusterOrder(protocolOf(program));
    this.#nodes = serverOptions.map((optionsOf, index) => {
      const makeStage = (io) => new Stage(io, program, this.#cast, this.#order, index);
      return new Node(optionsOf(SERVERS[program.server]()), makeStage);
    });
    company?.start(this.#nodes, this.#cast, this.#order, (isReached) => this.#until(isReached));
  }

  /** @returns {Promise<Outcome>} */
  async run() {
    try {
      for (const node of this.#nodes) await node.listen();
      await this.#company?.whenComplete();
      for (const [index, turn] of this.#program.turns.entries()) {
        this.#beginTurn(`-- turn ${index + 1}`);
        await this[turn.what](turn);
        await this.#settle();
        for (const { stage } of this.#nodes) stage.record.endTurn();
      }
      await this.#end();
    } finally {
      // If a program has failed, some are still open.
      for (const { io, isOpen } of this.#nodes) if (isOpen) io.close();
      for (const { httpServer } of this.#nodes) httpServer.closeAllConnections();
      for (const client of this.#clients.values()) client.vanish();
    }
    return this.#outcome();
  }

  #outcome() {
    const [{ stage }] = this.#nodes;
    const clients = Array.from(this.#clients, ([name, { log }]) => [name, stage.record.named(log)]);
    return { ...this.#seen(), ...Object.fromEntries(clients) };
  }

  /** Returns what the applications have seen. */
  #seen() {
    const lines = this.#nodes.map(({ stage }) => stage.record.lines);
    if (lines.length === 1) return lines[0];
    const servers = lines.map(({ server }, index) => [`server ${index}`, server]);
    const answers = lines.flatMap((node) => node.answers).sort();
    return { ...Object.fromEntries(servers), answers };
  }

  #beginTurn(text) {
    this.#order?.begin(null);
    for (const { stage } of this.#nodes) stage.record.beginTurn(text);
    for (const client of this.#clients.values()) client.note(text);
  }

  /** Closes the servers, and so all that is still open. */
  async #end() {
    await this.timeouts();
    await this.#settle();
    this.#company?.count();
    for (const [index, { isOpen }] of this.#nodes.entries()) {
      if (!isOpen) continue;
      this.#beginTurn(this.#nodes.length === 1 ? "-- io.close()" : `-- io.close() of ${index}`);
      await this.#close(index);
      for (const { stage } of this.#nodes) stage.record.endTurn();
    }
  }

  async #close(index) {
    const node = this.#nodes[index];
    // Engine.IO cuts off anywhere what is written while it closes.
    node.stage.close();
    node.isOpen = false;
    const clients = [...this.#clients].filter(([name]) => this.#places.get(name) === node);
    const closed = node.io.close();
    await this.#until(() => clients.every(([, { isEnded }]) => isEnded));
    node.httpServer.closeAllConnections();
    await closed;
    await this.#company?.whenComplete();
  }

  // --- Turns

  async server({ node = 0, ops }) {
    const { stage } = this.#nodes[node];
    this.#order?.begin(stage);
    stage.perform(ops);
  }

  async connect({ client: name, node = 0, namespace, greeting, ...how }) {
    const earlier = this.#clients.get(name);
    if (earlier?.isEnded === false || !this.#nodes[node].isOpen) return;
    const { port, stage } = this.#nodes[node];
    this.#places.set(name, this.#nodes[node]);
    if (earlier === undefined) {
      this.#clients.set(name, new PacketClient(port, name, how));
    } else {
      earlier.connect(port, how);
    }
    const client = this.#clients.get(name);
    this.#beginOf(name);
    stage.expect(name, namespace, greeting);
    await this.#until(() => client.isOpen);
    // Engine.IO v3: a client is connected to the main namespace at once.
    if (how.version === 3 && namespace === "/") return;
    // The answer with that connection ends a poll. The next one decides what happens to a volatile packet.
    if (how.version === 3) await this.#until(() => this.#isQuiet(name, client));
    await client.attach(namespace, how.isReturning);
  }

  async attach({ client: name, namespace, greeting }) {
    if (!this.#isOpen(name) || this.#stageOf(name).has(name, namespace)) return;
    this.#beginOf(name);
    this.#stageOf(name).expect(name, namespace, greeting);
    await this.#clients.get(name).attach(namespace);
  }

  async say({ id, client, namespace, args, wantsAck, ops }) {
    if (!this.#isConnected(client, namespace)) return;
    const event = `say${id}`;
    this.#beginOf(client);
    this.#stageOf(client).expectEvent({ client, namespace, event, ops });
    const packet = { type: 2, nsp: namespace, data: [event, ...args] };
    const [text, ...attachments] = encoder.encode(wantsAck ? { ...packet, id } : packet);
    // Clients mask what they send in place.
    const copies = attachments.map((data) => Buffer.from(new Uint8Array(data)));
    await this.#clients.get(client).send(text, copies);
  }

  /** Lets two clients act at once; the handlers of one are done before those of the other. */
  async together({ turns }) {
    const [first, second] = turns.map(({ client }) => client);
    if (first === second || !turns.every(({ client }) => this.#isOnWebSocket(client))) return;
    const written = turns.map((turn) => this[turn.what](turn));
    // The packets of both arrive before JavaScript receives the first.
    const end = performance.now() + 2;
    while (performance.now() < end);
    await Promise.all(written);
  }

  async pace({ id, client, namespace, way, count }) {
    if (!this.#isConnected(client, namespace) || !this.#isOnWebSocket(client)) return;
    this.#beginOf(client);
    const socket = this.#cast.sockets.get(keyOf(client, namespace));
    const send = (number) => socket.emit(`pace${id}`, number, LONG_TEXT);
    await PACES[way](socket.conn, send, count);
  }

  async detach({ client, namespace }) {
    if (!this.#isConnected(client, namespace)) return;
    this.#beginOf(client);
    await this.#clients.get(client).detach(namespace);
  }

  async probe({ client: name, ops }) {
    // While a client probes, a worker ends its polls by a clock that cannot be held.
    if (hasPollingWorkers) return;
    const client = this.#clients.get(name);
    const conn = this.#cast.conns.get(name);
    if (!this.#isOpen(name) || conn.transport.name !== "polling" || conn.upgrading) return;
    this.#beginOf(name);
    conn.once("upgrading", () => {
      holdNextInterval();
      this.#stageOf(name).doForClient(ops);
    });
    client.probe();
    await this.#until(() => client.isProbed || client.isEnded);
  }

  async upgrade({ client: name, ops }) {
    const client = this.#clients.get(name);
    if (!this.#isOpen(name) || !client.isProbing) return;
    this.#beginOf(name);
    const conn = this.#cast.conns.get(name);
    conn.once("upgrade", () => this.#stageOf(name).doAtUpgrade(ops));
    client.upgrade();
    await this.#until(() => conn.upgraded);
  }

  /** Upgrades from polling to WebSocket, whatever is sent meanwhile. */
  async changeover({ client: name }) {
    const client = this.#clients.get(name);
    const conn = this.#cast.conns.get(name);
    if (!this.#isOpen(name) || conn.transport.name !== "polling" || conn.upgrading) return;
    client.probe();
    await this.#until(() => client.isProbed);
    await client.pause();
    client.upgrade();
    await this.#until(() => conn.upgraded);
  }

  close({ client }) {
    return this.#leave(client, "close");
  }

  vanish({ client }) {
    return this.#leave(client, "vanish");
  }

  /** Closes the connection below Socket.IO, on the server. */
  async hangUp({ client }) {
    if (!this.#isOpen(client)) return;
    this.#beginOf(client);
    this.#cast.conns.get(client).close();
  }

  async #leave(name, way) {
    if (!this.#isOpen(name)) return;
    this.#beginOf(name);
    const client = this.#clients.get(name);
    const conn = this.#cast.conns.get(name);
    client[way]();
    await this.#until(() => conn.readyState === "closed" && client.isEnded);
  }

  /** Ends the timeouts of acks that clients hold back. */
  async timeouts() {
    for (const { stage } of this.#nodes) stage.fireTimers();
  }

  /** Sends the acks that clients hold back. */
  async late() {
    for (const { name, ack } of this.#late.splice(0)) {
      if (!this.#isConnected(name, ack.namespace)) continue;
      await this.#clients.get(name).acknowledge(ack);
      await this.#settle();
    }
  }

  // --- Turns of a cluster

  async emitter({ ops }) {
    this.#order.begin(this.#company.emitter);
    this.#company.emitter.perform(ops);
  }

  /** Closes a node, which so leaves the cluster. */
  async depart({ node }) {
    if (this.#nodes[node].isOpen) await this.#close(node);
  }

  /** Plays scripts at the same time. */
  async storm({ restless, scripts }) {
    const records = this.#nodes.map(({ stage }) => stage.record);
    for (const { stage } of this.#nodes) stage.retire();
    for (const record of records) record.beginStorm();
    this.#order.beginStorm();
    const storm = new StormLog(this.#cast, protocolOf(this.#program).isDynamic);
    for (const [name, { log }] of this.#clients) storm.begin(name, log, restless.includes(name));
    await Promise.all(scripts.map((script) => this.#playScript(script, storm)));
    await this.#settle();
    for (const client of this.#clients.values()) client.note(ALL_HAS_COME);
    for (const { stage } of this.#nodes) stage.endVisits(restless);
    await this.#settle();
    for (const [name, { log }] of this.#clients) storm.end(name, log);
    for (const record of records) record.endStorm();
    this.#order.endStorm();
  }

  async #playScript({ by, steps = [], turns = [] }, storm) {
    const stage = by === "emitter" ? this.#company.emitter : this.#nodes[by]?.stage;
    for (const ops of steps) {
      storm.write(by, ops);
      stage.perform(ops);
      await nextTurn();
    }
    for (const turn of turns) {
      await this[turn.what](turn);
      if (turn.what === "connect") await this.#whenConnected(turn);
    }
  }

  async #whenConnected({ client: name, namespace }) {
    await this.#until(() => !this.#isOpen(name) || this.#isConnected(name, namespace));
  }

  // --- Waiting

  #stageOf(name) {
    return this.#places.get(name).stage;
  }

  /** Begins an act of a client. */
  #beginOf(name) {
    this.#order?.begin(this.#stageOf(name), true);
  }

  #isOpen(name) {
    return this.#cast.conns.get(name)?.readyState === "open";
  }

  #isOnWebSocket(name) {
    return this.#isOpen(name) && this.#cast.conns.get(name).transport.name === "websocket";
  }

  #isConnected(name, namespace) {
    return this.#cast.sockets.get(keyOf(name, namespace))?.connected === true;
  }

  async #settle() {
    do {
      await this.#arrive();
      if (this.#company === null) continue;
      await this.#company.whenQuiet();
      await this.#arrive();
    } while ((await this.#acknowledgeNext()) || this.#order?.doNext());
  }

  /** Waits until all that has been sent has arrived, on both sides. */
  async #arrive() {
    const clients = [...this.#clients];
    await nextTurn();
    await this.#until(() => clients.every(([name, client]) => this.#isQuiet(name, client)));
    await nextTurn();
    this.#pings++;
    for (const [name] of clients) this.#ping(name);
    await this.#until(() => clients.every(([name, client]) => this.#hasAll(name, client)));
  }

  #ping(name) {
    const { readyState, transport } = this.#cast.conns.get(name) ?? {};
    if (readyState === "open" && transport.name === "websocket") {
      transport.socket.ping(String(this.#pings));
    }
  }

  /** Returns whether the server has received and sent everything. */
  #isQuiet(name, client) {
    const { readyState, received, transport, writeBuffer } = this.#cast.conns.get(name);
    if (readyState === "closed") return client.isEnded;
    const isSent = transport.writable && writeBuffer.length === 0;
    return readyState === "open" && isSent && received >= client.sent;
  }

  /** Returns whether the client has received everything, too. */
  #hasAll(name, client) {
    const conn = this.#cast.conns.get(name);
    const isPolling = conn.readyState === "open" && conn.transport.name === "polling";
    const hasPing = isPolling || client.isEnded || client.lastPing === String(this.#pings);
    return hasPing && this.#isQuiet(name, client);
  }

  /** @returns {Promise<boolean>} whether an ack was due, and has been sent */
  async #acknowledgeNext() {
    for (const [name, client] of this.#clients) {
      while (client.due.length > 0) {
        const ack = client.due.shift();
        if (!this.#isConnected(name, ack.namespace)) continue;
        if (!this.#cast.emits.get(ack.event).ack.silent.includes(name)) {
          await client.acknowledge(ack);
          return true;
        }
        this.#late.push({ name, ack });
      }
    }
    return false;
  }

  async #until(isReached) {
    for (const start = Date.now(); !isReached(); ) {
      if (Date.now() - start > HANG_GUARD) throw new Error(this.#describe());
      await nextTurn();
    }
  }

  #describe() {
    const clients = Array.from(this.#clients, ([name, { isEnded, log }]) => {
      const { readyState, transport, upgrading, writeBuffer } = this.#cast.conns.get(name) ?? {};
      const last = log.slice(-3).map((line) => line.slice(0, 100));
      const waiting = writeBuffer?.length;
      return { name, isEnded, readyState, on: transport?.name, upgrading, waiting, last };
    });
    return `${HANGS}: ${JSON.stringify(clients)}`;
  }
}

/** Returns the protocol of a program as `ClusterOrder` takes it. */
function protocolOf({ protocol }) {
  return { isDynamic: protocol.includes("dynamic"), isSharded: protocol.startsWith("sharded") };
}

/** Holds back Engine.IO's next interval, which ends polls during an upgrade: no clock may decide. */
function holdNextInterval() {
  const { setInterval } = globalThis;
  globalThis.setInterval = (check) => setInterval(check, NEVER);
  queueMicrotask(() => Object.assign(globalThis, { setInterval }));
}

/**
 * @typedef {Record<string, string[]>} Outcome what the application saw ("server"), the values of the
 *   adapter's promises ("answers"), and what each client received
 */

/**
 * @param {import("./program.js").Program} program
 * @param {(options: object) => object} serverOptions makes the options of the Socket.IO server
 * @returns {Promise<Outcome>}
 */
function play(program, serverOptions) {
  return new Play(program, [serverOptions], null).run();
}

/**
 * @param {import("./cluster/program.js").ClusterProgram} program
 * @param {import("./cluster/company.js").Company} company
 * @returns {Promise<Outcome>} with a list for each server
 */
function playInCluster(program, company) {
  return new Play(program, company.serverOptions, company).run();
}

module.exports = { HANGS, play, playInCluster };
