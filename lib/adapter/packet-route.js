"use strict";

const { nextTick } = require("node:process");
const { packetMethods, watchConnection, watchTransport } = require("../untouched.js");
const { WebSocket } = require("../engine/websocket.js");

/** On an Engine.IO socket: its route. */
const kPacketRoute = Symbol("packetRoute");

/** Events that report each packet: a listener must get all of them. */
const PACKET_EVENTS = ["packetCreate", "flush", "drain"];

/** Packets in a `writeBuffer` that the worker has. Applications may take some of them out. */
const shown = new WeakSet();

/** Engine.IO v4, "Packet types": the heartbeats, as text. */
const HEARTBEATS = { ping: "2", pong: "3" };

/**
 * Connects an Engine.IO socket with its worker.
 *
 * While a worker has the connection, the packets of the socket go to the worker at once. engine.io
 * would keep them in its `writeBuffer` until the packets before are written, and broadcasts, which
 * go from worker to connection, would overtake them. Applications pace themselves by that buffer,
 * by `transport.writable` and by the `drain` event, so these look as if engine.io had sent the
 * packet:
 *   - the first packet makes the transport unwritable until it is written (it is *in flight*);
 *   - a packet sent meanwhile stands in `writeBuffer` until then, although the worker has it (it is
 *     *shown*), and then is in flight itself.
 * Where somebody listens to the socket's packets, engine.io sends them itself, and members
 * (`fan-out.js`) are told that broadcasts may not go directly; they are also told while
 * `writeBuffer` has packets that the worker does not have (they are *parked*).
 */
class PacketRoute {
  /** @param {import("engine.io").Socket} conn */
  constructor(conn) {
    this.conn = conn;
    /** The connection, where a worker has it. */
    this.connection = null;
    /** Whether somebody listens to the socket's packets. */
    this.isObserved = false;
    /** Whether engine.io is sending. */
    this.isPassing = false;
    /** Whether packets are in flight until the end of the turn. */
    this.isInFlight = false;
    /** Whether that is handled in a tick of its own. */
    this.hasTick = false;
    /** Whether the worker's reports decide when the transport is writable. */
    this.isAwaiting = false;
    /** How many reports of written frames are still to come before. */
    this.due = 0;
    /** Whether a `drain` event is due with the end of the turn. */
    this.isDrainDue = false;
    this.isVersion3 = conn.protocol === 3;
    /** The options of the volatile packet in flight: its attachments come with the same. */
    this.volatileOptions = null;
    /** @type {Array<import("./member.js").Member>} one for each namespace */
    this.members = [];
    conn[kPacketRoute] = this;
    watchConnection(conn);
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
    return isOpen && !this.isObserved && !this.isParked ? this.connection : null;
  }

  /** Returns whether engine.io has packets that go before those that may follow. */
  get isParked() {
    if (this.isPassing) return true;
    const { writeBuffer } = this.conn;
    return writeBuffer.length > 0 && !shown.has(writeBuffer[writeBuffer.length - 1]);
  }

  /** The transport is another. */
  refresh() {
    const { conn } = this;
    if (this.connection !== null) this.connection.route = null;
    // The worker of the connection before has them.
    this.takeShown();
    this.isAwaiting = false;
    this.isInFlight = false;
    this.connection = isInstrumented(conn) ? null : connectionOf(conn);
    if (this.connection === null) return;
    watchTransport(conn.transport);
    this.connection.route = this;
    if (this.isVersion3) this.connection.workers.native.useVersion3(this.connection.id);
    conn.sendPacket = sendPacket;
    conn.flush = flush;
  }

  observe() {
    this.isObserved = PACKET_EVENTS.some((event) => this.conn.listenerCount(event) > 0);
  }

  /** Tells the members that `direct` may be another. */
  notify() {
    for (const member of this.members) member.handleChange();
  }

