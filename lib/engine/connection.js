"use strict";

const { AsyncResource } = require("node:async_hooks");
const { constants } = require("node:os");
const { nextTick } = require("node:process");
const { setImmediate } = require("node:timers");
const { isArrayBuffer } = require("node:util/types");
const { Delivery } = require("../addon/codes.js");
const { ConnectionEndedError } = require("../errors.js");
const { HeldEvents } = require("./held-events.js");

/** RFC 6455 §5.2, "Opcode". */
const CONTINUATION = 0x0;
const TEXT = 0x1;
const BINARY = 0x2;
const CLOSE = 0x8;
const PING = 0x9;
const PONG = 0xa;

/** RFC 6455 §7.4.1: an unexpected condition prevents the server from going on. */
const INTERNAL_ERROR = 1011;

/** What `send()` does unless its options say otherwise. */
const WHOLE_TEXT = { binary: false, fin: true };
const WHOLE_BINARY = { binary: true, fin: true };

/** RFC 6455 §5.2: a header that is not masked has two bytes at least. */
const MIN_HEADER = 2;

const {
  Sure: SURE,
  Reported: REPORTED,
  Volatile: VOLATILE,
  VolatileContinued: VOLATILE_CONTINUED,
} = Delivery;

const EMPTY = Buffer.alloc(0);

/** Bytes read and written, milliseconds without any, no descriptor. */
const NO_TRAFFIC = [0, 0, 0, -1];

/**
 * A connection that a worker owns. Takes the place of ws's Sender and has its methods;
 * the events of the connection go on to its WebSocket.
 */
class Connection {
  /** @param {import("./websocket.js").WebSocket} websocket */
  constructor(websocket) {
    this.websocket = websocket;
    this.workers = null;
    this.id = -1;
    this.isTerminated = false;
    /** How it ended, once it has; then its id may be another connection's. */
    this.endError = null;
    this.isFirstFragment = true;
    /** Bytes that have been sent since the last frame of which a report was asked for. */
    this.unreported = 0;
    /**
     * Of frames whose report is awaited, in turns: bytes up to the frame since the one
     * before, and the callback.
     */
    this.awaited = null;
    /**
     * The bytes of those frames; what `bufferedAmount` shows. Named as in ws, whose `send()`
     * after the end adds to it.
     */
    this._bufferedBytes = 0;
    /** Bytes that wait, if they are many: as the worker has said last. */
    this.backlog = 0;
    /** The Engine.IO socket's route, if there is one; see `adapter/packet-route.js`. */
    this.route = null;
    /** The asynchronous context of its events; there once the socket has left Node.js. */
    this.context = null;
    /** Events that have come before that. */
    this.kept = null;
    /** What waits because a Blob before it is being read. */
    this.queued = null;
    this.highWaterMark = websocket._settings.highWaterMark;
    /** That of its socket, see `connection-handle.js`. */
    this.handle = null;
    /** While it is paused: what the worker had reported before it stopped reading. */
    this.held = null;
  }

  /** As ws's Sender has it. */
  get _socket() {
    return this.websocket._socket;
  }

  /**
   * @param {import("./workers.js").Workers} workers
   * @param {object} handle of a connected TCP socket
   * @param {Buffer} input what has been read of it
   * @param {{ connection: object, ioThreads: number }} settings the server's
   * @throws {Error} when descriptors or threads have run out
   */
  open(workers, handle, input, settings) {
    this.id = workers.open(this, handle, input, settings.connection, settings.ioThreads);
    this.workers = workers;
  }

  /**
   * To be called in the context of the socket's handle, which is that of its events: the one
   * in which Node.js would have called for them.
   */
  handleDetached() {
    this.context = new AsyncResource("socket.io-turbo");
    if (this.kept !== null) this.deliverKept();
  }

  /** Calls `handle` where the events of this connection are handled. */
  runInContext(handle) {
    if (this.context === null) handle();
    else this.context.runInAsyncScope(handle);
  }

  /** Returns whether events can be handled as they come. */
  get isReady() {
    return this.context !== null && this.kept === null;
  }

  /** @param {() => void} event to be handled once the connection is ready */
  keep(event) {
    this.kept ??= [];
    this.kept.push(event);
  }

