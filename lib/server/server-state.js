"use strict";

const http = require("node:http");
const { constants } = require("node:os");
const { nextTick } = require("node:process");
// Here, as `listener.js` is loaded in the context of the first `listen()`, and this must not be.
require("../engine/contexts.js");
const { DEFAULT_IO_THREADS } = require("../engine/options.js");
const { AttachedEngines } = require("./attached-engines.js");
const { fallbackReason, reportFallback } = require("./fallback.js");
const { isBound } = require("./handles.js");
const { areFreshIdle } = require("./idle-connections.js");
const { hasRequestOptions, observationReason, propertyReason } = require("./pass-reasons.js");
const { OF_OPENSSL, TlsState } = require("./tls-state.js");

/** The events whose listeners decide what is passed. */
const EVENTS = new Set([
  "clientError",
  "connection",
  "request",
  "secureConnection",
  "timeout",
  "upgrade",
  ...OF_OPENSSL,
]);

/** The errors that mean that Node.js can listen, but I/O threads cannot. */
const { EAGAIN, EMFILE, ENFILE, ENOMEM } = constants.errno;
const SCARCITY = new Set([EAGAIN, EMFILE, ENFILE, ENOMEM]);

/**
 * The state of a server whose connections I/O threads accept: its handle, its native listener while it listens,
 * and all that decides which connections are passed.
 *
 * Node.js calls `listen()` of the handle when everything else is done. For a handle that I/O threads can
 * accept from, that method and those that end it are ours. Node.js does not notice, and libuv never watches the
 * socket.
 */
class ServerState {
  /** The handle, as Node.js has set it; `undefined` where servers of `node:http` have none, as in Bun. */
  handle = undefined;
  /** The properties of the server that have accessors. */
  properties = {};
  /** @type {import("./listener.js").NativeListener | null} null unless I/O threads accept */
  listener = null;
  /** @type {import("./tls-state.js").TlsState | null} null unless it is an HTTPS server, which is constructed */
  tls = null;
  #server;
  /** Node.js's own listeners of `connection`; `null` until the server is constructed. */
  #connectionListeners = null;
  #hasRequestOptions = false;
  #options = null;
  /** Native listeners that are closed, and of which connections are left. */
  #closing = new Set();
  /** Set if a `close` event waits for these. */
  #isCloseHeld = false;
  /** Why all connections are passed, as far as calls decide it; `undefined` after such a call. */
  #reason;

