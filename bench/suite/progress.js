"use strict";

const { clearLine, cursorTo } = require("node:readline");

/** Says on standard error what is being measured and how long the rest will take. */
class Progress {
  #stream;
  #remaining;
  #expected = 0;
  #spent = 0;
  #started;
  #planned = 0;

  /**
   * @param {number} seconds how long everything is expected to take
   * @param {import("node:tty").WriteStream} [stream]
   */
  constructor(seconds, stream = process.stderr) {
    this.#remaining = seconds;
    this.#stream = stream;
  }

  /**
   * The next step begins.
   *
   * @param {string} label
   * @param {number} seconds how long it is expected to take
   */
  begin(label, seconds) {
    this.#planned = seconds;
    this.#started = performance.now();
    this.#show(`${label} · ${minutes(this.left())} left`);
  }

  /** The step has ended. */
  end() {
    this.#spent += (performance.now() - this.#started) / 1e3;
    this.#expected += this.#planned;
    this.#remaining -= this.#planned;
    if (this.#stream.isTTY) this.#clear();
  }

  /** @returns {number} seconds, corrected by how long the steps so far took */
  left() {
    const pace = this.#expected === 0 ? 1 : this.#spent / this.#expected;
    return Math.max(0, this.#remaining * pace);
  }

  /** A line that overwrites the last, where that is possible. */
  #show(text) {
    if (!this.#stream.isTTY) return void this.#stream.write(`${text}\n`);
    this.#clear();
    this.#stream.write(text.slice(0, this.#stream.columns - 1));
  }

  #clear() {
    cursorTo(this.#stream, 0);
    clearLine(this.#stream, 0);
  }
}

function minutes(seconds) {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

module.exports = { Progress };
