"use strict";

const { nextTick } = require("node:process");
const { PollingState, UpgradeStep } = require("../addon/codes.js");
const { environmentWorkers } = require("../engine/workers.js");
const { ConnectionEndedError } = require("../errors.js");
const { receive } = require("./engine-socket.js");
const { LeanConnection } = require("./lean-connection.js");
const { createPollingTransport } = require("./polling-transport.js");
const { createRequest } = require("./request.js");

const { Probed: PROBED, Completed: COMPLETED } = UpgradeStep;
const { Received: RECEIVED, Writable: WRITABLE } = PollingState;

/** The code of a worker's error that engine.io's transport would have reported. */
const TRANSPORT_ERROR = "TransportError";

const EMPTY = Buffer.alloc(0);

/** The error of two polls at once. */
const OVERLAP = "overlap from client";

/**
 * A connection whose session begins with long-polling, on a worker. Its commands and events are those of a
 * WebSocket's connection, so that the session can change to one.
 *
 * Until it has changed, it has no WebSocket; its Engine.IO socket, expanded, has a `PollingTransport`. Once
 * it has, it is a `LeanConnection` in all, with the request of the upgrade.
 *
 * A program that looks at the transport sees packets wait as with engine.io: they are in flight, or in
 * `writeBuffer`, until the worker reports that a poll has taken them. While the socket is lean, that is not
 * reported, and packets are in flight until the end of the turn.
 */
class PollingConnection extends LeanConnection {
  /** True until the session goes on with a WebSocket. */
  isPolling = true;
  /** The transport of an expanded socket. @type {object | null} @private */
  transport = null;
  /** The Engine.IO socket, once it is expanded. @private */
  expanded = null;
  /** The function that makes the WebSocket, while the client changes to it. @private */
  upgrade = null;

  /**
   * @param {object} connection as `NativeConnectionOptions` in binding.d.ts
   * @param {object} polling as `NativePollingOptions`
   */
  acceptPolling(connection, polling) {
    this.isPending = false;
    const { listener, offer } = this;
    this.id = listener.acceptPolling(offer, this, connection, polling);
    this.workers = environmentWorkers();
    this.workers.scheduleFlush();
  }

  /**
   * Accepts a WebSocket for the session.
   *
   * @param {object} offer
   * @param {object} negotiated `Negotiated`
   * @param {string} lines of headers
   */
  acceptUpgrade(offer, { connection, extensions, header }, lines) {
    const { head, remoteAddress } = offer;
    this.upgrade = { head, remoteAddress, extensions, transport: null };
    this.engineSocket.upgrading = true;
    this.listener.acceptUpgrade(offer, this.id, connection, header + lines);
  }

  /** The Engine.IO socket, lean or not. */
  get engineSocket() {
    return this.conn ?? this.expanded;
  }

  // --- For `EngineSocket`

  /** Makes the transport of an expanded socket. */
  makeTransport(conn) {
    this.expanded = conn;
    if (!this.isPolling) return this.makeWebSocketTransport(conn);
    const { server, request } = conn;
    this.transport = createPollingTransport(server, request, this);
    this.conn = null;
    // Packets that wait for a poll are the worker's: only its own upgrade has them follow.
    conn._maybeUpgrade = refuseUpgrade;
    return this.transport;
  }

  makeWebSocketTransport({ server }) {
    const { upgrade } = this;
    if (upgrade.transport !== null) return upgrade.transport;
    const upgradeRequest = createRequest({
      head: upgrade.head,
      remoteAddress: upgrade.remoteAddress,
      connection: this,
      server: this.listener.server,
    });
    this.socket = upgradeRequest.socket;
    this.offer = upgrade.extensions;
    this.makeWebSocket();
    upgradeRequest.websocket = this.madeWebSocket;
    upgrade.transport = server.createTransport("websocket", upgradeRequest);
    upgrade.transport.perMessageDeflate = server.opts.perMessageDeflate;
    return upgrade.transport;
  }