  deliverKept() {
    setImmediate(() => {
      try {
        while (this.kept.length > 0) this.runInContext(this.kept.shift());
      } finally {
        if (this.kept.length > 0) this.deliverKept();
        else this.kept = null;
      }
    });
  }

  /**
   * As `send()` of ws; `mask` and `compress` have no effect.
   *
   * @param {unknown} data
   * @param {{ binary?: boolean, fin?: boolean } | null | undefined} options
   * @param {(error?: Error) => void} [callback] called at the end of the turn if at most
   *   `highWaterMark` bytes wait for the network, else when the kernel has these
   */
  send(data, options, callback) {
    const defaults = typeof data === "string" ? WHOLE_TEXT : WHOLE_BINARY;
    const { binary, fin } = options ? { ...defaults, ...options } : defaults;
    const opcode = this.isFirstFragment ? (binary ? BINARY : TEXT) : CONTINUATION;
    this.isFirstFragment = Boolean(fin);
    this.post(data || EMPTY, opcode, Boolean(fin), callback);
  }

  ping(data, _mask, callback) {
    this.post(controlPayload(data), PING, true, callback);
  }

  pong(data, _mask, callback) {
    this.post(controlPayload(data), PONG, true, callback);
  }

  /** @param {Buffer} payload RFC 6455 §5.5.1: nothing, or code and reason */
  close(payload) {
    this.post(payload, CLOSE, true, undefined);
  }

  /**
   * Sends a frame made by `Sender.frame()` of ws, as engine.io does. Connections to which
   * one turn sends the same list share its bytes.
   *
   * @param {Buffer[]} list header and payload, or both in one
   * @param {(error?: Error) => void} [callback]
   */
  sendFrame(list, callback) {
    if (this.endError !== null) {
      this.refuse(callback);
    } else if (this.queued !== null) {
      this.queued.push(() => this.sendFrame(list, callback));
    } else {
      const isReported = this.needsReport(list[0].length + (list[1]?.length ?? 0));
      const length = this.workers.sendShared(this.id, list, isReported);
      this.handlePosted(length, isReported, callback);
    }
  }

  /** Whether packets can be sent now: it is open, and no Blob before them is being read. */
  canSend() {
    return this.endError === null && this.queued === null && this.websocket.isOpen;
  }

  /**
   * Sends a message packet of Engine.IO, without a callback.
   *
   * @param {string | ArrayBuffer | ArrayBufferView} data
   * @param {boolean} isVersion3 whether the peer speaks Engine.IO v3
   */
  sendPacket(data, isVersion3) {
    const payload = typeof data === "string" ? data : toBuffer(data);
    const isReported = this.needsReport(payload.length + MIN_HEADER);
    const delivery = isReported ? REPORTED : SURE;
    this.workers.beginTurn();
    const length = this.workers.native.sendPacket(this.id, payload, isVersion3, delivery);
    this.handlePosted(length, isReported, undefined);
  }

  /** Sends a text message, without a callback. */
  sendText(text) {
    this.post(text, TEXT, true, undefined);
  }

  /**
   * As `sendPacket()`, unless something waits in front of the network, or something was sent in
   * the same turn.
   *
   * @param {boolean} isContinued whether it belongs to the volatile packet before
   */
  sendVolatilePacket(data, isVersion3, isContinued) {
    const payload = typeof data === "string" ? data : toBuffer(data);
    const delivery = isContinued ? VOLATILE_CONTINUED : VOLATILE;
    this.workers.beginTurn();
    this.workers.native.sendPacket(this.id, payload, isVersion3, delivery);
    this.workers.scheduleFlush();
  }

  /** Ends our side after what has been sent, without a close frame. */
  end() {
    if (this.endError !== null) return;
    this.workers.native.end(this.id);
    this.workers.scheduleFlush();
  }

  /** @param {boolean} [isReset] whether the peer sees a reset; what waits is lost then */
  terminate(isReset = false) {
    if (this.endError !== null) return;
    this.isTerminated = true;
    this.command(isReset ? "reset" : "terminate");
  }

