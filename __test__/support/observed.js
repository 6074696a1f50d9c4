"use strict";

/** How long a test waits for a state, in milliseconds. A guard against hanging only. */
const HANG_GUARD = 20_000;

/** An object whose state tests wait for. */
class Observed {
  #checks = new Set();

  /** Checks the state, after each change. */
  changed() {
    for (const check of this.#checks) check();
  }

  /**
   * Waits until a state is reached.
   *
   * @param {() => boolean} isReached
   * @param {string} what the state, for the error
   * @returns {Promise<void>} rejected with the current state after `HANG_GUARD`
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

module.exports = { HANG_GUARD, Observed };