  /** @param {import("node:http").Server} server */
  constructor(server) {
    this.#server = server;
    this.engines = new AttachedEngines(server, () => this.#handleChange());
  }

  /**
   * @param {import("node:http").ServerOptions | null} options of the server
   * @param {{ maxHandshakesPerSecond: number }} ours
   */
  handleConstructed(options, ours) {
    this.#options = ours;
    this.#connectionListeners = this.#server.listeners("connection");
    this.#hasRequestOptions = hasRequestOptions(options ?? {});
    this.#reason = undefined;
  }

  /**
   * @param {import("node:https").ServerOptions} options of the server, which is constructed
   * @throws {InvalidOptionError}
   */
  beginTls(options) {
    this.tls = new TlsState(this.#server, options, () => this.#handleChange());
  }

  setHandle(handle) {
    this.handle = handle;
    this.listener = null;
    if (handle === null) return;
    this.#releaseClose();
    const reason = fallbackReason(handle);
    if (reason === null) observe(handle, this);
    else reportFallback(reason);
  }

  /**
   * Begins to accept.
   *
   * @param {object} handle which is bound
   * @param {number} backlog
   * @returns {number} 0, or the negative number of a system error
   */
  listen(handle, backlog) {
    // Loaded only where it is used: there are runtimes that have not all of it.
    const { NativeListener } = require("./listener.js");
    const listener = new NativeListener(this.#server, this, handle);
    const status = listener.open(backlog);
    if (status === 0) this.listener = listener;
    return status;
  }

  /** Ends what `listen()` has begun. */
  close(listener) {
    if (listener.isEnded) return;
    this.#closing.add(listener);
    listener.close();
  }

  /** Handles the end of the last HTTP connection of a closed listener. */
  handleEnd(listener) {
    this.#closing.delete(listener);
    if (!this.#isCloseHeld || this.#closing.size > 0) return;
    this.#isCloseHeld = false;
    this.#server._emitCloseIfDrained();
  }

  /** Emits `close` before `listening` when the server listens again, unless clients are left. */
  #releaseClose() {
    if (!this.#isCloseHeld) return;
    this.#isCloseHeld = false;
    const server = this.#server;
    if (server._connections === 0) nextTick(() => server.emit("close"));
  }

  /** Returns whether the `close` event has to wait: `handleEnd()` then checks it again. */
  holdClose() {
    if (this.handle !== null || this.#closing.size === 0) return false;
    this.#isCloseHeld = true;
    return true;
  }

  /** Connections whose next request is not known yet. */
  get httpConnections() {
    return this.#all((sum, listener) => sum + listener.httpConnections, 0);
  }

  closeHttpConnections(isIdleOnly) {
    this.#all((_, listener) => listener.closeHttpConnections(isIdleOnly));
  }

  #all(reduce, start) {
    const open = this.listener === null ? [] : [this.listener];
    return [...open, ...this.#closing].reduce(reduce, start);
  }

  setProperty(name, value) {
    this.properties[name] = value;
    this.#handleChange();
  }

  /** Handles a change of the listeners of an event, or of all events. */
  handleListeners(event) {
    if (event === undefined || EVENTS.has(event)) this.#handleChange();
  }

  #handleChange() {
    this.#reason = undefined;
    this.listener?.scheduleConfiguration();
  }

  /** @returns {string | null} why all connections are passed; one of `PASS_REASONS` */
  get passReason() {
    if (this.#reason === undefined) this.#reason = this.#findReason();
    return this.#reason ?? observationReason(this.#server);
  }

  #findReason() {
    if (this.#hasConnectionListeners) return "connectionListeners";
    if (this.#hasRequestOptions) return "serverOptions";
    const ofTls = this.tls?.passReason ?? null;
    if (ofTls !== null) return ofTls;
    return propertyReason(this.#server) ?? this.engines.passReason;
  }

  /** True if the program sees connections: keep-alive connections that time out are emitted, too. */
  get #hasConnectionListeners() {
    const listeners = this.#server.listeners("connection");
    const own = this.#connectionListeners;
    const isOwn = listeners.length === own.length && listeners.every((each, i) => each === own[i]);
    return !isOwn || this.#server.listenerCount("timeout") > 0;
  }

  get ioThreads() {
    return this.engines.ioThreads ?? DEFAULT_IO_THREADS;
  }

  /** @returns {object} as `NativeListenerOptions` in binding.d.ts */
  get nativeOptions() {
    const { properties } = this;
    return {
      paths: this.engines.paths,
      isPassing: this.passReason !== null,
      areFreshIdle: areFreshIdle(),
      isPassingTimeouts: this.#server.listenerCount("clientError") > 0,
      maxHeaderSize: properties.maxHeaderSize || http.maxHeaderSize,
      headersTimeout: milliseconds(properties.headersTimeout),
      requestTimeout: milliseconds(properties.requestTimeout),
      keepAliveTimeout: milliseconds(properties.keepAliveTimeout),
      noDelay: Boolean(properties.noDelay),
      keepAlive: Boolean(properties.keepAlive),
      keepAliveInitialDelay: milliseconds(properties.keepAliveInitialDelay * 1000),
      maxHandshakesPerSecond: this.#options.maxHandshakesPerSecond,
    };
  }
}

/** Returns a time as Node.js reads it: 0, which is none, for anything else than a positive number. */
function milliseconds(value) {
  return Number.isFinite(value) && value > 0 ? value : 0;
}

/** Puts methods of ours in front of those of a handle that has been bound, and does not listen yet. */
function observe(handle, state) {
  handle.listen = (backlog) => {
    delete handle.listen;
    if (!isBound(handle)) return handle.listen(backlog);
    const status = state.listen(handle, backlog);
    if (!SCARCITY.has(-status)) return status;
    reportFallback("resources");
    return handle.listen(backlog);
  };
}

module.exports = { ServerState };
