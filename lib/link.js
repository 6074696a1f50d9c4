"use strict";

const { nextTick } = require("node:process");
const { WebSocket } = require("./websocket.js");

/** On an Engine.IO socket: its link. */
const kLink = Symbol("link");

/** Events that tell of each packet: who listens to them must hear of all. */
const PACKET_EVENTS = ["packetCreate", "flush", "drain"];

/**
 * What stands between an Engine.IO socket and its worker. While a worker has the connection,
 *   - the packets of the socket go to the worker at once. engine.io would let them wait in its
 *     `writeBuffer` until those before are written, and broadcasts, which go from worker to
 *     connection, would overtake them;
 *   - they skip engine.io's layers where no listener could tell the difference.
 *
 * Members (`fan-out.js`) are told when their packets may go directly, and when no longer.
 */
class Link {
  /** @param {import("engine.io").Socket} conn */
  constructor(conn) {
    this.conn = conn;
    /** The connection, where a worker has it. */
    this.connection = null;
    /** Whether somebody listens to the socket's packets. */
    this.isObserved = false;
    /** Whether engine.io is sending what it was given by `pass()`. */
    this.isPassing = false;
    this.isVersion3 = conn.protocol === 3;
    /** The options of this turn's last volatile packet: its attachments come with the same. */
    this.volatileOptions = null;
    /** The engine's flush before which a packet was sent directly last. */
    this.sentBefore = -1;
    /** @type {Array<{ handleChange: () => void }>} one for each namespace */
    this.members = [];
    conn[kLink] = this;
    this.observe();
    this.refresh();
    // Each listener costs memory for each connection.
    if (canUpgrade(conn)) conn.on("upgrade", handleUpgrade);
    conn.on("newListener", handleNewListener);
    if (this.isObserved) conn.on("removeListener", handleRemovedListener);
  }

  add(member) {
    // An array that grows has room for 16 more.
    if (this.members.length === 0) this.members = [member];
    else this.members.push(member);
  }

  remove(member) {
    this.members = this.members.filter((other) => other !== member);
  }

  /** Where packets go without engine.io; `null` if they may not. */
  get direct() {
    const isOpen = this.connection !== null && this.connection.endError === null;
    return isOpen && !this.isObserved && !this.isPassing ? this.connection : null;
  }

  /** The transport is another. */
  refresh() {
    const { conn } = this;
    this.connection = isInstrumented(conn) ? null : connectionOf(conn);
    if (this.connection === null) return;
    this.connection.link = this;
    if (this.isVersion3) this.connection.engine.native.useVersion3(this.connection.id);
    // What has waited for the upgrade goes first.
    if (conn.writeBuffer.length > 0) this.pass(() => conn.flush());
    conn.sendPacket = sendPacket;
  }

  observe() {
    this.isObserved = PACKET_EVENTS.some((event) => this.conn.listenerCount(event) > 0);
  }

  /** Tells the members that `direct` may be another. */
  notify() {
    for (const member of this.members) member.handleChange();
  }

  /** Whether a packet with this data can go to the worker without engine.io. */
  canSend(data) {
    const { conn, connection } = this;
    return (
      !this.isObserved &&
      connection !== null &&
      connection.canSend() &&
      conn.readyState === "open" &&
      conn.writeBuffer.length === 0 &&
      isPayload(data) &&
      !isServerObserved(conn.server)
    );
  }

  send(data, options) {
    const { flushes } = this.connection.engine;
    // Of an earlier turn, it is another packet with the same options.
    if (this.sentBefore !== flushes) this.volatileOptions = null;
    this.sentBefore = flushes;
    if (!options?.volatile) {
      this.volatileOptions = null;
      this.connection.sendPacket(data, this.isVersion3);
      return;
    }
    const isContinued = this.volatileOptions === options && isBinary(data);
    this.volatileOptions = options;
    this.connection.sendVolatilePacket(data, this.isVersion3, isContinued);
  }

  /** As where ws waits: the transport is not writable until all has gone. */
  handleBacklog(bytes) {
    const { conn } = this;
    if (connectionOf(conn) !== this.connection) return;
    conn.transport.writable = bytes === 0;
    if (bytes === 0) this.emitDrain();
  }

