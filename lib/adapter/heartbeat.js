"use strict";

/**
 * The heartbeat of an Engine.IO socket on a worker, which pings and judges the client although
 * JavaScript is busy.
 *
 * engine.io has two timers for each socket. They are handed over in two steps, so that nothing which
 * the client sends in between is lost:
 *   1. `prepareHeartbeat()`: the worker is to handle heartbeat packets. It reports the moment from which
 *      it does, behind all messages before; these have gone to engine.io, whose timers are still running.
 *   2. At this report, the worker gets the times of the timers, and the timers are cleared.
 *
 * The worker reports heartbeats: at once while listeners could see them, else within a second or with
 * other events. If there are listeners by then, engine.io gets the client's packet, and shows those that
 * the worker has sent, without sending them again. Where a method on their way has been replaced,
 * heartbeats are given back to engine.io.
 */

const { clearTimeout, setTimeout } = require("node:timers");
const { HeartbeatStep } = require("../addon/codes.js");
const { heartbeatMethods } = require("../untouched.js");
const { PacedSocket } = require("./paced-socket.js");
const {
  isHeartbeatObserved,
  isServerObserved,
  isTransportObserved,
} = require("./packet-listeners.js");

const { Ready: READY, Received: RECEIVED, TimedOut: TIMED_OUT } = HeartbeatStep;

/** The most that timers of Node.js accept, in milliseconds; they take 1 instead of more. */
const MAX_DELAY = 2 ** 31 - 1;

/** `_idleTimeout` of a timer that has been cleared before it has run. */
const CLEARED = -1;

/** The class of Node's timers: those of test tools stay where they are. */
const { constructor: Timeout } = stoppedTimer();

/** The owner of the heartbeat: engine.io, the same until the worker is ready, or the worker. */
const BY_ENGINE = 0;
const PREPARING = 1;
const BY_WORKER = 2;

/** Methods that are called for heartbeats, and that tracing replaces on single objects. */
const OF_SOCKET = ["emit", "onPacket", "schedulePing", "resetPingTimeout"];
const OF_TRANSPORT = ["send", "emit"];

/**
 * An Engine.IO socket whose heartbeat a worker may have. `PacketRoute` adds `isInPlace` and
 * `sendByEngine()`.
 */
class HeartbeatSocket extends PacedSocket {
  /** One of the constants above. @private */
  heartbeatOwner = BY_ENGINE;

  /** The worker has had the heartbeat since the connection was accepted. @protected */
  beginByWorker() {
    this.heartbeatOwner = BY_WORKER;
  }

  /** Begins to hand the heartbeat over to the worker of the connection. */
  prepareHeartbeat() {
    const { connection } = this;
    const wasWorkers = this.heartbeatOwner === BY_WORKER;
    this.heartbeatOwner = BY_ENGINE;
    this.isHeartbeatReported = false;
    const isOpen = connection !== null && connection.endError === null;
    if (isOpen && hasOurRules(this.conn) && !this.#isInstrumented) {
      this.heartbeatOwner = PREPARING;
      connection.command("prepareHeartbeat");
      this.reportHeartbeats(this.#isListenedTo);
    } else if (wasWorkers) this.#restartTimers();
  }

  /**
   * Handles an event of the worker's heartbeat.
   *
   * @param {number} step of `HeartbeatStep` in addon/codes.js
   */
  handleHeartbeat(step) {
    if (step === READY) this.#handleReady();
    else if (step === TIMED_OUT) this.#handleTimeout();
    else this.#handleReport(step === RECEIVED);
  }

  /** Returns whether an event stands for input of the client, which waits while that is paused. */
  isInput(step) {
    return step === READY || step === RECEIVED;
  }

  /** Sets whether the worker reports heartbeats at once. */
  reportHeartbeats(isReported) {
    if (this.heartbeatOwner === BY_ENGINE || this.isHeartbeatReported === isReported) return;
    this.isHeartbeatReported = isReported;
    this.connection.command("reportHeartbeat", isReported);
  }

  /** Called when the Engine.IO socket closes as soon as its buffer is sent: it sends no more pings. */
  closeHeartbeat() {
    if (this.heartbeatOwner !== BY_ENGINE) this.connection.command("closeHeartbeat");
  }

  #handleReady() {
    if (this.heartbeatOwner !== PREPARING) return;
    const { conn, connection } = this;
    const isFit = conn.readyState === "open" && !this.#isInstrumented;
    const start = isFit ? heartbeatStart(conn, connection.maxLoopLag) : null;
    if (start === null) {
      this.leaveHeartbeat();
      return;
    }
    this.heartbeatOwner = BY_WORKER;
    connection.command("startHeartbeat", start);
    clearTimeout(conn.pingIntervalTimer);
    clearTimeout(conn.pingTimeoutTimer);
    conn.pingIntervalTimer = null;
    conn.pingTimeoutTimer = null;
  }

