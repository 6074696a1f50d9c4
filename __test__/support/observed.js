"use strict";

/** Waits for states. */

const assert = require("node:assert/strict");
const { setTimeout: delay } = require("node:timers/promises");

/** The longest wait of a test for a state, in milliseconds: a guard against hanging only. */
const HANG_GUARD = 20_000 * Number(process.env.TURBO_TEST_PATIENCE ?? 1);

/** Between two looks at a state that no event reports, in milliseconds. */
const POLLING_INTERVAL = 5;

/** A state that tests wait for. */
class Observed {
  #checks = new Set();

  /** To be called after each change of the state. */
  changed() {
    for (const check of this.#checks) check();
  }

  /**
   * Waits until a state is reached.
   *
   * @param {() => boolean} isReached
   * @param {string} what the state, for the error
   * @returns {Promise<void>} rejected, with the state that there is, after `HANG_GUARD`
   */
  until(isReached, what) {
    if (isReached()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const settle = (done) => {
        clearTimeout(guard);
        this.#checks.delete(check);
        done();
      };
      const check = () => isReached() && settle(resolve);
      const guard = setTimeout(() => {
        settle(() => reject(new Error(`${what} did not come; ${this.describe()}`)));
      }, HANG_GUARD);
      this.#checks.add(check);
    });
  }

  /** @returns {string} the state, for errors */
  describe() {
    return "";
  }
}

/**
 * Waits for a state that no event reports, as of the kernel or of a worker.
 *
 * @param {() => boolean | Promise<boolean>} isReached
 * @returns {Promise<void>} rejected if the state is not reached within `HANG_GUARD`
 */
async function polled(isReached) {
  const deadline = Date.now() + HANG_GUARD;
  while (!(await isReached())) {
    assert.ok(Date.now() < deadline, `${isReached} is not reached`);
    await delay(POLLING_INTERVAL);
  }
}

module.exports = { HANG_GUARD, Observed, polled };
