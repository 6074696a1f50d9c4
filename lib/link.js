"use strict";

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
    this.isVersion3 = conn.protocol === 3;
    /** The options of the last volatile packet: its attachments come with the same. */
    this.volatileOptions = null;
    /** @type {Array<{ handleLink: () => void }>} one for each namespace */
    this.members = [];
    conn[kLink] = this;
    this.observe();
    this.refresh();
    // Few words for each connection: nobody waits for what cannot come.
    if (!conn.upgraded) conn.on("upgrade", handleUpgrade);
    conn.on("newListener", handleNewListener);
    if (this.isObserved) conn.on("removeListener", handleRemovedListener);
  }

  add(member) {
    this.members.push(member);
  }

  remove(member) {
    this.members = this.members.filter((other) => other !== member);
  }

  /** Where packets go without engine.io; `null` if they may not. */
  get direct() {
    return this.isObserved ? null : this.connection;
  }

  /** The transport is another. */
  refresh() {
    const { conn } = this;
    this.connection = connectionOf(conn);
    if (this.connection === null) return;
    if (this.isVersion3) this.connection.engine.native.useVersion3(this.connection.id);
    // What has waited for the upgrade goes first.
    if (conn.writeBuffer.length > 0) this.pass(() => conn.flush());
    conn.sendPacket = sendPacket;
  }

  observe() {
    this.isObserved = PACKET_EVENTS.some((event) => this.conn.listenerCount(event) > 0);
  }

  notify() {
    for (const member of this.members) member.handleLink();
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
    if (!options?.volatile) {
      this.connection.sendPacket(data, this.isVersion3);
      return;
    }
    const isContinued = this.volatileOptions === options;
    this.volatileOptions = options;
    this.connection.sendVolatilePacket(data, this.isVersion3, isContinued);
  }

  /** Has engine.io send what it sends in `work` at once. */
  pass(work) {
    const { transport } = this.conn;
    const wasWritable = transport.writable;
    transport.writable = true;
    try {
      work();
    } finally {
      // Unless something was sent: then it is false until that is done.
      if (transport.writable) transport.writable = wasWritable;
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
  const send = () =>
    Object.getPrototypeOf(this).sendPacket.call(this, type, data, options, callback);
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
  if (link.isObserved || !PACKET_EVENTS.includes(event)) return;
  link.isObserved = true;
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

/**
 * Whether somebody listens to the packets of all sockets.
 *
 * @param {import("engine.io").Server | undefined} server
 */
function isServerObserved(server) {
  return (
    server !== undefined && (server.listenerCount("flush") > 0 || server.listenerCount("drain") > 0)
  );
}

/** Whether this can be sent as it is; engine.io makes a string of anything else. */
function isPayload(data) {
  if (typeof data === "string") return data !== "";
  return ArrayBuffer.isView(data) || data instanceof ArrayBuffer;
}

/**
 * @param {import("engine.io").Socket} conn whose server has our engine
 * @returns {Link} that of the socket; made when first asked for
 */
function linkOf(conn) {
  return conn[kLink] ?? new Link(conn);
}

module.exports = { isPayload, isServerObserved, linkOf };