  /** The worker has received a pong, in v3 a ping; or sent a ping. */
  #handleReport(isReceived) {
    const isInstrumented = this.#isInstrumented;
    const isListenedTo = this.#isListenedTo;
    if (isListenedTo || isInstrumented) this.#show(isReceived);
    if (this.heartbeatOwner !== BY_WORKER) return;
    if (isInstrumented) this.releaseHeartbeat();
    else this.reportHeartbeats(isListenedTo);
  }

  /** Lets engine.io handle a heartbeat that the worker has handled. */
  #show(isReceived) {
    const { conn, connection } = this;
    // Without members, it leaves the connection to engine.io.
    this.expand();
    if (isReceived && conn.protocol !== 3) {
      connection.handleMessage("3", false);
      return;
    }
    connection.sentHeartbeats++;
    try {
      if (isReceived) connection.handleMessage("2", false);
      else conn.sendPacket("ping");
    } finally {
      // It may have been dropped, by a socket that closes.
      if (conn.writeBuffer.length === 0) connection.sentHeartbeats = 0;
    }
  }

  #handleTimeout() {
    const { conn } = this;
    if (this.heartbeatOwner === BY_WORKER && conn.readyState !== "closed") {
      conn.onClose("ping timeout");
    }
  }

  /** Leaves the heartbeat to engine.io again. @protected */
  releaseHeartbeat() {
    this.leaveHeartbeat();
    this.#restartTimers();
  }

  /** Leaves the heartbeat to engine.io, which starts its timers itself. */
  leaveHeartbeat() {
    this.heartbeatOwner = BY_ENGINE;
    this.isHeartbeatReported = false;
    this.connection.sentHeartbeats = 0;
    this.connection.command("releaseHeartbeat");
  }

  #restartTimers() {
    const { conn } = this;
    if (conn.readyState === "closed" || conn.readyState === "opening") return;
    if (conn.protocol === 3) conn.resetPingTimeout();
    else conn.schedulePing();
  }

  /** True if listeners could see heartbeats. */
  get #isListenedTo() {
    const { conn } = this;
    return (
      isHeartbeatObserved(conn) ||
      isServerObserved(conn.server) ||
      (this.lean === null && isTransportObserved(conn.transport))
    );
  }

  /** True if methods on the way of heartbeats have been replaced. */
  get #isInstrumented() {
    const { conn } = this;
    return (
      !this.isInPlace ||
      !heartbeatMethods.areUntouched ||
      OF_SOCKET.some((name) => Object.hasOwn(conn, name)) ||
      this.#isTransportInstrumented
    );
  }

  get #isTransportInstrumented() {
    // No program has seen it.
    if (this.lean !== null) return false;
    const { conn, connection } = this;
    const { websocket } = connection;
    // A session that polls has none.
    const objects = websocket === null ? [conn.transport] : [conn.transport, websocket];
    return objects.some((object) => OF_TRANSPORT.some((name) => Object.hasOwn(object, name)));
  }
}

/**
 * Returns where the timers of an Engine.IO socket are.
 *
 * @param {import("engine.io").Socket} conn
 * @param {number | undefined} maxLoopLag in milliseconds; by default, the time after which the client
 *   gives up
 * @returns {object | null} as `NativeHeartbeatStart` in binding.d.ts; `null` if the timers are not
 *   Node's own, or an application has stopped them
 */
function heartbeatStart(conn, maxLoopLag) {
  const { pingIntervalTimer, pingTimeoutTimer, hasRefreshedPingTimeout, protocol } = conn;
  const { opts } = conn.server;
  const isVersion3 = protocol === 3;
  const timers = [pingIntervalTimer, pingTimeoutTimer].filter((timer) => timer !== null);
  if (!timers.every(isKnown) || (pingIntervalTimer === null && !isVersion3)) return null;
  const { _idleStart: now } = stoppedTimer();
  const pingInterval = isVersion3 ? delayOf(opts.pingInterval) : pingIntervalTimer._idleTimeout;
  const pingTimeout = delayOf(opts.pingTimeout);
  return {
    pingInterval,
    pingTimeout,
    maxLoopLag: maxLoopLag ?? pingInterval + pingTimeout,
    pingIn: remainingOf(pingIntervalTimer, now),
    deadlineIn: remainingOf(pingTimeoutTimer, now),
    hasExtendedDeadline: hasRefreshedPingTimeout,
  };
}

/** Returns whether engine.io judges peers as the workers do; before 6.6.7, any packet moved the deadline. */
function hasOurRules({ hasRefreshedPingTimeout }) {
  return typeof hasRefreshedPingTimeout === "boolean";
}

/** Returns whether this is a timer of Node.js that an application has not cleared. */
function isKnown(timer) {
  const isOfNode = timer?.constructor === Timeout && typeof timer._idleStart === "number";
  return isOfNode && timer._idleTimeout !== CLEARED;
}

/** Returns the milliseconds until a timer runs out; `undefined` if it has, or if there is none. */
function remainingOf(timer, now) {
  if (timer === null || timer._destroyed) return undefined;
  return Math.max(timer._idleStart + timer._idleTimeout - now, 0);
}

/** Returns the delay that Node.js makes of an argument of `setTimeout()`. */
function delayOf(value) {
  const delay = Number(value);
  return delay >= 1 && delay <= MAX_DELAY ? delay : 1;
}

/** Returns a timer that has been started in this turn and is stopped. */
function stoppedTimer() {
  const timer = setTimeout(() => {}, MAX_DELAY);
  clearTimeout(timer);
  return timer;
}

/** Set while the worker reports heartbeats at once. On the prototype until it is set. @private */
HeartbeatSocket.prototype.isHeartbeatReported = false;

module.exports = { HeartbeatSocket };
