"use strict";

const { AsyncResource } = require("node:async_hooks");
const { outside } = require("../engine/contexts.js");
const { environmentWorkers } = require("../engine/workers.js");
const { stats } = require("../stats.js");
const { CarriedConnection } = require("./carried-connection.js");
const { SOCKET, deliver, requestTimeout, timeOut, withDescriptor } = require("./handles.js");
const { handleHandshake } = require("./handshake.js");
const { reportTlsFailure } = require("./tls-failures.js");

/** The parts of the number by which I/O threads say where a handshake comes from. */
const PATH_SHIFT = 8;
const TRANSPORT_SHIFT = 16;
const BYTE = 0xff;

/**
 * The JavaScript side of a listening socket whose connections I/O threads accept. It is among the connections
 * of `Workers`, has an id like theirs, and gets events in turns of its own.
 *
 * Its life: `open()`, events, `close()`, events of connections that had been accepted before, `handleRelease()`
 * and `handleEnd()`. Node.js closes its own descriptor, and I/O threads close theirs.
 *
 * @typedef {object} Offer an opening request of Engine.IO that waits for an answer: `accept()`, `refuse()` or
 *   `pass()`, once
 * @property {import("engine.io").Server} engine
 * @property {number} worker with `key` the name of the request
 * @property {number} key
 * @property {number} transport
 * @property {string} head the request up to and with the empty line; a character for each byte
 * @property {string} sid a new session id, made as Engine.IO makes them
 * @property {string} remoteAddress
 * @property {number} remotePort
 */
class NativeListener {
  /** Read by `EventBatch`. */
  isReady = true;
  context = null;
  #server;
  #state;
  #handle;
  #workers = null;
  #id = -1;
  #isReferenced = false;
  #isClosed = false;
  /** Set in the turn in which all connections are closed. */
  #isCleared = false;
  /** Set once connections have been closed: those on their way may be among them. */
  #hasClosed = false;
  /**
   * Set if it is closed, and I/O threads had no connection for it then: later ones were accepted while JavaScript
   * was busy. Node.js would have left them in the kernel's queue, which ends with the socket.
   */
  #isDropping = false;
  #backlog = 0;
  /** The options that the I/O threads have, as JSON. */
  #configured = "";
  /** The settings of TLS that they have. */
  #secured = null;
  /** Requests that JavaScript has passed, and whose descriptors have not arrived yet. */
  #passing = 0;

  /**
   * @param {import("node:http").Server} server
   * @param {import("./server-state.js").ServerState} state
   * @param {object} handle which is bound, but does not listen
   */
  constructor(server, state, handle) {
    this.#server = server;
    this.#state = state;
    this.#handle = handle;
  }

  /** The server that listens. */
  get server() {
    return this.#server;
  }

