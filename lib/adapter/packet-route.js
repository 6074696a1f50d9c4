"use strict";

const { nextTick } = require("node:process");
const { WebSocket } = require("../engine/websocket.js");
const { packetMethods, watchConnection, watchTransport } = require("../untouched.js");
const { scheduleCompaction } = require("./compaction.js");
const { HeartbeatSocket } = require("./heartbeat.js");
const { packetReceiverOf } = require("./packet-receiver.js");
const listeners = require("./packet-listeners.js");

const { HEARTBEAT_EVENTS, SOCKET_EVENTS, isServerObserved, isSocketObserved } = listeners;

/** On an Engine.IO socket: its route. */
const kPacketRoute = Symbol("packetRoute");

/** Engine.IO v4, "Packet types": the heartbeats, as text. */
const HEARTBEATS = { ping: "2", pong: "3" };

/** On the prototype of lean sockets: the one behind it, engine.io's. */
const kEngineMethods = Symbol("engineMethods");

const NO_MEMBERS = Object.freeze([]);

/** Methods of engine.io's socket that tracing replaces on single sockets, to see their packets. */
const INSTRUMENTED = ["sendPacket", "write", "send", "flush"];

/**
 * The route of an Engine.IO socket's packets: to a worker, or through engine.io.
 *
 * While a worker has the connection, the packets of the socket go to the worker at once. engine.io
 * would keep them in its `writeBuffer` until the packets before are written, and broadcasts, which go
 * from worker to connection, would overtake them. `PacedSocket` makes the socket look as if engine.io
 * had sent them.
 *
 * engine.io sends a packet itself where listeners must get every packet, where a method on the way has
 * been replaced, and while packets are *parked*: in `writeBuffer`, but not with the worker. The
 * *members*, which are the socket's Socket.IO sockets, decide by `direct` whether broadcasts may go to
 * the connection; `notify()` is called after each change of what `direct` depends on.
 *
 * The route takes the place of `sendPacket()` and `flush()` of the socket, follows its upgrade and its
 * listeners, and lives as long as the socket. `refresh()` finds the connection of a new transport.
 *
 * A *lean* socket (`server/engine-socket.js`) has had its connection and its heartbeat on a worker since
 * its handshake, and no transport. Its class has the two methods, and calls `handleNewListener()`. Where
 * engine.io itself has to send, `expand()` makes it a socket of engine.io, and calls `leaveLean()`.
 */
class PacketRoute extends HeartbeatSocket {
  /** Set while engine.io is sending. */
  #isEngineSending = false;
  /** The Socket.IO client that receives the packets; `null` until it is known. */
  #client = null;
  /** Set while the socket has expanded, and has no members yet. */
  #isLeft = false;
  /** The options of the volatile packet in flight. Its attachments come with the same object. */
  #volatileOptions = null;

  /**
   * @param {import("engine.io").Socket} conn
   * @param {object | null} lean stands for the transport of a lean socket
   */
  constructor(conn, lean = null) {
    super(conn);
    /** @type {ReadonlyArray<import("./member.js").Member>} one for each namespace */
    this.members = NO_MEMBERS;
    conn[kPacketRoute] = this;
    if (lean === null) this.#begin();
    else this.#beginLean(lean);
  }

