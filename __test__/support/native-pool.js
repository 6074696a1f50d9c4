"use strict";

/** The addon's workers and listeners without `lib/engine`: their events as the layouts of `lib/addon/codes.js` read them. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const fs = require("node:fs");
const http = require("node:http");
const net = require("node:net");
const path = require("node:path");
const { setTimeout: delay } = require("node:timers/promises");
const { EventBatch, EventKind, EventNumbers, VALUE_COUNTS } = require("../../lib/addon/codes.js");
const { binding } = require("../../lib/addon/index.js");

const NOTHING = Buffer.alloc(0);

const OPTIONS = {
  maxPayload: Infinity,
  maxFragments: Infinity,
  hasAutomaticPongs: false,
  maxPendingPongs: 60,
  maxBackpressure: Infinity,
  backpressureTimeout: 5_000,
  highWaterMark: 1024,
  closeTimeout: 5_000,
  isTextAsString: true,
};

const kindNames = new Map(Object.entries(EventKind).map(([name, kind]) => [kind, name]));

/** Kinds of events that a test has seen. */
const seen = new Set();

/** The number of an event's length, for the kinds that have one. */
const PACKETS = ["PacketEvent", "PacketAck", "NamespaceEvent", "NamespaceAck"];

/** The arguments of packets, joined to one JSON array. */
class Joined {
  count = 0;
  #position = 1;

  constructor(json) {
    this.json = json;
  }

  /** Returns the arguments of the next packet. */
  next(length) {
    const start = this.#position;
    this.#position += length + 1;
    this.count++;
    return this.json.slice(start, start + length);
  }

  get isAtEnd() {
    return this.count === 0 ? this.json === "[]" : this.#position === this.json.length;
  }
}

/** The addon's workers, with events as the layouts read them. */
class Pool {
  constructor(t, eventsPerBatch = 64, options = {}) {
    const { FIRST_EVENT, NUMBERS_PER_EVENT } = EventBatch;
    this.numbers = new Uint32Array(FIRST_EVENT + eventsPerBatch * NUMBERS_PER_EVENT);
    this.native = new binding.Workers();
    // As `lib/engine/workers.js` does.
    Object.assign(this.native, this.native.direct());
    this.native.start(() => this.take());
    this.options = this.native.configure({ ...OPTIONS, ...options });
    this.events = [];
    this.hasMore = [];
    this.peers = [];
    /** Worker, path and transport of handshakes. */
    this.location = (1 << 8) | (1 << 16);
    this.server = net.createServer({ pauseOnConnect: true }).listen(0, "127.0.0.1");
    t.after(() => {
      this.native.shutDown();
      this.server.close();
      for (const peer of this.peers) peer.destroy();
    });
  }

  /** @returns {Promise<{ id: number, peer: net.Socket }>} a connection and its peer */
  async connect(bytesRead = 0, bytesWritten = 0) {
    if (!this.server.listening) await once(this.server, "listening");
    const peer = net.connect(this.server.address().port, "127.0.0.1");
    const [socket] = await once(this.server, "connection");
    const { fd } = socket._handle;
    const id = this.native.open(fd, NOTHING, this.options, 1, bytesRead, bytesWritten);
    this.native.flush();
    socket.destroy();
    peer.on("error", () => {});
    this.peers.push(peer);
    return { id, peer };
  }

  take() {
    const { numbers } = this;
    const values = this.native.take(numbers, (...all) => all);
    this.hasMore.push(numbers[EventBatch.HAS_MORE]);
    // The arguments of all packets are the last value.
    const joined = new Joined(numbers[EventBatch.PACKETS] > 0 ? values.pop() : "[]");
    for (let index = 0; index < numbers[EventBatch.COUNT]; index++) {
      const start = EventBatch.FIRST_EVENT + index * EventBatch.NUMBERS_PER_EVENT;
      const kind = numbers[start + EventNumbers.KIND];
      const length = numbers[start + EventNumbers.LENGTH];
      const name = kindNames.get(kind);
      seen.add(name);
      const event = [numbers[start + EventNumbers.ID], name, numbers[start + EventNumbers.NUMBER]];
      event.push(...values.splice(0, VALUE_COUNTS[kind]));
      if (PACKETS.includes(name)) event.push(joined.next(length));
      else if (name === "Handshake") assert.equal(length, this.location);
      else assert.equal(length, 0);
      this.events.push(event);
    }
    assert.equal(numbers[EventBatch.PACKETS], joined.count);
    assert.ok(joined.isAtEnd);
    assert.deepEqual(values, []);
    if (this.hasMore.at(-1) === 1) setImmediate(() => this.take());
  }

  /** Waits for the next event: id, kind, number and values. */
  async next() {
    for (let waited = 0; this.events.length === 0; waited++) {
      assert.ok(waited < 10_000, "no event");
      await delay(1);
    }
    return this.events.shift();
  }

  command(name, ...args) {
    this.native[name](...args);
    this.native.flush();
  }
}

/** Options of a listener. */
const LISTENER_OPTIONS = {
  backlog: 511,
  paths: ["/socket.io/"],
  isPassing: false,
  maxHeaderSize: 16 * 1024,
  headersTimeout: 60_000,
  requestTimeout: 300_000,
  keepAliveTimeout: 5_000,
  keepAlive: false,
  keepAliveInitialDelay: 0,
  maxHandshakesPerSecond: 0,
};

const CERTIFICATE = path.join(__dirname, "../../tests/support/certificate");

/** Options of a listener's TLS. */
const TLS_OPTIONS = {
  contexts: [
    {
      identities: [
        {
          certificates: [fs.readFileSync(path.join(CERTIFICATE, "certificate.der"))],
          key: fs.readFileSync(path.join(CERTIFICATE, "key.der")),
        },
      ],
    },
  ],
  minVersion: 0x0303,
  maxVersion: 0x0304,
  cipherSuites: [0x1301, 0xc02b],
  prefersOwnCiphers: true,
  alpnProtocols: [],
  sessionTimeout: 300_000,
  handshakeTimeout: 120_000,
};

/** An HTTP server of Node.js whose connections workers accept. */
class Listening extends http.Server {
  get _handle() {
    return this.handle;
  }
  set _handle(handle) {
    this.handle = handle;
    if (handle !== null) handle.listen = () => 0;
  }

  /** Opens a connection that has been passed. */
  open(descriptor) {
    const tcp = new this.handle.constructor(0);
    assert.equal(tcp.open(descriptor), 0);
    this.handle.onconnection.call(this.handle, 0, tcp);
  }
}

/** @returns {Promise<{ server: Listening, id: number, port: number }>} a listener of the pool */
async function listen(t, pool, options = {}) {
  const server = new Listening((request, response) => response.end(request.url));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const id = pool.native.listen(server.handle.fd, { ...LISTENER_OPTIONS, ...options }, 1);
  pool.native.flush();
  return { server, id, port: server.address().port };
}

/** Resolves with all that a peer has received, up to and with `end`. */
async function receivedUntil(peer, end) {
  let received = NOTHING;
  while (!received.includes(end)) {
    const data = peer.read();
    // Not `data`: it may be emitted twice in a turn, and a listener for one would miss the second.
    if (data === null) await once(peer, "readable");
    else received = Buffer.concat([received, data]);
  }
  return received.toString("latin1");
}

module.exports = { Pool, TLS_OPTIONS, listen, receivedUntil, seen };