  /**
   * Begins to accept.
   *
   * @param {number} backlog
   * @returns {number} 0, or the negative number of a system error
   */
  open(backlog) {
    // Returns what `bind()` has kept for itself, as libuv's `listen()` does.
    const status = this.#handle.getsockname({});
    if (status !== 0) return status;
    this.context = new AsyncResource("socket.io-turbo");
    this.#workers = environmentWorkers();
    this.#backlog = backlog;
    const options = this.#options;
    this.#configured = JSON.stringify(options);
    const listen = (fd) => this.#workers.listen(this, fd, ...options);
    const id = withDescriptor(this.#handle, this.#workers.native, listen);
    if (id < 0) return id;
    this.#id = id;
    this.#secure();
    this.#isReferenced = true;
    this.#observeHandle();
    return 0;
  }

  /** Returns the options for the I/O threads, `NativeListenerOptions` in binding.d.ts, and the number of threads. */
  get #options() {
    const { ioThreads, nativeOptions } = this.#state;
    return [{ ...nativeOptions, backlog: this.#backlog }, ioThreads];
  }

  /** Gives the I/O threads the settings of TLS, if they have others. */
  #secure() {
    const settings = this.#state.tls?.settings ?? null;
    if (settings === null || settings === this.#secured) return;
    this.#secured = settings;
    this.#workers.native.secureListener(this.#id, settings);
  }

  /** Puts methods of ours in front of those of the handle, until it is closed. */
  #observeHandle() {
    const handle = this.#handle;
    handle.ref = () => this.#setReferenced(true);
    handle.unref = () => this.#setReferenced(false);
    handle.hasRef = () => this.#isReferenced;
    handle.close = (callback) => {
      for (const name of ["ref", "unref", "hasRef", "close"]) delete handle[name];
      this.#state.close(this);
      handle.close(callback);
    };
  }

  #setReferenced(isReferenced) {
    if (this.#isReferenced === isReferenced) return;
    this.#isReferenced = isReferenced;
    this.#workers.setReferenced(isReferenced);
  }

  /** Schedules that I/O threads get the options as they are at the end of the turn. */
  scheduleConfiguration() {
    this.#workers.scheduleBefore(this);
  }

  /** @private for `Workers`: the turn ends */
  flush() {
    if (this.#isClosed || this.isEnded) return;
    this.#secure();
    const options = this.#options;
    const configured = JSON.stringify(options);
    if (configured === this.#configured) return;
    this.#configured = configured;
    this.#workers.native.configureListener(this.#id, ...options);
  }

  /** Ends accepting. The process stays until `handleEnd()`, as a `close` event may wait for it. */
  close() {
    this.#isClosed = true;
    this.#isDropping = this.#isCleared || this.httpConnections === 0;
    this.#setReferenced(true);
    this.#workers.native.closeListener(this.#id);
    this.#workers.scheduleFlush();
  }

  /** True once no event will follow: also if the I/O thread could not accept at all. */
  get isEnded() {
    return this.#id < 0;
  }

  /** Connections whose next request is not known yet. */
  get httpConnections() {
    return this.isEnded ? 0 : this.#workers.native.httpConnections(this.#id);
  }

  /** @param {boolean} isIdleOnly true to close those between two requests alone */
  closeHttpConnections(isIdleOnly) {
    if (this.isEnded) return;
    this.#hasClosed = true;
    if (!isIdleOnly) this.#clear();
    this.#workers.native.closeHttpConnections(this.#id, isIdleOnly);
    this.#workers.scheduleFlush();
  }

  #clear() {
    this.#isCleared = true;
    this.#isDropping = this.#isClosed;
    setImmediate(() => {
      this.#isCleared = false;
    }).unref();
  }

  /** Returns whether a passed connection ends, as Node.js would have left it in the queue, or closed it with others. */
  #isDropped(fd) {
    return this.#isDropping || (this.#hasClosed && this.#workers.native.isOvertaken(fd));
  }

  /**
   * Gives a connection to Node.js, as if it had accepted it.
   *
   * @param {number} fd
   * @param {boolean} isTimedOut true if the head of a request has not come in time
   */
  handlePassed(fd, isTimedOut) {
    const { native } = this.#workers;
    if (this.#isDropped(fd)) {
      native.closeDescriptor(fd);
      return;
    }
    this.#countPassed();
    // As Node.js makes them: the context in which a program listens is not that of its clients.
    const create = () => outside(newClient, this.#handle.constructor);
    const claim = () => {
      native.claimDescriptor(fd);
      return fd;
    };
    const client = deliver(this.#handle, create, claim);
    if (client === null) native.closeDescriptor(fd);
    else if (isTimedOut) timeOut(this.#handle, client);
  }

  /**
   * Gives a connection with TLS to Node.js, as after a handshake.
   *
   * @param {number} key
   * @param {number} origin its worker, and whether the head of a request has not come in time
   * @param {string} fd of a socket with the plaintext
   * @param {string} details as JSON
   */
  handleStream(key, origin, fd, details) {
    const connection = new CarriedConnection(this.#workers, this.context);
    if (this.#isDropped(Number(fd))) {
      connection.drop(Number(fd), origin & BYTE, key);
      return;
    }
    this.#workers.native.claimDescriptor(Number(fd));
    this.#countPassed();
    const read = this.#readTlsDetails(details);
    const socket = connection.open(this.#server, Number(fd), origin & BYTE, key, read);
    if (socket === null) return;
    this.#server.emit("secureConnection", socket);
    if (origin > BYTE) socket.emit("error", requestTimeout());
  }

  #readTlsDetails(json) {
    const { tls } = this.#state;
    const ownCertificate = ({ serverName }) => tls.certificateFor(serverName);
    return { ...JSON.parse(json), ownCertificate };
  }

  /**
   * Returns what TLS has negotiated.
   *
   * @param {import("./lean-connection.js").LeanConnection} connection
   * @returns {import("./tls-socket.js").TlsDetails | null} `null` without TLS
   */
  tlsDetailsOf({ isPending, offer, id }) {
    if (this.#state.tls === null) return null;
    const { native } = this.#workers;
    const json = isPending
      ? native.tlsDetailsOfHandshake(offer.worker, offer.key)
      : native.tlsDetails(id);
    return this.#readTlsDetails(json);
  }

  /** A client and this server do not agree about TLS. */
  handleTlsFailure(code, address) {
    stats.countTlsFailure();
    reportTlsFailure(this.#server, code, address);
  }

  #countPassed() {
    // Counted when JavaScript passed it.
    if (this.#passing > 0) this.#passing--;
    else stats.countPassed(this.#state.passReason ?? "request");
  }

  /**
   * Answers an opening request of Engine.IO.
   *
   * @param {number} key
   * @param {number} origin its worker, the index of its path, and its transport
   * @param {[string, string, string, number]} values
   */
  handleHandshake(key, origin, [head, sid, remoteAddress, remotePort]) {
    const path = (origin >> PATH_SHIFT) & BYTE;
    const worker = origin & BYTE;
    const transport = origin >> TRANSPORT_SHIFT;
    const engine = this.#state.engines.engineAt(path);
    const offer = { engine, worker, key, transport, head, sid, remoteAddress, remotePort };
    // The reason may have changed since the I/O thread got its options.
    const reason = this.#state.passReason ?? this.#state.engines.passReasonAt(path);
    if (this.#isDropping) this.refuse(offer, "");
    else if (reason === null) handleHandshake(this, offer);
    else this.pass(offer, reason);
  }

  /**
   * Turns a request into a session.
   *
   * @param {Offer} offer
   * @param {import("../engine/connection.js").Connection} connection gets the events
   * @param {object} options as `NativeConnectionOptions` in binding.d.ts
   * @param {string} headers further lines of the response, each with its line break
   * @returns {number} the connection's id
   */
  accept({ worker, key }, connection, options, headers) {
    stats.countSession();
    this.#server._connections++;
    return this.#workers.accept(connection, worker, key, options, headers);
  }

  /**
   * Turns a request into a session that polls.
   *
   * @param {Offer} offer
   * @param {object} connection as of `accept()`
   * @param {object} options as of `accept()`
   * @param {object} polling as `NativePollingOptions` in binding.d.ts
   * @returns {number} the connection's id
   */
  acceptPolling({ worker, key, sid }, connection, options, polling) {
    stats.countSession();
    return this.#workers.acceptPolling(connection, worker, key, options, sid, polling);
  }

  /**
   * Turns a request into a WebSocket for a session that polls.
   *
   * @param {Offer} offer
   * @param {number} id of the session's connection
   * @param {object} options as of `accept()`
   * @param {string} headers as of `accept()`
   */
  acceptUpgrade({ worker, key }, id, options, headers) {
    this.#server._connections++;
    this.#workers.acceptUpgrade(worker, key, id, options, headers);
  }

  /** Counts a connection of `accept()` or `acceptUpgrade()` out. Must be called once, when it is over. */
  handleConnectionEnd() {
    this.#server._connections--;
    this.#server._emitCloseIfDrained();
  }

  /**
   * Answers a request, and ends its connection.
   *
   * @param {Offer} offer
   * @param {string} response all of it; a character for each byte
   */
  refuse({ worker, key }, response) {
    stats.countRefused();
    this.#workers.native.refuse(worker, key, Buffer.from(response, "latin1"));
    this.#workers.scheduleFlush();
  }

  /**
   * Leaves a request to Node.js.
   *
   * @param {Offer} offer
   * @param {string} reason one of `PASS_REASONS`
   */
  pass({ worker, key }, reason) {
    this.#passing++;
    stats.countPassed(reason);
    this.#workers.native.pass(worker, key);
    this.#workers.scheduleFlush();
  }

  /** Gives up the id: I/O threads have closed their descriptors. Must be called before the id is reused. */
  handleRelease() {
    this.#id = -1;
    this.#setReferenced(false);
  }

  /** Handles the end: I/O threads have no connections of it left, except those of sessions. */
  handleEnd() {
    this.#state.handleEnd(this);
  }
}

function newClient(TCP) {
  return new TCP(SOCKET);
}

module.exports = { NativeListener };