  #begin() {
    const { conn } = this;
    watchConnection(conn);
    this.observe();
    this.refresh();
    // Each listener costs memory for each connection.
    if (canUpgrade(conn)) conn.on("upgrade", handleUpgrade);
    conn.on("newListener", handleNewListener);
    if (this.isObserved) conn.on("removeListener", handleRemovedListener);
  }

  #beginLean(lean) {
    this.lean = lean;
    this.connection = lean.connection;
    this.connection.route = this;
    this.beginByWorker();
  }

  /** Goes on as the route of a socket of engine.io. To be called when it has its transport. */
  leaveLean() {
    const { connection } = this;
    this.lean = null;
    this.leanBuffer = null;
    // Without members, engine.io sends all packets, and has the heartbeat.
    if (this.#client === null) {
      this.#leaveToEngine();
      return;
    }
    this.#receive();
    for (const { socket } of this.members) scheduleCompaction(socket, connection.workers);
  }

  /** Goes on with the WebSocket to which the connection of an expanded socket has changed. */
  handleTransport() {
    watchTransport(Object.getPrototypeOf(this.conn.transport));
    this.#receive();
  }

  /** @param {import("./member.js").Member} member */
  add(member) {
    // An array that grows has room for 16 more, also one that is made by spreading another.
    this.members = this.members.length === 0 ? [member] : [...this.members, member];
  }

  /** @param {object} client of Socket.IO; gets the packets of the socket */
  receiveBy(client) {
    if (this.#client === client) return;
    // A program has put methods in front of ours before there was a member: they see all packets.
    if (this.lean !== null && isInstrumented(this.conn)) this.expand();
    this.#client = client;
    if (this.#isLeft) this.#beginAgain();
    else this.#receive();
  }

  #leaveToEngine() {
    const { conn } = this;
    this.#isLeft = true;
    this.reset();
    if (conn.readyState !== "closed" && !this.flight.writable) {
      // The worker has what is in flight: engine.io goes on in the next tick, as after a write.
      conn.sentCallbackFn.push(null);
      nextTick(conn.transport._onSentLast, null);
    }
    this.releaseHeartbeat();
    this.connection.route = null;
    this.connection = null;
  }

  #beginAgain() {
    this.#isLeft = false;
    this.observe();
    this.refresh();
  }

  #receive() {
    const { conn, connection } = this;
    if (connection === null || this.#client === null) return;
    connection.packetReceiver = packetReceiverOf(connection, conn, this.#client, this.lean);
  }

  /** @param {import("./member.js").Member} member */
  remove(member) {
    this.members = this.members.filter((other) => other !== member);
  }

  /** The connection that packets may go to without engine.io; `null` if they may not. */
  get direct() {
    const isOpen = this.connection !== null && this.connection.endError === null;
    return isOpen && !this.isObserved && !this.#isParked ? this.connection : null;
  }

  get #isVersion3() {
    return this.conn.protocol === 3;
  }

  /** True if engine.io has packets that go before those that may follow. */
  get #isParked() {
    return this.#isEngineSending || this.hasParked;
  }

  /** Finds the connection of the transport, which may be another since the last call. */
  refresh() {
    const { conn } = this;
    if (this.connection !== null) this.connection.route = null;
    this.reset();
    this.connection = isInstrumented(conn) ? null : connectionOf(conn);
    if (this.connection !== null) this.#use();
    this.prepareHeartbeat();
  }

  #use() {
    const { conn } = this;
    watchTransport(Object.getPrototypeOf(conn.transport));
    this.connection.route = this;
    if (this.#isVersion3) this.connection.workers.native.useVersion3(this.connection.id);
    conn.sendPacket = sendPacket;
    conn.flush = flush;
    this.#receive();
  }

  /** True if packets of engine.io pass this route, and nothing is in front of it. */
  get isInPlace() {
    return this.conn.sendPacket === sendPacket && this.conn.flush === flush;
  }

  /** Looks for listeners that must get every packet. */
  observe() {
    this.isObserved = isSocketObserved(this.conn);
  }

  /** Informs the members that `direct` may have changed. */
  notify() {
    for (const member of this.members) member.handleChange();
  }

  /**
   * Runs `work`, in which engine.io sends or parks packets in its own way.
   *
   * @param {() => void} work
   */
  sendByEngine(work) {
    const isNested = this.#isEngineSending;
    this.#isEngineSending = true;
    try {
      work();
    } finally {
      this.#isEngineSending = isNested;
      // The first packets may be parked now, or the last ones sent.
      if (!isNested && !this.isObserved) this.notify();
    }
  }

  /** Has engine.io send the packets in its buffer, with what they say about compression. */
  flushByEngine() {
    const { conn, connection } = this;
    const compressions = conn.writeBuffer.map(({ options }) => options?.compress !== false);
    if (connection !== null && compressions.includes(false)) {
      connection.compressions = compressions;
    }
    try {
      this.sendByEngine(() => engineMethods(conn).flush.call(conn));
    } finally {
      if (connection !== null) connection.compressions = null;
    }
  }

  /** Returns whether packets can go to the worker without engine.io. */
  canSend() {
    const { conn, connection } = this;
    return (
      !this.isObserved &&
      !this.#isParked &&
      connection?.canSend() &&
      conn.readyState === "open" &&
      !isServerObserved(conn.server) &&
      packetMethods.areUntouched
    );
  }

  /** Sends a packet to the worker. It looks as if engine.io's `sendPacket()` had sent it. */
  send(type, data, options) {
    const { flight, transport } = this;
    // After a flight, the same options belong to another packet.
    if (transport.writable) this.#volatileOptions = null;
    else this.show(type, data, options);
    if (type === "message") this.#sendMessage(data, options);
    else this.connection.sendText(HEARTBEATS[type] + (data ?? ""));
    if (flight.writable) this.startFlight();
  }

  #sendMessage(data, options) {
    const isCompressible = options.compress !== false;
    if (!options.volatile) {
      this.#volatileOptions = null;
      if (options.wsPreEncodedFrame !== undefined && this.#takesFrames)
        this.connection.sendFrame(options.wsPreEncodedFrame);
      else this.connection.sendPacket(data, this.#isVersion3, isCompressible);
      return;
    }
    const isContinued = this.#volatileOptions === options && isBytes(data);
    this.#volatileOptions = options;
    this.connection.sendVolatilePacket(data, this.#isVersion3, isContinued, isCompressible);
  }

  /** True if engine.io would send frames that are encoded already. */
  get #takesFrames() {
    return !this.connection.isPolling && !this.conn.server.opts.perMessageDeflate;
  }

  /** Called when the first listener comes that must get every packet. */
  handleObserver() {
    this.isObserved = true;
    if (this.connection !== null) {
      const counts = this.members.map(({ broadcastsInTurn }) => broadcastsInTurn);
      this.handleFirstListener(counts.reduce((sum, count) => sum + count, 0));
    }
    this.notify();
  }
}