  /** Has engine.io send, or park, packets in its own way. */
  pass(work) {
    const { isPassing } = this;
    this.isPassing = true;
    try {
      work();
    } finally {
      this.isPassing = isPassing;
      // It may have parked the first packets, or sent the last.
      if (!isPassing && !this.isObserved) this.notify();
    }
  }

  /** Returns whether packets can go to the worker without engine.io. */
  canSend() {
    const { conn, connection } = this;
    return (
      !this.isObserved &&
      !this.isParked &&
      connection?.canSend() &&
      conn.readyState === "open" &&
      !isServerObserved(conn.server) &&
      packetMethods.areUntouched
    );
  }

  /** Sends a packet as engine.io's `sendPacket()` would, to one who looks on. */
  send(type, data, options) {
    const { transport } = this.conn;
    // With the same options, it is another packet.
    if (transport.writable) this.volatileOptions = null;
    else this.show(type, data, options);
    if (type === "message") this.sendMessage(data, options);
    else this.connection.sendText(HEARTBEATS[type] + (data ?? ""));
    if (transport.writable) this.handleInFlight();
  }

  /** Puts a packet into `writeBuffer` that the worker has. */
  show(type, data, options) {
    options.compress = options.compress !== false;
    const packet = data === undefined ? { type, options } : { type, options, data };
    shown.add(packet);
    this.conn.writeBuffer.push(packet);
  }

  /** @returns {object[]} the packets that are shown, which are the first of `writeBuffer` */
  takeShown() {
    const { writeBuffer } = this.conn;
    const parked = writeBuffer.findIndex((packet) => !shown.has(packet));
    return writeBuffer.splice(0, parked === -1 ? writeBuffer.length : parked);
  }

  sendMessage(data, options) {
    if (!options.volatile) {
      this.volatileOptions = null;
      this.connection.sendPacket(data, this.isVersion3);
      return;
    }
    const isContinued = this.volatileOptions === options && isBinary(data);
    this.volatileOptions = options;
    this.connection.sendVolatilePacket(data, this.isVersion3, isContinued);
  }

  /** The last packets are in flight: until the end of the turn, or longer if much waits. */
  handleInFlight() {
    const { conn, connection } = this;
    conn.transport.writable = false;
    this.isAwaiting = connection.isBehind;
    this.isInFlight = !this.isAwaiting;
    if (this.isAwaiting) this.due = connection.awaitedFrames;
    else if (this.hasListeners) this.scheduleTick();
    else connection.workers.scheduleTurnEnd(this);
  }

  /** Where listeners follow: in a tick and in the context of the sender, as behind its write. */
  scheduleTick() {
    if (this.hasTick) return;
    this.hasTick = true;
    nextTick(handleTick, this);
  }

  handleTurnEnd() {
    if (this.hasListeners) this.scheduleTick();
    else if (!this.hasTick) this.endFlight();
  }

  /** Returns whether somebody listens to what happens when the packets in flight are written. */
  get hasListeners() {
    const { transport, server } = this.conn;
    return (
      this.isObserved ||
      isServerObserved(server) ||
      transport.listenerCount("drain") > 1 ||
      transport.listenerCount("ready") > 1
    );
  }

  endFlight() {
    if (!this.isInFlight) return;
    this.isInFlight = false;
    this.isAwaiting = true;
    this.due = 0;
    this.handleReports();
  }

  /** The worker has written so many of the frames whose report is awaited. */
  handleSent(count) {
    this.due -= count;
    this.handleReports();
  }

  /** How much waits for the network, if it is much; broadcasts count as well. */
  handleBacklog(bytes) {
    const { transport } = this.conn;
    if (bytes === 0) {
      // With engine.io, the packets of broadcasts would have been in its buffer.
      this.isDrainDue = true;
      this.handleReports();
    } else if (transport.writable) {
      transport.writable = false;
      this.isAwaiting = true;
      this.due = 0;
    }
  }

  handleReports() {
    if (!this.isAwaiting || this.due > 0 || this.connection.backlog > 0) return;
    this.isAwaiting = false;
    this.handleWritten();
  }

