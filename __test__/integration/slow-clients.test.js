"use strict";

/** A few of many clients stop reading: they are cut off, without effect on the others. */

const assert = require("node:assert/strict");
const { fork } = require("node:child_process");
const { once } = require("node:events");
const { createServer } = require("node:http");
const net = require("node:net");
const { test } = require("node:test");
const { Server } = require("socket.io");
const { engineNamed, engines, hasNative } = require("../support/engines.js");
const { Observed } = require("../support/observed.js");
const { upgradeRequest } = require("../support/websocket/client.js");
const { TEXT, decodeHeader, frame } = require("../support/websocket/frames.js");

const KIB = 1024;
const MIB = 1024 * KIB;

/** Including the slow ones. With ws, a broadcast takes longer. */
const clientsOf = ({ name }) => (name === "turbo" ? 1000 : 100);
const SLOW_CLIENTS = 10;
const MAX_BACKPRESSURE = 4 * MIB;

/** Each client receives 20 MiB, in broadcasts of which so many are sent together. */
const BROADCASTS = 1280;
const BROADCASTS_AT_A_TIME = 16;
const PADDING = "x".repeat(16 * KIB);

/**
 * The most that the server's process may grow, in bytes. The queues of the ten slow clients share
 * frames, hence 4 MiB; with frames of their own and no bound, they would have 200 MiB.
 */
const MAX_GROWTH = 64 * MIB;

/** Returns the arguments of a broadcast; all are of the same length. */
function newsOf(number) {
  return [String(number).padStart(6, "0"), PADDING];
}

// --- The server, in a process of its own ------------------------------------------------------

/** Serves clients; broadcasts when the parent commands it. */
function serve(engine) {
  const httpServer = createServer();
  const limits = { maxBackpressure: MAX_BACKPRESSURE, backpressureTimeout: 0 };
  const ours = engine.name === "turbo" ? limits : {};
  // No heartbeat is sent between the broadcasts.
  const io = new Server(httpServer, engine.serverOptions({ pingInterval: 600_000, ...ours }));
  const ended = [];
  let connected = 0;
  let next = 0;
  io.on("connection", (socket) => {
    const end = { name: socket.handshake.query.name };
    // Called before engine.io, which creates a new error with nothing but its text.
    socket.conn.transport.socket.prependListener("error", ({ code }) => {
      end.code = code;
    });
    socket.on("disconnect", (reason, description) => {
      ended.push({ ...end, reason, description: description?.message });
    });
    connected++;
    if (connected === clientsOf(engine)) process.send("connected");
  });
  process.on("message", (message) => {
    if (message === "broadcast") {
      for (let i = 0; i < BROADCASTS_AT_A_TIME; i++) io.emit("news", ...newsOf(next++));
    }
    process.send({ memory: process.memoryUsage.rss(), ended });
  });
  process.on("disconnect", () => process.exit());
  httpServer.listen(0, "127.0.0.1", () => process.send({ port: httpServer.address().port }));
}

// --- The clients -----------------------------------------------------------------------------

const newsPacket = (number) => `42${JSON.stringify(["news", ...newsOf(number)])}`;
const newsFrame = (number) => frame({ opcode: TEXT, payload: newsPacket(number), key: null });

/** The header and the part of a broadcast that differs from others. */
const FRAME_LENGTH = newsFrame(0).length;
const START_LENGTH = FRAME_LENGTH - PADDING.length;
const starts = Array.from({ length: BROADCASTS }, (_, number) =>
  newsFrame(number).subarray(0, START_LENGTH),
);

/** All sockets are read into this buffer, one after the other. */
const readBuffer = Buffer.allocUnsafeSlow(256 * KIB);

/** A client that compares received bytes with the expected ones, and keeps none. */
class Client {
  /** Broadcasts that have been received whole. */
  count = 0;
  isConnected = false;
  /** Set once the bytes are not those of the next broadcast. */
  violation;

  #swarm;
  #socket;
  /** Bytes that were received before CONNECT. */
  #bytes = Buffer.alloc(0);
  #isUpgraded = false;
  /** Received bytes of the broadcast under way. */
  #position = 0;

  constructor(swarm, port, name) {
    this.#swarm = swarm;
    const onread = {
      buffer: readBuffer,
      callback: (length) => {
        this.#handleBytes(readBuffer.subarray(0, length));
        return true;
      },
    };
    this.#socket = net.connect({ port, host: "127.0.0.1", onread });
    this.#socket.on("error", () => {});
    const path = `/socket.io/?EIO=4&transport=websocket&name=${name}`;
    this.#socket.write(upgradeRequest({ path }));
  }

  stopReading() {
    this.#socket.pause();
  }

  destroy() {
    this.#socket.destroy();
  }