  /**
   * Calls a method of the addon that concerns this connection; its workers do it with the other
   * commands of this turn.
   *
   * @returns {number} 0; `ENOTCONN` as a negative number, if the connection is over
   */
  command(name, ...values) {
    if (this.endError !== null) return -constants.errno.ENOTCONN;
    this.workers.native[name](this.id, ...values);
    this.workers.scheduleFlush();
    return 0;
  }

  /** Has the worker stop reading, or go on. What it has read by then is held back here. */
  pause(isPaused) {
    if (!isPaused) {
      this.held?.resume();
    } else if (this.held !== null) {
      this.held.pause();
    } else if (this.endError === null) {
      this.held = new HeldEvents(this);
      this.command("pause", true);
    }
  }

  /** Called when the events that were held back have been delivered. */
  handleResumed() {
    this.held = null;
    this.command("pause", false);
  }

  /** Sets whether the process stays alive for this connection. */
  setReferenced(isReferenced) {
    this.workers.setReferenced(isReferenced);
  }

  /** @returns {number[]} as `traffic()` in binding.d.ts; without workers, at exit, of no traffic */
  traffic() {
    return this.workers.native.traffic(this.id) ?? NO_TRAFFIC;
  }

  post(data, opcode, isFin, callback) {
    if (this.endError !== null) {
      this.refuse(callback);
    } else if (this.queued !== null) {
      this.queued.push(() => this.post(data, opcode, isFin, callback));
    } else if (data instanceof Blob) {
      this.postBlob(data, opcode, isFin, callback);
    } else {
      const payload = typeof data === "string" ? data : toBuffer(data);
      const isReported = this.needsReport(payload.length + MIN_HEADER);
      this.workers.beginTurn();
      const length = this.workers.native.send(this.id, payload, opcode, isFin, isReported);
      if (opcode === CLOSE) this.workers.scheduleFlush();
      else this.handlePosted(length, isReported, callback);
    }
  }

  /** Order is kept: what is sent meanwhile waits for the Blob's content. */
  postBlob(blob, opcode, isFin, callback) {
    this.queued = [];
    this._bufferedBytes += blob.size;
    const goOn = (post) => {
      const { queued } = this;
      this.queued = null;
      this._bufferedBytes -= blob.size;
      post();
      for (const next of queued) next();
    };
    blob.arrayBuffer().then(
      (content) => goOn(() => this.post(Buffer.from(content), opcode, isFin, callback)),
      (error) => goOn(() => this.handleBlobError(error, callback)),
    );
  }

  handleBlobError(error, callback) {
    callback?.(error);
    if (this.endError === null) this.websocket.handleFailure(error, INTERNAL_ERROR);
  }

  /** The connection is over, so that nothing can be sent. */
  refuse(callback) {
    if (callback) nextTick(callback, this.endError);
  }

  /**
   * Whether to have the worker report that a frame is written. From half of the high-water
   * mark on, so that the report is there before the mark is reached, unless the client is slow.
   *
   * @param {number} length in bytes; at least, for text
   */
  needsReport(length) {
    const waiting = this._bufferedBytes + this.unreported + length;
    return this.backlog > 0 || 2 * waiting > this.highWaterMark;
  }

  /** Returns whether so much waits for the network that callbacks wait, too. */
  get isBehind() {
    return this.backlog > 0 || this._bufferedBytes + this.unreported > this.highWaterMark;
  }

  /** How many frames are reported once they are written. */
  get awaitedFrames() {
    return this.awaited === null ? 0 : this.awaited.length / 2;
  }

  handlePosted(length, isReported, callback) {
    this.unreported += length;
    if (isReported) this.awaitReport(callback);
    else if (callback) nextTick(callback, null);
    this.workers.scheduleFlush();
  }

  awaitReport(callback) {
    const isWaiting = callback && this.isBehind;
    if (callback && !isWaiting) nextTick(callback, null);
    this.awaited ??= [];
    // It runs in the context of its sender, as in Node.js.
    this.awaited.push(this.unreported, isWaiting ? AsyncResource.bind(callback) : undefined);
    this._bufferedBytes += this.unreported;
    this.unreported = 0;
  }

  handleMessage(message, isBinary) {
    if (this.held?.hold("handleMessage", message, isBinary)) return;
    if (!this.isTerminated) this.websocket.handleMessage(message, isBinary);
  }