/** Replaces the method of engine.io's socket, with the same parameters. */
function sendPacket(type, data, options, callback) {
  const route = this[kPacketRoute];
  const isPlain = callback === undefined && typeof options !== "function";
  if (isPlain && isSendable(type, data) && route.canSend()) {
    route.send(type, data, options ?? {});
    return;
  }
  route.expand();
  const { sendPacket } = engineMethods(route.conn);
  route.sendByEngine(() => sendPacket.call(this, type, data, options, callback));
}

/** Replaces the method of engine.io's socket. */
function flush() {
  const route = this[kPacketRoute];
  if (route.hasShown) {
    route.flushShown();
    return;
  }
  route.expand();
  route.flushByEngine();
}

/** Returns the object that has engine.io's methods for a socket. */
function engineMethods(conn) {
  return conn[kEngineMethods] ?? Object.getPrototypeOf(conn);
}

function handleUpgrade() {
  const route = this[kPacketRoute];
  route.refresh();
  route.notify();
  const { connection, members } = route;
  if (connection === null) return;
  for (const { socket } of members) scheduleCompaction(socket, connection.workers);
}

/** Node.js calls this before it adds the listener, so engine.io sends everything after it. */
function handleNewListener(event) {
  const route = this[kPacketRoute];
  if (event === "drain" && this.readyState === "closing") route.closeHeartbeat();
  else if (HEARTBEAT_EVENTS.includes(event)) route.reportHeartbeats(true);
  if (route.isObserved || !SOCKET_EVENTS.includes(event)) return;
  route.handleObserver();
  this.on("removeListener", handleRemovedListener);
}

function handleRemovedListener(event) {
  const route = this[kPacketRoute];
  if (!route.isObserved || !SOCKET_EVENTS.includes(event)) return;
  route.observe();
  if (route.isObserved) return;
  this.removeListener("removeListener", handleRemovedListener);
  route.notify();
}

/** @returns {import("../engine/connection.js").Connection | null} `null` if no worker has it */
function connectionOf({ transport }) {
  const isWebSocket = transport.name === "websocket" && transport.socket instanceof WebSocket;
  // Only engine.io encodes base64, for clients that ask for it.
  return isWebSocket && transport.supportsBinary ? transport.socket._connection : null;
}

/** Returns whether the transport may be replaced by another later. */
function canUpgrade({ transport, upgraded, server }) {
  const isLast = transport.name === "websocket" && !server.opts.transports.includes("webtransport");
  return !upgraded && !isLast;
}

/** Returns whether a socket has methods of its own in front of engine.io's. */
function isInstrumented(conn) {
  return INSTRUMENTED.some((name) => Object.hasOwn(conn, name));
}

/** Returns whether a packet can be sent without engine.io: a message as it is, or a heartbeat. */
function isSendable(type, data) {
  if (type === "message") return isPayload(data);
  return HEARTBEATS[type] !== undefined && (data === undefined || typeof data === "string");
}

/** Returns whether a message can be sent as it is; engine.io makes a string of anything else. */
function isPayload(data) {
  return typeof data === "string" ? data !== "" : isBytes(data);
}

/** Returns whether this is an ArrayBuffer or a view of one, whose bytes can be sent at once. */
function isBytes(data) {
  return ArrayBuffer.isView(data) || data instanceof ArrayBuffer;
}

/**
 * Returns the route of a socket, which is made at the first call.
 *
 * @param {import("engine.io").Socket} conn of a server that has our engine
 * @returns {PacketRoute}
 */
function packetRouteOf(conn) {
  return conn[kPacketRoute] ?? new PacketRoute(conn);
}

/**
 * Returns the route of a lean socket, which is made at birth.
 *
 * @param {object} conn `EngineSocket`
 * @param {object} lean `LeanTransport`
 */
function leanRouteOf(conn, lean) {
  return new PacketRoute(conn, lean);
}

/** @returns {PacketRoute | undefined} the route of a socket, if it has one */
function existingRouteOf(conn) {
  return conn[kPacketRoute];
}

module.exports = {
  existingRouteOf,
  flush,
  handleNewListener,
  isBytes,
  isPayload,
  kEngineMethods,
  leanRouteOf,
  packetRouteOf,
  sendPacket,
};
