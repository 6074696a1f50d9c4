"use strict";

const { AsyncResource } = require("node:async_hooks");
const { nextTick } = require("node:process");
const { ws } = require("../ws-package.js");
const { Delivery } = require("../addon/codes.js");
const { controlPayload, toBuffer } = require("./payload.js");
const { handleFailure } = require("./websocket-events.js");

const { OPEN } = ws.WebSocket;

/** RFC 6455 §5.2, "Opcode". */
const CONTINUATION = 0x0;
const TEXT = 0x1;
const BINARY = 0x2;
const CLOSE = 0x8;
const PING = 0x9;
const PONG = 0xa;

/** RFC 6455 §7.4.1: an unexpected condition prevents the server from going on. */
const INTERNAL_ERROR = 1011;

/** The options of `send()`, by default. */
const WHOLE_TEXT = { binary: false, compress: true, fin: true };
const WHOLE_BINARY = { binary: true, compress: true, fin: true };

/** RFC 6455 §5.2: a header that is not masked has two bytes at least. */
const MIN_HEADER = 2;

const {
  Sure: SURE,
  Reported: REPORTED,
  Volatile: VOLATILE,
  VolatileContinued: VOLATILE_CONTINUED,
} = Delivery;

const EMPTY = Buffer.alloc(0);

/** Engine.IO v4, "Packet types": ping and pong. */
const HEARTBEATS = ["2", "3"];

/**
 * The sending half of a connection that a worker owns. Replaces ws's Sender and has its methods;
 * `sendPacket()`, `sendVolatilePacket()` and `sendText()` are for Engine.IO packets that bypass ws.
 *
 * Each frame is a command, which the worker gets at the end of the turn (see `Workers`). The frame's
 * callback is called then, too, while at most `highWaterMark` bytes wait for the network; beyond the mark
 * it is called when the worker has written the frame. The bytes that wait are known by reports: a frame
 * may be sent with a request for one, and `handleSent()` is called when it is written.
 *
 * The reports are about the frames of this class only. Broadcasts are part of `backlog`, which the
 * worker reports when much waits.
 *
 * Nothing is `#private`: programs reach the object as `ws._sender`, and methods called through a
 * `Proxy` of it would throw.
 */
class Sender {
  /** Bytes sent since the last frame with a report. @private */
  unreported = 0;
  /** @private */
  highWaterMark;

  /**
   * @param {import("./websocket.js").WebSocket} websocket
   * @param {number} highWaterMark in bytes
   */
  constructor(websocket, highWaterMark) {
    this.websocket = websocket;
    this.highWaterMark = highWaterMark;
    /** @type {import("./workers.js").Workers | null} */
    this.workers = null;
    /** The connection's id on the workers. */
    this.id = -1;
    /** The route of the Engine.IO socket, if it has one; see `adapter/packet-route.js`. */
    this.route = null;
  }

  /** As in ws's Sender. */
  get _socket() {
    return this.websocket._socket;
  }

  /**
   * As `send()` of ws; `mask` has no effect, and fragments are not compressed.
   *
   * @param {unknown} data
   * @param {{ binary?: boolean, compress?: boolean, fin?: boolean } | null | undefined} options
   * @param {(error?: Error) => void} [callback] called at the end of the turn if at most
   *   `highWaterMark` bytes wait for the network, else when the kernel has these
   */
  send(data, options, callback) {
    if (this.sentHeartbeats > 0 && HEARTBEATS.includes(data)) {
      this.sentHeartbeats--;
      this.compressions?.shift();
      this.handlePosted(0, false, callback);
      return;
    }
    const defaults = typeof data === "string" ? WHOLE_TEXT : WHOLE_BINARY;
    const { binary, compress, fin } = options ? { ...defaults, ...options } : defaults;
    const opcode = this.isFirstFragment ? (binary ? BINARY : TEXT) : CONTINUATION;
    this.isFirstFragment = Boolean(fin);
    const isCompressible = this.compressions?.shift() !== false && Boolean(compress);
    this.post(data || EMPTY, opcode, Boolean(fin), callback, isCompressible);
  }

