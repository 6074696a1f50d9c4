"use strict";

/**
 * A clock in the place of Node's timers, for code that calls `require("timers").setTimeout()`. The
 * mock timers of `node:test` have no `refresh()` under Node.js 20.
 */

const timers = require("node:timers");

/** A timer of a {@link FakeClock}, with the methods of Node's `Timeout`. */
class FakeTimer {
  constructor(clock, callback, delay, isRepeated) {
    Object.assign(this, { clock, callback, delay, isRepeated });
    this.refresh();
  }

  refresh() {
    this.clock.pending.delete(this);
    this.due = this.clock.now + this.delay;
    this.clock.pending.add(this);
    return this;
  }
}

/** Time in milliseconds since it was made, which passes by {@link FakeClock#advance} alone. */
class FakeClock {
  now = 0;
  /** @type {Set<FakeTimer>} */
  pending = new Set();

  /**
   * Replaces Node's timers until the test has ended.
   *
   * @param {import("node:test").TestContext} t
   */
  install(t) {
    const clear = (timer) => this.pending.delete(timer);
    const set = (isRepeated) => (callback, delay) =>
      new FakeTimer(this, callback, delay, isRepeated);
    const fakes = [
      ["setTimeout", set(false)],
      ["setInterval", set(true)],
      ["clearTimeout", clear],
      ["clearInterval", clear],
    ];
    for (const [name, fake] of fakes) {
      t.mock.method(timers, name, fake);
      t.mock.method(globalThis, name, fake);
    }
  }

  /** Lets time pass, and calls what is due meanwhile in its order. */
  advance(milliseconds) {
    const end = this.now + milliseconds;
    for (;;) {
      const [next] = [...this.pending].sort((a, b) => a.due - b.due);
      if (next === undefined || next.due > end) break;
      this.now = next.due;
      this.pending.delete(next);
      if (next.isRepeated) next.refresh();
      next.callback();
    }
    this.now = end;
  }
}

module.exports = { FakeClock };