  #handleBytes(bytes) {
    if (this.isConnected) this.#handleNews(bytes);
    else this.#handleHandshake(bytes);
  }

  #handleHandshake(bytes) {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    if (!this.#isUpgraded) {
      const end = this.#bytes.indexOf("\r\n\r\n");
      if (end === -1) return;
      this.#isUpgraded = true;
      this.#bytes = this.#bytes.subarray(end + 4);
    }
    while (this.#takeFrame());
  }

  /** @returns {boolean} true if a whole frame was there, and others may follow */
  #takeFrame() {
    const header = decodeHeader(this.#bytes);
    const end = header?.headerLength + header?.length;
    if (!(this.#bytes.length >= end)) return false;
    const packet = this.#bytes.toString("utf8", header.headerLength, end);
    this.#bytes = this.#bytes.subarray(end);
    if (packet.startsWith("0")) {
      this.#socket.write(frame({ opcode: TEXT, payload: "40" }));
    } else {
      this.isConnected = packet.startsWith("40");
      this.#handleNews(this.#bytes);
      this.#swarm.changed();
    }
    return !this.isConnected;
  }

  #handleNews(bytes) {
    for (let at = 0; at < bytes.length; ) {
      const length = Math.min(bytes.length - at, FRAME_LENGTH - this.#position);
      this.#compareStart(bytes, at, length);
      this.#position += length;
      at += length;
      if (this.#position === FRAME_LENGTH) this.#finish();
    }
  }

  #compareStart(bytes, at, length) {
    const from = this.#position;
    const to = Math.min(START_LENGTH - 1, from + length);
    if (from >= to || this.violation !== undefined) return;
    const order = starts[this.count].compare(bytes, at, at + to - from, from, to);
    if (order !== 0) this.violation = `instead of broadcast ${this.count}`;
  }

  #finish() {
    this.#position = 0;
    this.count++;
    if (this.count % BROADCASTS_AT_A_TIME === 0) this.#swarm.changed();
  }
}

/** The clients of a server. */
class Swarm extends Observed {
  constructor(port, size) {
    super();
    const nameOf = (_, i) => (i < SLOW_CLIENTS ? "slow" : "quick");
    const names = Array.from({ length: size }, nameOf);
    this.clients = names.map((name) => new Client(this, port, name));
    this.slow = this.clients.slice(0, SLOW_CLIENTS);
    this.quick = this.clients.slice(SLOW_CLIENTS);
  }

  connected() {
    const isConnected = () => this.clients.every((client) => client.isConnected);
    return this.until(isConnected, "all connections");
  }

  /** Waits until all quick clients have received so many broadcasts. */
  received(count) {
    return this.until(() => this.quick.every((client) => client.count === count), "all broadcasts");
  }

  describe() {
    const counts = new Set(this.quick.map(({ count, violation }) => violation ?? count));
    return `they had ${[...counts].join(", ")}`;
  }
}

/** Starts the server; `ask()` sends it a message and returns the answer. */
async function startServer(t, engine) {
  const child = fork(__filename, [engine.name]);
  t.after(() => child.kill("SIGKILL"));
  const next = async () => (await once(child, "message"))[0];
  const ask = (message) => {
    const answer = next();
    child.send(message);
    return answer;
  };
  const { port } = await next();
  return { port, next, ask };
}

/** Waits until the server has noticed the end of the slow clients. */
async function endedWhenSlow(ask) {
  for (;;) {
    const { ended } = await ask("report");
    if (ended.length >= SLOW_CLIENTS) return ended;
  }
}

/** Makes the server broadcast all; returns the most by which its memory grew, in bytes. */
async function broadcastAll(ask, swarm) {
  const { memory: before } = await ask("report");
  let highest = before;
  for (let sent = 0; sent < BROADCASTS; sent += BROADCASTS_AT_A_TIME) {
    const { memory } = await ask("broadcast");
    highest = Math.max(highest, memory);
    await swarm.received(sent + BROADCASTS_AT_A_TIME);
  }
  return highest - before;
}

/** The report of the server on the end of each slow client. */
const CUT_OFF = {
  name: "slow",
  code: "TURBO_ERR_MAX_BACKPRESSURE",
  reason: "transport error",
};

function defineTests() {
  for (const engine of engines) {
    const isBounded = engine.name === "turbo" && hasNative;
    const title = `${engine.name} broadcasts to all while ten stop reading`;
    test(`${title}, which ${isBounded ? "are cut off" : "stay"}`, {
      timeout: 240_000,
    }, async (t) => {
      const { port, next, ask } = await startServer(t, engine);
      const swarm = new Swarm(port, clientsOf(engine));
      t.after(() => {
        for (const client of swarm.clients) client.destroy();
      });
      assert.equal(await next(), "connected");
      await swarm.connected();
      for (const client of swarm.slow) client.stopReading();
      const growth = await broadcastAll(ask, swarm);
      for (const { violation, count } of swarm.quick) {
        assert.equal(violation, undefined);
        assert.equal(count, BROADCASTS);
      }
      t.diagnostic(`the server's process grew by ${Math.round(growth / MIB)} MiB`);
      if (!isBounded) {
        assert.deepEqual((await ask("report")).ended, []);
        return;
      }
      assert.ok(growth < MAX_GROWTH, `it grew by ${growth / MIB} MiB`);
      const ended = await endedWhenSlow(ask);
      assert.equal(ended.length, SLOW_CLIENTS);
      for (const { description, ...end } of ended) {
        assert.deepEqual(end, CUT_OFF);
        assert.match(description, /the peer does not keep up: \d+ bytes wait/);
      }
    });
  }
}

if (process.send === undefined) defineTests();
else serve(engineNamed(process.argv[2]));