  ping(data, _mask, callback) {
    this.post(controlPayload(data), PING, true, callback, false);
  }

  pong(data, _mask, callback) {
    this.post(controlPayload(data), PONG, true, callback, false);
  }

  /** @param {Buffer} payload RFC 6455 §5.5.1: nothing, or code and reason */
  close(payload) {
    this.post(payload, CLOSE, true, undefined, false);
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

  /** Returns whether packets can be sent now: it is open, and no Blob before them is being read. */
  canSend() {
    const isFree = this.queued === null && this.sentHeartbeats === 0;
    return this.endError === null && isFree && this.isOpen;
  }

  /** True until a close frame is sent or received, or the connection ends. @protected */
  get isOpen() {
    return this.websocket._readyState === OPEN;
  }

  /**
   * Sends a message packet of Engine.IO, without a callback.
   *
   * @param {string | ArrayBuffer | ArrayBufferView} data
   * @param {boolean} isVersion3 true if the peer speaks Engine.IO v3
   * @param {boolean} isCompressible true to compress it, where that is negotiated
   */
  sendPacket(data, isVersion3, isCompressible) {
    const payload = typeof data === "string" ? data : toBuffer(data);
    const isReported = this.needsReport(payload.length + MIN_HEADER);
    const delivery = isReported ? REPORTED : SURE;
    const length = this.workers.sendPacket(this.id, payload, isVersion3, delivery, isCompressible);
    this.handlePosted(length, isReported, undefined);
  }

  /** Sends a text message, without a callback. */
  sendText(text) {
    this.post(text, TEXT, true, undefined, true);
  }

  /**
   * As `sendPacket()`. The worker drops the packet if something waits for the network, or was sent
   * in the same turn.
   *
   * @param {boolean} isContinued true if it is an attachment of the volatile packet before
   * @param {boolean} isCompressible
   */
  sendVolatilePacket(data, isVersion3, isContinued, isCompressible) {
    const payload = typeof data === "string" ? data : toBuffer(data);
    const delivery = isContinued ? VOLATILE_CONTINUED : VOLATILE;
    this.workers.beginTurn();
    this.workers.native.sendPacket(this.id, payload, isVersion3, delivery, isCompressible);
    this.workers.scheduleFlush();
  }

  /** Bytes that have been given to `send()` and not to the network. */
  get bufferedAmount() {
    return Math.max(this._bufferedBytes, this.backlog);
  }

  /** Returns whether so much waits for the network that callbacks wait, too. */
  get isBehind() {
    return this.backlog > 0 || this._bufferedBytes + this.unreported > this.highWaterMark;
  }

  /** The number of frames whose report is awaited. */
  get awaitedFrames() {
    return this.awaited === null ? 0 : this.awaited.length / 2;
  }

  /** Handles a report: the first `count` of the awaited frames are written. */
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

  /**
   * Handles a report about how much waits for the network.
   *
   * @param {number} bytes 0 when they are few again
   */
  handleBacklog(bytes) {
    this.backlog = bytes;
    try {
      this.route?.handleBacklog(bytes);
    } finally {
      if (bytes === 0) this.handleDrained();
    }
  }

  /** Nothing waits for the network any more. @protected */
  handleDrained() {
    this._socket.emit("drain");
  }

  /**
   * Returns the awaited frames, for `settle()`: no more reports follow.
   *
   * @private for `Connection`
   */
  takeAwaited() {
    const awaited = this.awaited;
    this.awaited = null;
    return awaited;
  }

  /**
   * Calls the callbacks of frames.
   *
   * @private for `Connection`
   * @param {Array<unknown>} awaited two elements for each frame, as in `awaited`
   * @param {Error | null} error
   */
  settle(awaited, error) {
    const callbacks = [];
    for (let index = 0; index < awaited.length; index += 2) {
      this._bufferedBytes -= awaited[index];
      if (awaited[index + 1]) callbacks.push(awaited[index + 1]);
    }
    callAll(callbacks, error);
  }

  /** @private */
  post(data, opcode, isFin, callback, isCompressible) {
    if (this.endError !== null) {
      this.refuse(callback);
    } else if (this.queued !== null) {
      this.queued.push(() => this.post(data, opcode, isFin, callback, isCompressible));
    } else if (data instanceof Blob) {
      this.postBlob(data, opcode, isFin, callback, isCompressible);
    } else {
      const payload = typeof data === "string" ? data : toBuffer(data);
      const isReported = this.needsReport(payload.length + MIN_HEADER);
      this.workers.beginTurn();
      const { native } = this.workers;
      const length = native.send(this.id, payload, opcode, isFin, isReported, isCompressible);
      if (opcode === CLOSE) this.workers.scheduleFlush();
      else this.handlePosted(length, isReported, callback);
    }
  }

  /** Reads a Blob first; frames that follow are queued until then, so that order is kept. @private */
  postBlob(blob, opcode, isFin, callback, isCompressible) {
    this.queued = [];
    this._bufferedBytes += blob.size;
    const goOn = (post) => {
      const queued = this.queued;
      this.queued = null;
      this._bufferedBytes -= blob.size;
      post();
      for (const next of queued) next();
    };
    const postContent = (content) =>
      this.post(Buffer.from(content), opcode, isFin, callback, isCompressible);
    blob.arrayBuffer().then(
      (content) => goOn(() => postContent(content)),
      (error) => goOn(() => this.handleBlobError(error, callback)),
    );
  }

  /** @private */
  handleBlobError(error, callback) {
    callback?.(error);
    if (this.endError === null) handleFailure(this.websocket, error, INTERNAL_ERROR);
  }

  /** Reports to a callback that the connection is over. @private */
  refuse(callback) {
    if (callback) nextTick(callback, this.endError);
  }

  /**
   * Returns whether to request a report on a frame: from half of the high-water mark on, so that the
   * report arrives before the mark is reached, unless the client is slow.
   *
   * @private
   * @param {number} length of the frame in bytes; for text, a lower bound
   */
  needsReport(length) {
    const waiting = this._bufferedBytes + this.unreported + length;
    return this.backlog > 0 || 2 * waiting > this.highWaterMark;
  }

  /** @private */
  handlePosted(length, isReported, callback) {
    this.unreported += length;
    if (isReported) this.awaitReport(callback);
    else if (callback) nextTick(callback, null);
    this.workers.scheduleFlush();
  }

  /** @private */
  awaitReport(callback) {
    const isWaiting = callback && this.isBehind;
    if (callback && !isWaiting) nextTick(callback, null);
    this.awaited ??= [];
    // The callback runs in the context of its sender, as in Node.js.
    this.awaited.push(this.unreported, isWaiting ? AsyncResource.bind(callback) : undefined);
    this._bufferedBytes += this.unreported;
    this.unreported = 0;
  }
}

/** On the prototype until they are set: a connection that is idle has none of them, which saves 64 bytes. */
Object.assign(Sender.prototype, {
  /** While a Blob is being read: calls that send the frames behind it. @private */
  queued: null,
  /** @private */
  isFirstFragment: true,
  /**
   * The frames whose report is awaited, two elements each: the bytes since the frame before, up to and
   * including this one; and the callback.
   *
   * @private
   */
  awaited: null,
  /** Set when the connection is over: the error of later sends. The id may be reused from then on. */
  endError: null,
  /**
   * The bytes of the frames whose report is awaited, for `bufferedAmount`. Named as in ws, whose
   * `send()` adds to it after the end.
   */
  _bufferedBytes: 0,
  /** Bytes that wait for the network, as the worker last reported; 0 if they are few. */
  backlog: 0,
  /**
   * One for each message that engine.io is about to send: true to compress it. engine.io does not pass
   * that on. `null` if all may be compressed.
   *
   * @type {boolean[] | null}
   */
  compressions: null,
  /** Heartbeats that engine.io is about to send although the worker has sent them. */
  sentHeartbeats: 0,
});

/** Calls all callbacks. If one throws, the others are called in the next tick. */
function callAll(callbacks, error) {
  let next = 0;
  try {
    while (next < callbacks.length) callbacks[next++](error);
  } finally {
    if (next < callbacks.length) nextTick(callAll, callbacks.slice(next), error);
  }
}

module.exports = { Sender };