  /** There is none before the upgrade. */
  get websocket() {
    return this.isPolling ? this.madeWebSocket : super.websocket;
  }

  set websocket(_none) {
    this.madeWebSocket = null;
  }

  get maxLoopLag() {
    return this.options.turbo.maxLoopLag;
  }

  /** Closes the session when the client polls, as engine.io does. The end is reported then. */
  closeWhenPolled() {
    if (!this.isPolling) return false;
    this.closeLean(EMPTY);
    // A client that has gone does not poll any more.
    this.route?.closeHeartbeat();
    return true;
  }

  /** Has engine.io answer the requests of the client, whose responses a program wants to see. */
  passRequests() {
    if (this.isPolling) this.command("passRequests");
  }

  handleConnClose() {
    if (this.isPolling) this.terminate();
    else super.handleConnClose();
  }

  /** True while the client sends a payload to the worker. */
  get isReceiving() {
    return this.endError === null && this.workers.native.isReceiving(this.id);
  }

  /**
   * Calls back when the client sends no payload, and all packets of the last one have been handled, or when
   * the session has ended.
   *
   * @param {() => void} callback
   */
  whenReceived(callback) {
    if (this.endError !== null) {
      callback();
      return;
    }
    this.receivedCallback = callback;
    this.command("awaitState", RECEIVED);
  }

  // --- For `PollingTransport`

  /** True if a poll is pending that takes nothing: what is sent now leaves at once. */
  get hasPoll() {
    if (!this.writable || this.endError !== null || this.#hasBroadcast) return false;
    return this.workers.native.isWritable(this.id);
  }

  /** True if a broadcast of this turn takes the next poll. */
  get #hasBroadcast() {
    const members = this.route?.members ?? [];
    return members.some(({ broadcastsInTurn }) => broadcastsInTurn > 0);
  }

  /** Has the transport called when a poll is pending that takes nothing. */
  awaitPoll() {
    if (this.isPollAwaited) return;
    this.isPollAwaited = true;
    this.command("awaitState", WRITABLE);
  }

  // --- For `Sender`: the transport needs the reports

  /** True while packets are reported when polls have taken them. */
  get isReported() {
    return this.isPolling && this.transport !== null;
  }

  get isBehind() {
    return this.isReported || super.isBehind;
  }

  needsReport(length) {
    return this.isReported || super.needsReport(length);
  }

  // --- Events

  /** @param {number} state of `PollingState` in addon/codes.js */
  handleReached(state) {
    if (state === RECEIVED) this.#handleReceived();
    else this.#handlePoll();
  }

