"use strict";

const { createAdapter, createShardedAdapter } = require("@socket.io/redis-adapter");
const { RedisError } = require("../errors.js");

/**
 * Returns a factory of the official adapters, for when the addon is not loaded. They use the
 * application's clients, or clients of @redis/client, which are closed with the last adapter.
 *
 * @param {{ server: object | null, clients: object | null, adapter: object }} settings
 * @param {import("node:events").EventEmitter} events
 * @returns {(nsp: import("socket.io").Namespace) => import("socket.io-adapter").Adapter}
 */
function fallbackFactory({ server, clients, adapter: options }, events) {
  let connection = null;
  return (nsp) => {
    if (clients !== null) return makeAdapter(nsp, clients, options);
    if (connection === null || connection.isClosing) connection = new Connection(server, events);
    return connection.attach(makeAdapter(nsp, connection, options));
  };
}

function makeAdapter(
  nsp,
  { pubClient, subClient },
  { sharded, key, subscriptionMode, ...options },
) {
  if (!sharded) return createAdapter(pubClient, subClient, { key, ...options })(nsp);
  return createShardedAdapter(pubClient, subClient, { channelPrefix: key, subscriptionMode })(nsp);
}

/**
 * Two clients of @redis/client, and the adapters that share them. Emits on the factory what
 * `OwnConnection` emits: `ready`, `reconnecting`, `error` and `end`.
 */
class Connection {
  #events;
  #adapters = 0;
  #readyClients = 0;

  constructor(server, events) {
    this.#events = events;
    this.isClosing = false;
    this.pubClient = makeClient(server);
    this.subClient = this.pubClient.duplicate();
    for (const client of [this.pubClient, this.subClient]) {
      client.on("error", ({ message }) => this.#handleError(message));
      client.on("ready", () => this.#handleReady());
      client.on("reconnecting", () => this.#handleReconnecting());
      // Failures are reported by the events.
      client.connect().catch(() => {});
    }
  }

  #handleReady() {
    this.#readyClients++;
    if (this.#readyClients === 2) this.#events.emit("ready");
  }

  #handleReconnecting() {
    if (this.#readyClients === 2) this.#events.emit("reconnecting");
    this.#readyClients = Math.max(0, this.#readyClients - 1);
  }

  #handleError(message) {
    if (this.#events.listenerCount("error") > 0)
      this.#events.emit("error", new RedisError(message));
  }

  /** Adds an adapter. The clients are closed with the last one. */
  attach(adapter) {
    this.#adapters++;
    const { close } = adapter;
    let closed;
    adapter.close = () => {
      closed ??= this.#detach(() => close.call(adapter));
      return closed;
    };
    return adapter;
  }

  async #detach(close) {
    await close();
    this.#adapters--;
    if (this.#adapters === 0) await this.#end();
  }

  async #end() {
    this.isClosing = true;
    await Promise.allSettled([this.pubClient.close(), this.subClient.close()]);
    this.#events.emit("end");
  }
}

/** Makes a client for the options. @redis/client is loaded only here, as few applications need it. */
function makeClient({ urls, cluster, sentinel, tls }) {
  const { createClient, createCluster, createSentinel } = require("@redis/client");
  const socket = tls;
  if (cluster) {
    const rootNodes = urls.map((url) => ({ url, socket }));
    const { username, password } = new URL(urls[0]);
    return createCluster({ rootNodes, defaults: { username, password, socket } });
  }
  if (sentinel === undefined) return createClient({ url: urls[0], socket });
  const { name, username, password } = sentinel;
  return createSentinel({
    name,
    sentinelRootNodes: urls.map((url) => {
      const { hostname: host, port } = new URL(url);
      return { host, port: Number(port || 26379) };
    }),
    nodeClientOptions: { username, password, socket },
    sentinelClientOptions: credentialsOf(urls[0]),
  });
}

function credentialsOf(url) {
  const { username, password } = new URL(url);
  return { username: username || undefined, password: password || undefined };
}

module.exports = { fallbackFactory };
