"use strict";

/**
 * Plays a program on a server of its own. After each turn, all that the turn causes has come to
 * its end before the next: what has been sent has been received, polls are pending again, acks
 * have been given, one by one. So a program has one outcome, whatever the timing.
 */

const { once } = require("node:events");
const { createServer } = require("node:http");
const { setImmediate: nextTurn } = require("node:timers/promises");
const { Server } = require("socket.io");
const { Encoder } = require("socket.io-parser");
const { Stage } = require("./adapter-stage.js");
const { HANG_GUARD } = require("./observed.js");
const { PacketClient } = require("./packet-client.js");

/** No timer of the server is to come due. */
const NEVER = 2 ** 30;

const COMMON = {
  serveClient: false,
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

class Play {
  #program;
  #httpServer = createServer();
  #io;
  #stage;
  #clients = new Map();
  /** Acks that clients keep back, with the client. */
  #late = [];
  #pings = 0;

  /**
   * @param {import("./adapter-program.js").Program} program
   * @param {(options: object) => object} serverOptions
   */
  constructor(program, serverOptions) {
    this.#program = program;
    this.#io = new Server(this.#httpServer, serverOptions(SERVERS[program.server]()));
    this.#stage = new Stage(this.#io, program);
  }

  /** @returns {Promise<Outcome>} */
  async run() {
    await once(this.#httpServer.listen(0, "127.0.0.1"), "listening");
    try {
      for (const [index, turn] of this.#program.turns.entries()) {
        this.#note(`-- turn ${index + 1}`);
        await this[turn.what](turn);
        await this.#settle();
        this.#stage.record.endTurn();
      }
      await this.#end();
    } finally {
      this.#httpServer.closeAllConnections();
      for (const client of this.#clients.values()) client.vanish();
    }
    return this.#outcome();
  }

  #outcome() {
    const { record } = this.#stage;
    const clients = Array.from(this.#clients, ([name, { log }]) => [name, record.named(log)]);
    return { ...record.lines, ...Object.fromEntries(clients) };
  }

  #note(text) {
    this.#stage.record.log.push(text);
    for (const client of this.#clients.values()) client.note(text);
  }

  /** What is still open ends with the server. */
  async #end() {
    await this.timeouts();
    await this.#settle();
    this.#note("-- io.close()");
    // What is written while Engine.IO closes is cut off anywhere.
    this.#stage.retire();
    const closed = this.#io.close();
    const clients = [...this.#clients.values()];
    await this.#until(() => clients.every(({ isEnded }) => isEnded));
    this.#httpServer.closeAllConnections();
    await closed;
  }

  // --- Turns

  async server({ ops }) {
    this.#stage.do(ops);
  }

  async connect({ client: name, namespace, greeting, ...how }) {
    const earlier = this.#clients.get(name);
    if (earlier?.isEnded === false) return;
    if (earlier === undefined) {
      this.#clients.set(name, new PacketClient(this.#port, name, how));
    } else {
      earlier.connect(how);
    }
    const client = this.#clients.get(name);
    this.#stage.expect(name, namespace, greeting);
    await this.#until(() => client.isOpen);
    // Engine.IO v3: a client is connected to the main namespace at once.
    if (how.version === 3 && namespace === "/") return;
    await client.attach(namespace, how.isReturning);
  }

  async attach({ client: name, namespace, greeting }) {
    if (!this.#isOpen(name) || this.#stage.has(name, namespace)) return;
    this.#stage.expect(name, namespace, greeting);
    await this.#clients.get(name).attach(namespace);
  }

  async say({ id, client, namespace, args, wantsAck, ops }) {
    if (!this.#isConnected(client, namespace)) return;
    const event = `say${id}`;
    this.#stage.expectEvent({ client, namespace, event, ops });
    const packet = { type: 2, nsp: namespace, data: [event, ...args] };
    const [text, ...attachments] = encoder.encode(wantsAck ? { ...packet, id } : packet);
    await this.#clients.get(client).send(text, attachments);
  }

  async detach({ client, namespace }) {
    if (this.#isConnected(client, namespace)) await this.#clients.get(client).detach(namespace);
  }

  async probe({ client: name, ops }) {
    const client = this.#clients.get(name);
    const conn = this.#stage.conns.get(name);
    if (!this.#isOpen(name) || conn.transport.name !== "polling" || conn.upgrading) return;
    conn.once("upgrading", () => {
      holdNextInterval();
      this.#stage.do(ops);
    });
    client.probe();
    await this.#until(() => client.isProbed || client.isEnded);
  }

  async upgrade({ client: name, ops }) {
    const client = this.#clients.get(name);
    if (!this.#isOpen(name) || !client.isProbing) return;
    const conn = this.#stage.conns.get(name);
    conn.once("upgrade", () => this.#stage.doAtUpgrade(ops));
    client.upgrade();
    await this.#until(() => conn.upgraded);
  }

  async close({ client }) {
    await this.#leave(client, "close");
  }

  async vanish({ client }) {
    await this.#leave(client, "vanish");
  }

  /** The server closes the connection below Socket.IO. */
  async hangUp({ client }) {
    if (this.#isOpen(client)) this.#stage.conns.get(client).close();
  }

  async #leave(name, way) {
    if (!this.#isOpen(name)) return;
    const conn = this.#stage.conns.get(name);
    this.#clients.get(name)[way]();
    await this.#until(() => conn.readyState === "closed");
  }

  /** Who has not answered does not come in time. */
  async timeouts() {
    this.#stage.fireTimers();
  }

  /** Who has not answered does so now. */
  async late() {
    for (const { name, ack } of this.#late.splice(0)) {
      if (!this.#isConnected(name, ack.namespace)) continue;
      await this.#clients.get(name).acknowledge(ack);
      await this.#settle();
    }
  }

  // --- Waiting

  get #port() {
    return this.#httpServer.address().port;
  }

  #isOpen(name) {
    return this.#stage.conns.get(name)?.readyState === "open";
  }

  #isConnected(name, namespace) {
    return this.#stage.sockets.get(`${name}@${namespace}`)?.connected === true;
  }

  async #settle() {
    do {
      await this.#arrive();
    } while (await this.#acknowledgeNext());
  }

  /** All that has been sent arrives, on both sides. */
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
    const { readyState, transport } = this.#stage.conns.get(name) ?? {};
    if (readyState === "open" && transport.name === "websocket") {
      transport.socket.ping(String(this.#pings));
    }
  }

  /** Whether the server has had what the client has sent, and has sent what it has. */
  #isQuiet(name, client) {
    const { readyState, received, transport, writeBuffer } = this.#stage.conns.get(name);
    if (readyState === "closed") return client.isEnded;
    const isSent = transport.writable && writeBuffer.length === 0;
    return readyState === "open" && isSent && received >= client.sent;
  }

  /** Whether the client has had what the server has sent. */
  #hasAll(name, client) {
    const conn = this.#stage.conns.get(name);
    const isPolling = conn.readyState === "open" && conn.transport.name === "polling";
    const hasPing = isPolling || client.isEnded || client.lastPing === String(this.#pings);
    return hasPing && this.#isQuiet(name, client);
  }

  /** @returns {Promise<boolean>} whether a client had an ack to give */
  async #acknowledgeNext() {
    for (const [name, client] of this.#clients) {
      while (client.due.length > 0) {
        const ack = client.due.shift();
        if (!this.#isConnected(name, ack.namespace)) continue;
        if (!this.#stage.emits.get(ack.event).ack.silent.includes(name)) {
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
      const { readyState, transport, upgrading, writeBuffer } = this.#stage.conns.get(name) ?? {};
      const last = log.slice(-3);
      const waiting = writeBuffer?.length;
      return { name, isEnded, readyState, on: transport?.name, upgrading, waiting, last };
    });
    return `the program hangs: ${JSON.stringify(clients)}`;
  }
}

/** Engine.IO ends a poll every 100 ms while an upgrade is under way; a clock must not decide. */
function holdNextInterval() {
  const { setInterval } = globalThis;
  const restore = () => {
    globalThis.setInterval = setInterval;
  };
  globalThis.setInterval = (check) => setInterval(check, NEVER);
  queueMicrotask(restore);
}

/**
 * @typedef {Record<string, string[]>} Outcome what the application saw ("server"), what promises
 *   of the adapter gave ("answers"), and what each client received
 */

/**
 * @param {import("./adapter-program.js").Program} program
 * @param {(options: object) => object} serverOptions makes the options of the Socket.IO server
 * @returns {Promise<Outcome>}
 */
function play(program, serverOptions) {
  return new Play(program, serverOptions).run();
}

module.exports = { play };
