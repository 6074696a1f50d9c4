"use strict";

/** The WebSocket servers that the tests compare, and the events of their applications. */

const { once } = require("node:events");
const { after, before, describe } = require("node:test");
const { inspect } = require("node:util");
const ws = require("ws");
const turbo = require("../../../index.js");
const { hasEngine } = require("../../../lib/addon/index.js");
const { HANG_GUARD, Observed } = require("../observed.js");
const { WebSocketClient, nextTurn, shown } = require("./client.js");

/**
 * The permitted differences between the servers. Without our engine, ours is ws, and has none.
 *
 * | | ws 8.23 | ours |
 * | --- | --- | --- |
 * | `failsFast`: text that is not UTF-8 is refused | with its last fragment | at the first byte that cannot be valid (RFC 6455 §8.1, Autobahn 6.4) |
 * | `wantsMinimalLengths`: a length in more bytes than it needs (RFC 6455 §5.2) | is accepted | is refused with 1002 |
 * | `countsFragmentsEarly`: a fragment too many is refused | once it is complete | with its header |
 * | `readsHeadersWhole`: a message too long is refused | with the length | with the masking key, which ends the header |
 * | `boundsBackpressure`: the queue for a peer that does not read | has no bound | is bounded by `maxBackpressure` |
 * | `compressesAll`: a message that would grow, or that is sent in fragments | is compressed | is not |
 */
const SERVERS = [
  {
    name: "ws",
    WebSocketServer: ws.WebSocketServer,
    failsFast: false,
    wantsMinimalLengths: false,
    countsFragmentsEarly: false,
    readsHeadersWhole: false,
    boundsBackpressure: false,
    compressesAll: true,
  },
  {
    name: "socket.io-turbo",
    WebSocketServer: turbo.WebSocketServer,
    failsFast: hasEngine,
    wantsMinimalLengths: hasEngine,
    countsFragmentsEarly: hasEngine,
    readsHeadersWhole: hasEngine,
    boundsBackpressure: hasEngine,
    compressesAll: !hasEngine,
  },
];

/**
 * Defines a group of tests once for each server.
 *
 * @param {string} title
 * @param {(kind: object) => void} define takes a row of the table above
 */
function describeServers(title, define) {
  for (const kind of SERVERS) {
    describe(`${title} (${kind.name})`, () => define(kind));
  }
}

/** The application's events of one connection. */
class Application extends Observed {
  /** `["text", "…"]`, `["ping", "…"]`, `["error", "code"]`, `["close", 1006, "reason"]`. */
  events = [];
  /** The errors that were emitted. */
  errors = [];
  websocket;

  attach(websocket) {
    this.websocket = websocket;
    websocket.on("message", (data, isBinary) => this.#see(isBinary ? "binary" : "text", data));
    websocket.on("ping", (data) => this.#see("ping", data));
    websocket.on("pong", (data) => this.#see("pong", data));
    websocket.on("error", (error) => {
      this.errors.push(error);
      this.#add(["error", error.code]);
    });
    websocket.on("close", (code, reason) => this.#add(["close", code, shown(reason)]));
    this.changed();
  }

  opened() {
    return this.until(() => this.websocket !== undefined, "the connection event");
  }

  /** Waits for a number of events. */
  hasSeen(count) {
    return this.until(() => this.events.length >= count, `event ${count}`);
  }

  /** Waits for the close event; returns all events. */
  async closed() {
    await this.until(() => this.events.some(([name]) => name === "close"), "the close event");
    await nextTurn();
    return this.events;
  }

  describe() {
    return `the application saw ${inspect(this.events)}`;
  }

  #see(name, data) {
    this.#add([name, shown(data)]);
  }

  #add(event) {
    this.events.push(event);
    this.changed();
  }
}

/** A server that records the application's events of each connection. */
class RecordingServer {
  kind;
  server;
  #applications = new Map();

  /**
   * @param {object} kind a row of `SERVERS`
   * @param {import("ws").ServerOptions} [options]
   * @param {(websocket: import("ws").WebSocket) => void} [onConnection] called for each connection
   */
  constructor(kind, options = {}, onConnection = () => {}) {
    this.kind = kind;
    const where = options.server || options.noServer ? {} : { port: 0, host: "127.0.0.1" };
    this.server = new kind.WebSocketServer({ ...where, ...options });
    this.server.on("connection", (websocket, request) => {
      this.#applications.get(request.url)?.attach(websocket);
      onConnection(websocket, request);
    });
  }

  get port() {
    return this.server.address().port;
  }

  async listening() {
    if (this.server.address() === null) await once(this.server, "listening");
  }

  /** Returns a path for one connection, and the object that records its events. */
  expect() {
    const path = `/${this.#applications.size}`;
    const application = new Application();
    this.#applications.set(path, application);
    return { path, application };
  }

  /**
   * Opens a connection.
   *
   * @param {object} [request] of `upgradeRequest()`
   * @returns {Promise<{ client: WebSocketClient, application: Application }>}
   */
  async connect(request) {
    const { path, application } = this.expect();
    const client = await WebSocketClient.open(this.port, { path, ...request });
    if (client.response?.status === 101) await application.opened();
    return { client, application };
  }

  /** Closes the server and its connections. */
  async stop() {
    for (const websocket of this.server.clients) websocket.terminate();
    const closed = once(this.server, "close", { signal: AbortSignal.timeout(HANG_GUARD) });
    this.server.close();
    await closed;
  }
}

/**
 * Starts a server for the tests of a `describe()`.
 *
 * @param {...unknown} parameters of `RecordingServer`
 * @returns {{ connect: RecordingServer["connect"], expect: RecordingServer["expect"],
 *   port: number, kind: object, server: import("ws").WebSocketServer }}
 */
function recordingServer(kind, ...parameters) {
  let running;
  before(async () => {
    running = new RecordingServer(kind, ...parameters);
    await running.listening();
  });
  after(() => running.stop());
  return {
    kind,
    connect: (request) => running.connect(request),
    expect: () => running.expect(),
    get port() {
      return running.port;
    },
    get server() {
      return running.server;
    },
  };
}

/** Makes a WebSocket send each message back. */
function echo(websocket) {
  websocket.on("message", (data, isBinary) => websocket.send(data, { binary: isBinary }));
}

module.exports = {
  RecordingServer,
  SERVERS,
  describeServers,
  echo,
  recordingServer,
};