  handlePing(payload) {
    if (this.held?.hold("handlePing", payload)) return;
    if (!this.isTerminated) this.websocket.emit("ping", payload);
  }

  handlePong(payload) {
    if (this.held?.hold("handlePong", payload)) return;
    if (!this.isTerminated) this.websocket.emit("pong", payload);
  }

  handleClose(code, reason) {
    if (this.held?.hold("handleClose", code, reason)) return;
    if (!this.isTerminated) this.websocket.handleClose(code, reason);
  }

  handleFailure(message, code, closeCode) {
    if (this.isTerminated || this.held?.hold("handleFailure", message, code, closeCode)) return;
    const error = code === "WS_ERR_INVALID_UTF8" ? new Error(message) : new RangeError(message);
    error.code = code;
    this.websocket.handleFailure(error, closeCode);
  }

  /** What was sent up to now still goes out. */
  handlePeerEnd() {
    if (this.held?.hold("handlePeerEnd")) return;
    // In a turn of its own, as in Node.js: what answers the last message goes before.
    setImmediate(() => {
      if (this.endError === null) this.websocket.handlePeerEnd();
    });
  }

  /** Passes on bytes of the peer, frames and all; see `DetachedSocket`. */
  handleRaw(bytes) {
    if (!this.held?.hold("handleRaw", bytes)) this.websocket.handleRaw(bytes);
  }

  /** The first `count` of the frames that are awaited have been written. */
  handleSent(count) {
    const isAll = this.awaited.length === 2 * count;
    const sent = isAll ? this.awaited : this.awaited.splice(0, 2 * count);
    if (isAll) this.awaited = null;
    try {
      this.settle(sent, null);
    } finally {
      this.route?.handleSent(count);
    }
  }

  /** So many bytes wait now; none, if few had to be told of. */
  handleBacklog(bytes) {
    this.backlog = bytes;
    try {
      this.route?.handleBacklog(bytes);
    } finally {
      if (bytes === 0) this._socket.emit("drain");
    }
  }

  /** To be called before the id of the connection may be another's. */
  handleRelease() {
    this.handle.release();
  }

  /**
   * The connection is over. As with ws, those who wait for something to be sent hear of it
   * before the `close` event.
   *
   * @param {string} reason one of `END_REASONS` in addon/codes.js
   * @param {string} systemError such as "ECONNRESET"; empty if there was none
   */
  handleEnd(reason, systemError) {
    // First, as what listeners send must not go to the next connection of this id.
    this.endError = new ConnectionEndedError(reason, systemError);
    this.websocket.handleClosing();
    const { awaited, held } = this;
    this.awaited = null;
    try {
      if (!this.isTerminated) held?.flush();
    } finally {
      this.held = null;
      this.isTerminated = true;
      try {
        if (awaited !== null) this.settle(awaited, this.endError);
      } finally {
        this.websocket.handleEnd(reason, systemError);
      }
    }
  }

  /** @param {Array<unknown>} awaited bytes and callbacks, in turns */
  settle(awaited, error) {
    const callbacks = [];
    for (let index = 0; index < awaited.length; index += 2) {
      this._bufferedBytes -= awaited[index];
      if (awaited[index + 1]) callbacks.push(awaited[index + 1]);
    }
    callAll(callbacks, error);
  }
}

/** Calls all; where one throws, the others are called in the next tick. */
function callAll(callbacks, error) {
  let next = 0;
  try {
    while (next < callbacks.length) callbacks[next++](error);
  } finally {
    if (next < callbacks.length) nextTick(callAll, callbacks.slice(next), error);
  }
}

/** RFC 6455 §5.5: a control frame carries at most 125 bytes. The text is that of ws. */
function controlPayload(data) {
  const payload = typeof data === "string" ? Buffer.from(data) : toBuffer(data);
  if (payload.length > 125) {
    throw new RangeError("The data size must not be greater than 125 bytes");
  }
  return payload;
}

/** What ws sends for `data`, which is no string. */
function toBuffer(data) {
  if (data instanceof Uint8Array) return data;
  if (isArrayBuffer(data)) return Buffer.from(data);
  if (ArrayBuffer.isView(data)) return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return Buffer.from(data);
}

module.exports = { Connection, toBuffer };