  #handlePoll() {
    this.isPollAwaited = false;
    this.transport?.handlePoll();
  }

  #handleReceived() {
    const { receivedCallback } = this;
    this.receivedCallback = undefined;
    receivedCallback?.();
  }

  handleMessage(message, isBinary) {
    if (!this.isPolling) {
      super.handleMessage(message, isBinary);
      return;
    }
    if (this.held?.hold("handleMessage", message, isBinary) || this.isTerminated) return;
    if (this.packetReceiver?.handleMessage(message, isBinary)) return;
    if (this.isLean && receive(this.conn, message, isBinary)) return;
    this.expand();
    this.transport.handleMessage(message);
  }

  handleFailure(message, code, closeCode) {
    if (code !== TRANSPORT_ERROR) {
      if (this.isPolling) this.handleTransportError("transport error");
      else super.handleFailure(message, code, closeCode);
      return;
    }
    if (message === OVERLAP) this.transport?.refusePoll();
    this.handleTransportError(message);
  }

  handleTransportError(message) {
    if (this.isTerminated) return;
    if (this.transport === null)
      this.engineSocket.onClose("transport error", transportError(message));
    else this.transport.onError(message);
  }

  /** @param {string} payload for a request that came through Node.js */
  handlePolled(payload) {
    this.transport?.handlePolled(payload);
  }

  /** The packets of a payload have been handled. */
  handlePayloadEnded() {
    const { transport } = this;
    if (transport === null || !transport.answerPayload()) this.command("answerPayload");
  }

  /** @param {number} step of `UpgradeStep` in addon/codes.js */
  handleUpgradeStep(step) {
    if (step === PROBED) this.#handleProbed();
    else if (step === COMPLETED) this.#handleUpgraded();
    else this.#endUpgrade();
  }

  #handleProbed() {
    const { engineSocket } = this;
    if (engineSocket.listenerCount("upgrading") === 0) return;
    this.expand();
    const transport = this.makeWebSocketTransport(engineSocket);
    engineSocket.emit("upgrading", transport);
  }

  #endUpgrade() {
    this.listener.handleConnectionEnd();
    const { transport } = this.upgrade;
    this.upgrade = null;
    this.engineSocket.upgrading = false;
    // A listener of `upgrading` has it. Its WebSocket has no connection of its own that could be closed.
    transport?.onClose();
  }

  #handleUpgraded() {
    const { engineSocket } = this;
    this.isPolling = false;
    engineSocket.upgrading = false;
    engineSocket.upgraded = true;
    if (engineSocket.listenerCount("upgrade") > 0) this.expand();
    this.#useWebSocket(engineSocket);
    // The worker sends the close frame that has waited for a poll.
    if (engineSocket.readyState !== "closing") return;
    const handleClosed = () => engineSocket.onClose("forced close");
    if (this.isLean) handleClosed();
    else engineSocket.transport.close(handleClosed);
  }

  #useWebSocket(engineSocket) {
    if (this.isLean) {
      this.offer = this.upgrade.extensions;
      return;
    }
    if (this.transport === null) {
      engineSocket.emit("upgrade", engineSocket.transport);
      return;
    }
    // As `_maybeUpgrade()` of engine.io does.
    this.transport.discard();
    engineSocket.clearTransport();
    const transport = this.makeWebSocketTransport(engineSocket);
    engineSocket.setTransport(transport);
    this.transport = null;
    this.route?.handleTransport();
    engineSocket.emit("upgrade", transport);
    engineSocket.flush();
  }

  get isOpen() {
    return this.isPolling ? !this.isClosing : super.isOpen;
  }

  handleDrained() {
    if (!this.isPolling) super.handleDrained();
  }

  handleRelease() {
    if (!this.isPolling) {
      super.handleRelease();
      return;
    }
    this.lastTraffic = this.traffic();
    this.setReferenced(false);
  }

  handleEnd(reason, systemError) {
    if (!this.isPolling) {
      super.handleEnd(reason, systemError);
      return;
    }
    this.endError = new ConnectionEndedError(reason, systemError);
    this.takeAwaited();
    this.isClosing = true;
    this.isTerminated = true;
    this.hasEnded = true;
    if (this.upgrade !== null) this.#endUpgrade();
    nextTick(nextTick, handlePollingEnd, this);
  }
}

/** Takes the place of engine.io's method for WebSockets that Node.js has accepted: the client goes on polling. */
function refuseUpgrade(transport) {
  transport.close();
}

/** Returns the error that engine.io's transport reports. */
function transportError(message) {
  return Object.assign(new Error(message), { type: TRANSPORT_ERROR, description: undefined });
}

/** On the prototype until they are set: few connections need own properties. */
Object.assign(PollingConnection.prototype, {
  /** @private See `whenReceived()`. */
  receivedCallback: undefined,
  /** @private Set until the worker reports a poll. */
  isPollAwaited: false,
});

/** Reports the end of a session that has not changed to a WebSocket. */
function handlePollingEnd(connection) {
  const { engineSocket, transport } = connection;
  connection.isEndReported = true;
  if (transport !== null) transport.handleEnd();
  const isOurs = engineSocket.readyState === "closing";
  engineSocket.onClose(isOurs ? "forced close" : "transport close");
  connection.receivedCallback?.();
}

module.exports = { PollingConnection };
