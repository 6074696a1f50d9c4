"use strict";

/**
 * Broadcasts of a server of the race, in its process: numbered packets at a fixed rate,
 * each to all clients, for as long as it lives.
 *
 * A server that is too slow must be seen to be, and must not drown. So each broadcast has
 * its place in a timetable, and is left out, and counted, in two cases:
 *
 * - when the next one is due already, since the event loop was blocked past its time;
 * - when two others, {@link WINDOW}, are under way to some client. `receipts.rs` of bench/load
 *   knows what the slowest of all clients has received, and one of them tells it: `have`.
 *
 * So nothing piles up, neither in the server nor in the kernel; a server at its limit goes
 * on at the pace that it can hold, and what it lacks is the number left out. The due time
 * travels in the packet, and the load client measures from it, so that latency contains what
 * a broadcast waited for the event loop.
 *
 * While clients connect there are no broadcasts: the control server lets them wait, so that
 * both servers always have the same load, and no server is too busy to let clients in.
 *
 * @typedef {object} Timetable
 * @property {number} rate as in the race's Settings
 * @property {number} payload
 * @property {number} offset how much of the time between two broadcasts passes before the first,
 *   from 0 to 1; servers with different ones do not broadcast at the same moment, and so do not
 *   wait for each other where there are few cores
 */

const { filler } = require("../../bench/processes/broadcasting.js");
const { now } = require("../../bench/processes/clock.js");

/**
 * Broadcasts that may be under way to some client. With two, one is sent while another is
 * received; with four, a server at its limit delivers no more and takes twice as long (2,000
 * clients, 50 per second: 0.1 s became 0.2 s).
 */
const WINDOW = 2;

/** Characters of `2["race",,,""]`, which is a packet without its two numbers and its text. */
const FRAME = 14;

/** Broadcasts as it has been told last. It does not keep the process alive. */
class Broadcaster {
  #io;
  #rate;
  #payload;
  #filler;
  /** Start of the timetable, as {@link now}. */
  #start;
  /** Index of the next broadcast in the timetable. */
  #index;
  #timer;
  /** The number of the next broadcast. */
  #number = 0;
  /** Number of broadcasts that all clients have. */
  #arrived = 0;
  #sent = 0;
  #leftOut = 0;

  /** @param {import("socket.io").Server} io */
  constructor(io) {
    this.#io = io;
  }

  /**
   * Begins a timetable, the first as well as another one. Somebody has to be connected.
   *
   * @param {Timetable} timetable
   */
  set({ rate, payload, offset }) {
    this.#rate = rate;
    this.#payload = payload;
    this.#filler = filler(payload);
    this.#start = now() + Math.round((offset * 1e6) / rate);
    this.#index = 0;
    // Broadcasts that are under way may be addressed to clients that are gone.
    this.#arrived = this.#number;
    this.pause();
    this.#wake();
  }

  /** Ends the timetable, until {@link set} begins one. */
  pause() {
    clearTimeout(this.#timer);
  }

  /**
   * Takes what a client says.
   *
   * @param {unknown} number of the last broadcast that all clients have; what cannot be
   *   one is ignored
   */
  handleHave(number) {
    if (Number.isInteger(number) && number >= this.#arrived && number < this.#number) {
      this.#arrived = number + 1;
    }
  }

  /** @returns {{ sent: number, leftOut: number }} broadcasts since the last call */
  take() {
    const counted = { sent: this.#sent, leftOut: this.#leftOut };
    this.#sent = 0;
    this.#leftOut = 0;
    return counted;
  }

  #wake = () => {
    const next = Math.floor(((now() - this.#start) * this.#rate) / 1e6) + 1;
    if (next > this.#index) this.#handleDue(next - 1);
    // Sending may have taken until the next is due.
    const wait = Math.max(0, this.#due(this.#index) - now());
    this.#timer = setTimeout(this.#wake, Math.ceil(wait / 1e3));
    this.#timer.unref();
  };

  /** Sends what is due last, if it may, and leaves out those before it. */
  #handleDue(index) {
    this.#leftOut += index - this.#index;
    this.#index = index + 1;
    if (this.#number - this.#arrived < WINDOW) this.#send(this.#due(index));
    else this.#leftOut++;
  }

  #send(due) {
    const number = this.#number++;
    const length = this.#payload - FRAME - String(number).length - String(due).length;
    this.#io.emit("race", number, due, this.#filler.slice(0, length));
    this.#sent++;
  }

  /** Returns the due time of a broadcast, computed so that errors do not add up. */
  #due(index) {
    return this.#start + Math.round((index * 1e6) / this.#rate);
  }
}

module.exports = { Broadcaster };
