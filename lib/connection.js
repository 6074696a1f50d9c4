"use strict";

const { isArrayBuffer } = require("node:util/types");
const { ConnectionEndedError } = require("./errors.js");

/** RFC 6455 §5.2, "Opcode". */
const CONTINUATION = 0x0;
const TEXT = 0x1;
const BINARY = 0x2;
const CLOSE = 0x8;
const PING = 0x9;
const PONG = 0xa;

/** RFC 6455 §7.4.1: an unexpected condition prevents the server from going on. */
const INTERNAL_ERROR = 1011;

const EMPTY = Buffer.alloc(0);

/**
 * A connection that a worker owns. Takes the place of ws's Sender and has its methods;
 * the events of the connection go on to its WebSocket.
 */
class Connection {
  /** @param {import("./websocket.js").WebSocket} websocket */
  constructor(websocket) {
    this.websocket = websocket;
    this.engine = null;
    this.id = -1;
    this.isTerminated = false;
    this.isFirstFragment = true;
    /** Lengths in bytes and callbacks, in turns, of what the worker has not reported. */
    this.waiting = null;
    /** What waits because a Blob before it is being read. */
    this.queued = null;
    /** What `bufferedAmount` shows; named as in ws, whose `send()` after the end adds to it. */
    this._bufferedBytes = 0;
  }

  /**
   * @param {import("./engine.js").Engine} engine
   * @param {number} descriptor of a connected TCP socket
   * @param {Buffer} input what has been read of it
   * @param {{ connection: object, ioThreads: number }} settings the server's
   * @throws {Error} when descriptors or threads have run out
   */
  open(engine, descriptor, input, settings) {
    this.id = engine.open(this, descriptor, input, settings.connection, settings.ioThreads);
    this.engine = engine;
  }

  /**
   * As `send()` of ws; `mask` and `compress` have no effect.
   *
   * @param {unknown} data
   * @param {{ binary?: boolean, fin?: boolean } | null | undefined} options
   * @param {(error?: Error) => void} [callback] called when the kernel has the bytes
   */
  send(data, options, callback) {
    const isBinary = options?.binary ?? typeof data !== "string";
    const isFin = options?.fin ?? true;
    const opcode = this.isFirstFragment ? (isBinary ? BINARY : TEXT) : CONTINUATION;
    this.isFirstFragment = Boolean(isFin);
    this.post(data || EMPTY, opcode, Boolean(isFin), callback);
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
    if (this.queued !== null) {
      this.queued.push(() => this.sendFrame(list, callback));
    } else {
      this.await(this.engine.sendShared(this.id, list), callback);
    }
  }

  /** Ends our side after what has been sent, without a close frame. */
  end() {
    this.engine.native.end(this.id);
    this.engine.scheduleFlush();
  }

  terminate() {
    this.isTerminated = true;
    this.engine.native.terminate(this.id);
    this.engine.scheduleFlush();
  }

  pause(isPaused) {
    this.engine.native.pause(this.id, isPaused);
    this.engine.scheduleFlush();
  }

  post(data, opcode, isFin, callback) {
    if (this.queued !== null) {
      this.queued.push(() => this.post(data, opcode, isFin, callback));
    } else if (data instanceof Blob) {
      this.postBlob(data, opcode, isFin, callback);
    } else {
      const payload = typeof data === "string" ? data : toBuffer(data);
      const length = this.engine.native.send(this.id, payload, opcode, isFin);
      if (opcode === CLOSE) this.engine.scheduleFlush();
      else this.await(length, callback);
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
    this.websocket.handleFailure(error, INTERNAL_ERROR);
  }

  await(length, callback) {
    this._bufferedBytes += length;
    if (this.waiting === null) this.waiting = [length, callback];
    else this.waiting.push(length, callback);
    this.engine.scheduleFlush();
  }

  handleMessage(message, isBinary) {
    if (!this.isTerminated) this.websocket.handleMessage(message, isBinary);
  }

  handlePing(payload) {
    if (!this.isTerminated) this.websocket.emit("ping", payload);
  }

  handlePong(payload) {
    if (!this.isTerminated) this.websocket.emit("pong", payload);
  }

  handleClose(code, reason) {
    if (!this.isTerminated) this.websocket.handleClose(code, reason);
  }

  handleFailure(message, code, closeCode) {
    if (this.isTerminated) return;
    const error = code === "WS_ERR_INVALID_UTF8" ? new Error(message) : new RangeError(message);
    error.code = code;
    this.websocket.handleFailure(error, closeCode);
  }

  handlePeerEnd() {
    this.websocket.handlePeerEnd();
  }

  /** The first `count` of what waits have gone. */
  handleSent(count) {
    const isAll = this.waiting.length === 2 * count;
    const sent = isAll ? this.waiting : this.waiting.splice(0, 2 * count);
    if (isAll) this.waiting = null;
    this.settle(sent, undefined);
  }

  /**
   * The connection is over. As with ws, those who wait for something to be sent hear of it
   * before the `close` event.
   *
   * @param {string} reason one of `EndReason::NAMES` in src/net/event.rs
   * @param {string} systemError such as "ECONNRESET"; empty if there was none
   */
  handleEnd(reason, systemError) {
    const { waiting } = this;
    this.waiting = null;
    this.isTerminated = true;
    try {
      if (waiting !== null) this.settle(waiting, new ConnectionEndedError(reason, systemError));
    } finally {
      this.websocket.handleEnd();
    }
  }

  /** @param {Array<unknown>} waiting lengths and callbacks, in turns */
  settle(waiting, error) {
    let index = 0;
    try {
      while (index < waiting.length) {
        this._bufferedBytes -= waiting[index];
        const callback = waiting[index + 1];
        index += 2;
        if (callback !== undefined && callback !== null) callback(error);
      }
    } finally {
      // A callback has thrown; the others are called all the same.
      if (index < waiting.length) process.nextTick(() => this.settle(waiting.slice(index), error));
    }
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

module.exports = { Connection };