  emitDrain() {
    const { conn } = this;
    if (conn.readyState !== "open") return;
    conn.emit("drain");
    conn.server.emit("drain", conn);
  }

  /** Whether something has been sent directly in this turn. */
  get hasJustSent() {
    if (this.connection === null) return false;
    const { engine } = this.connection;
    return Math.max(this.sentBefore, engine.broadcastBefore) === engine.flushes;
  }

  /** With engine.io, what has just been sent would be in its buffer, of which this tells. */
  handleDrainListener() {
    const isDue = this.hasJustSent && this.connection.backlog === 0;
    if (isDue) nextTick(() => this.emitDrain());
  }

  /** With engine.io, the transport would not be writable in this turn. */
  handleObserver() {
    const { transport } = this.conn;
    if (!this.hasJustSent || !transport.writable) return;
    transport.writable = false;
    nextTick(() => {
      if (!this.connection?.backlog) transport.writable = true;
    });
  }

  /** Has engine.io send what it sends in `work` at once. */
  pass(work) {
    const { transport } = this.conn;
    const { isPassing } = this;
    const wasWritable = transport.writable;
    transport.writable = true;
    this.isPassing = true;
    try {
      work();
    } finally {
      // Unless something was sent: then it is false until that is done.
      if (transport.writable) transport.writable = wasWritable;
      this.isPassing = isPassing;
      // A listener may have been removed meanwhile.
      if (!isPassing && !this.isObserved) this.notify();
    }
  }
}

/** In the place of the method of Engine.IO's socket, with the same parameters. */
function sendPacket(type, data, options, callback) {
  const link = this[kLink];
  const isPlain = type === "message" && callback === undefined && typeof options !== "function";
  if (isPlain && link.canSend(data)) {
    link.send(data, options);
    return;
  }
  const { sendPacket } = Object.getPrototypeOf(link.conn);
  const send = () => sendPacket.call(this, type, data, options, callback);
  if (link.connection === null) send();
  else link.pass(send);
}

function handleUpgrade() {
  const link = this[kLink];
  link.refresh();
  link.notify();
}

/** Node.js calls it before the listener is there, so what follows goes by engine.io. */
function handleNewListener(event) {
  const link = this[kLink];
  if (event === "drain") link.handleDrainListener();
  if (link.isObserved || !PACKET_EVENTS.includes(event)) return;
  link.isObserved = true;
  link.handleObserver();
  link.notify();
  this.on("removeListener", handleRemovedListener);
}

function handleRemovedListener(event) {
  const link = this[kLink];
  if (!link.isObserved || !PACKET_EVENTS.includes(event)) return;
  link.observe();
  if (link.isObserved) return;
  this.removeListener("removeListener", handleRemovedListener);
  link.notify();
}

/** @returns {import("./connection.js").Connection | null} that of a transport on a worker */
function connectionOf({ transport }) {
  const isWebSocket = transport.name === "websocket" && transport.socket instanceof WebSocket;
  // A client that wants base64 gets it from engine.io.
  return isWebSocket && transport.supportsBinary ? transport.socket._connection : null;
}

/** Whether its transport may be another one day. */
function canUpgrade({ transport, upgraded, server }) {
  const isLast = transport.name === "websocket" && !server.opts.transports.includes("webtransport");
  return !upgraded && !isLast;
}

/** Whether somebody has put a method of his own in front of engine.io's, to see the packets. */
function isInstrumented(conn) {
  return ["sendPacket", "write", "send", "flush"].some((name) => Object.hasOwn(conn, name));
}

/**
 * Whether somebody listens to the packets of all sockets.
 *
 * @param {import("engine.io").Server} server
 */
function isServerObserved(server) {
  return server.listenerCount("flush") > 0 || server.listenerCount("drain") > 0;
}

/** Whether this can be sent as it is; engine.io makes a string of anything else. */
function isPayload(data) {
  return typeof data === "string" ? data !== "" : isBinary(data);
}

function isBinary(data) {
  return ArrayBuffer.isView(data) || data instanceof ArrayBuffer;
}

/**
 * @param {import("engine.io").Socket} conn whose server has our engine
 * @returns {Link} that of the socket; made when first asked for
 */
function linkOf(conn) {
  return conn[kLink] ?? new Link(conn);
}

module.exports = { isBinary, isPayload, isServerObserved, linkOf };