  /** As engine.io's transport does when the packets in flight are written. */
  handleWritten() {
    const { conn } = this;
    const { transport } = conn;
    if (conn.readyState === "closed") return;
    if (transport.listenerCount("drain") > 1) transport.emit("drain");
    transport.writable = true;
    if (transport.listenerCount("ready") > 1) transport.emit("ready");
    else if (conn.writeBuffer.length > 0) conn.flush();
    if (this.isDrainDue && conn.readyState === "open") this.emitDrain();
  }

  /** As engine.io's `flush()`, of packets that the worker has. */
  flushShown() {
    const { conn } = this;
    if (conn.readyState === "closed" || !conn.transport.writable) return;
    const packets = this.takeShown();
    conn.emit("flush", packets);
    conn.server.emit("flush", conn, packets);
    this.handleInFlight();
    this.emitDrain();
  }

  emitDrain() {
    const { conn } = this;
    this.isDrainDue = false;
    conn.emit("drain");
    conn.server.emit("drain", conn);
  }

  /**
   * Makes a broadcast look as if engine.io had sent it.
   *
   * @param {Array<string | Uint8Array>} payloads of its packets
   */
  showBroadcast(payloads) {
    for (const data of payloads) {
      if (this.conn.transport.writable) this.handleInFlight();
      else this.show("message", data, {});
    }
  }

  /** With engine.io, packets that were broadcast in this turn would be in flight or parked. */
  handleObserver() {
    if (this.connection === null) return;
    const broadcasts = this.members.reduce(
      (sum, { broadcastsInTurn }) => sum + broadcastsInTurn,
      0,
    );
    const { writable } = this.conn.transport;
    if (broadcasts > 0) {
      this.isDrainDue = !writable || broadcasts > 1;
      if (writable) this.handleInFlight();
    }
    if (this.isInFlight) this.scheduleTick();
  }
}

function handleTick(route) {
  route.hasTick = false;
  route.endFlight();
}

/** In the place of the method of Engine.IO's socket, with the same parameters. */
function sendPacket(type, data, options, callback) {
  const route = this[kPacketRoute];
  const isPlain = callback === undefined && typeof options !== "function";
  if (isPlain && isSendable(type, data) && route.canSend()) {
    route.send(type, data, options ?? {});
    return;
  }
  const { sendPacket } = Object.getPrototypeOf(route.conn);
  route.pass(() => sendPacket.call(this, type, data, options, callback));
}

/** In the place of the method of Engine.IO's socket. */
function flush() {
  const route = this[kPacketRoute];
  if (shown.has(this.writeBuffer[0])) route.flushShown();
  else route.pass(() => Object.getPrototypeOf(route.conn).flush.call(this));
}

function handleUpgrade() {
  const route = this[kPacketRoute];
  route.refresh();
  route.notify();
}

/** Node.js calls it before the listener is there, so what follows goes by engine.io. */
function handleNewListener(event) {
  const route = this[kPacketRoute];
  if (route.isObserved || !PACKET_EVENTS.includes(event)) return;
  route.isObserved = true;
  route.handleObserver();
  route.notify();
  this.on("removeListener", handleRemovedListener);
}

function handleRemovedListener(event) {
  const route = this[kPacketRoute];
  if (!route.isObserved || !PACKET_EVENTS.includes(event)) return;
  route.observe();
  if (route.isObserved) return;
  this.removeListener("removeListener", handleRemovedListener);
  route.notify();
}

/** @returns {import("../engine/connection.js").Connection | null} that of a transport on a worker */
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

/** Returns whether a packet can be sent without engine.io: a message as it is, or a heartbeat. */
function isSendable(type, data) {
  if (type === "message") return isPayload(data);
  return HEARTBEATS[type] !== undefined && (data === undefined || typeof data === "string");
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
 * @returns {PacketRoute} that of the socket; made when first asked for
 */
function packetRouteOf(conn) {
  return conn[kPacketRoute] ?? new PacketRoute(conn);
}

module.exports = { isBinary, isPayload, isServerObserved, packetRouteOf };
