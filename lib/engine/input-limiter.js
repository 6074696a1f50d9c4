"use strict";

const { performance } = require("node:perf_hooks");
const { stats } = require("../stats.js");

/** In milliseconds: the most that timers of Node.js accept. */
const MAX_DELAY = 2 ** 31 - 1;

/** In bytes: what an input that waits takes besides its data. An estimate, so that tiny ones count. */
const HELD_OVERHEAD = 64;

/** Socket.IO v5, "Packet encoding": type, attachments and namespace of an event, and what follows them. */
const EVENT_HEAD = /^(?:2|5(\d+)-)(?:\/[^,]*,)?([[\d])/;

/**
 * A unit of a client's input that counts.
 *
 * @typedef {object} Input
 * @property {unknown} item what is delivered
 * @property {number} bytes
 * @property {string | null} packet the text of a Socket.IO packet; null for all else
 * @property {boolean} isAttachment
 * @property {boolean} isHeartbeat heartbeats do not count, and overtake what waits
 */

/**
 * The end of a limiter towards its connection.
 *
 * @typedef {object} Sink
 * @property {(item: unknown) => void} deliver
 * @property {() => void} report called once for each window, when its limit is exceeded
 * @property {() => void} disconnect called once; nothing is delivered afterwards
 * @property {() => void} pause called when something begins to wait
 * @property {() => void} resume called when nothing waits any more
 */

/**
 * Limits in JavaScript what a client sends, as src/net/rate_limiter.rs does on I/O threads: in fixed
 * windows, each of which begins with the first input after the end of the last.
 *
 * With `pause`, input waits in order, and bytes beyond the limit of a window count in the next ones. What
 * waits is bounded: more than `maxHeld` bytes end the connection.
 */
class InputLimiter {
  #limit;
  #maxHeld;
  #sink;
  /** The beginning of the window, in milliseconds of `performance.now()`. */
  #start = -Infinity;
  #messages = 0;
  #bytes = 0;
  #isReported = false;
  /** Attachments of a dropped event that have not come yet. */
  #attachments = 0;
  /** The input that waits. The bytes of the first are counted already. @type {Input[]} */
  #held = [];
  #heldBytes = 0;
  /** When the first of them is due. */
  #until = 0;
  #timer = null;
  #isClosing = false;
  #isEnded = false;

  /**
   * @param {{ messages: number, bytes: number, per: number, action: string }} limit
   * @param {number} maxHeld
   * @param {Sink} sink
   */
  constructor(limit, maxHeld, sink) {
    this.#limit = limit;
    this.#maxHeld = maxHeld;
    this.#sink = sink;
  }

  get isHolding() {
    return this.#held.length > 0;
  }

  /** @param {Input} input */
  receive(input) {
    if (this.#isEnded) return;
    if (input.isHeartbeat) this.#sink.deliver(input.item);
    else if (this.isHolding) this.#hold(input);
    else {
      this.#advance(performance.now());
      this.#bytes += input.bytes;
      this.#handle(input);
    }
  }

  /** Lets nothing wait any more: the application closes the connection, so the peer's answer is due. */
  close() {
    const wasHolding = this.isHolding;
    this.#isClosing = true;
    this.#forget();
    if (wasHolding) this.#sink.resume();
  }

  /** Drops all input from now on, and what waits. */
  end() {
    this.#isEnded = true;
    this.#forget();
  }

  #forget() {
    clearTimeout(this.#timer);
    this.#held = [];
    this.#heldBytes = 0;
  }

  /** Begins another window if the last has ended. */
  #advance(now) {
    const { per, bytes, action } = this.#limit;
    const windows = Math.floor((now - this.#start) / per);
    if (windows < 1) return;
    this.#bytes = action === "pause" ? Math.max(this.#bytes - bytes * windows, 0) : 0;
    this.#messages = 0;
    this.#isReported = false;
    this.#start = this.#bytes === 0 ? now : this.#start + per * windows;
  }

  get #isOver() {
    return this.#messages >= this.#limit.messages || this.#bytes > this.#limit.bytes;
  }

  #handle(input) {
    const { action } = this.#limit;
    if (action === "drop") this.#deliverUnlessDropped(input);
    else if (!this.#isOver) this.#deliver(input);
    else if (this.#isClosing) return;
    else if (action === "pause") this.#pause(input);
    else {
      this.#report();
      this.#disconnect();
    }
  }

  #deliver(input) {
    this.#messages++;
    this.#sink.deliver(input.item);
  }

  /**
   * Drops events without ack id beyond the limit. Their attachments are dropped even if a window has begun in
   * between: without the event, they would be an error.
   */
  #deliverUnlessDropped(input) {
    const isOver = this.#isOver;
    if (input.isAttachment) {
      if (this.#attachments === 0) this.#deliver(input);
      else {
        this.#attachments--;
        this.#messages++;
      }
      return;
    }
    this.#attachments = 0;
    const attachments = isOver ? attachmentsOfDroppable(input.packet) : null;
    if (attachments === null) {
      this.#deliver(input);
      return;
    }
    this.#attachments = attachments;
    this.#messages++;
    stats.countRateLimitDropped();
    this.#report();
  }

  #report() {
    if (this.#isReported) return;
    this.#isReported = true;
    this.#sink.report();
  }

  #disconnect() {
    this.end();
    this.#sink.disconnect();
  }

  /** Begins to hold input: this one, and all that follows. Its bytes are counted. */
  #pause(input) {
    this.#held = [input];
    this.#heldBytes = costOf(input);
    this.#sink.pause();
    this.#waitForWindow();
    this.#report();
  }

  #hold(input) {
    this.#held.push(input);
    this.#heldBytes += costOf(input);
    if (this.#heldBytes > this.#maxHeld) this.#disconnect();
  }

  /** Waits until the excess is paid, which is the end of a window. */
  #waitForWindow() {
    stats.countRateLimitPause();
    const { per, bytes } = this.#limit;
    const windows = Math.max(Math.ceil(this.#bytes / bytes) - 1, 1);
    this.#until = this.#start + per * windows;
    this.#setTimer();
  }

  /** Not unref'd, as timers of engine.io are not: the connection keeps the process, too. */
  #setTimer() {
    const delay = Math.max(Math.ceil(this.#until - performance.now()), 1);
    this.#timer = setTimeout(() => this.#handleTimer(), Math.min(delay, MAX_DELAY));
  }

  #handleTimer() {
    const now = performance.now();
    if (now < this.#until) {
      this.#setTimer();
      return;
    }
    this.#advance(now);
    const delivered = this.#deliverHeld();
    // The application may have closed the connection meanwhile.
    if (!this.isHolding) return;
    this.#held.splice(0, delivered);
    if (this.isHolding) {
      this.#waitForWindow();
      this.#report();
    } else this.#sink.resume();
  }

  /** @returns {number} how many inputs have been delivered */
  #deliverHeld() {
    let index = 0;
    while (index < this.#held.length && !this.#isOver) {
      const input = this.#held[index++];
      this.#heldBytes -= costOf(input);
      this.#deliver(input);
      if (index < this.#held.length) this.#bytes += this.#held[index].bytes;
    }
    return index;
  }
}

function costOf({ bytes }) {
  return bytes + HELD_OVERHEAD;
}

/**
 * Returns the number of attachments of an event without ack id. Malformed packets are left to the decoder.
 *
 * @param {string | null} packet
 * @returns {number | null} null for all else
 */
function attachmentsOfDroppable(packet) {
  const head = packet === null ? null : EVENT_HEAD.exec(packet);
  if (head === null || head[2] !== "[") return null;
  const attachments = Number(head[1] ?? 0);
  return Number.isSafeInteger(attachments) ? attachments : null;
}

module.exports = { InputLimiter };
