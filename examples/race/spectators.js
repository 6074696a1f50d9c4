"use strict";

const { LoadProcess } = require("../../bench/processes/load-process.js");

/** The load client of one server of the race: a running `watch` of bench/load. */
class Spectators {
  #process;
  /** Resolves when it has ended, whatever the reason. @type {Promise<void>} */
  ended;

  /**
   * Starts the clients and waits until all are connected.
   *
   * @param {string} address of the server, with its port
   * @param {number} clients
   * @param {(interval: object) => void} onInterval is called each quarter of a second with
   *   what `report.rs` documents as `Interval`
   * @returns {Promise<Spectators>}
   * @throws {Error} if they cannot connect; why stands on standard error
   */
  static async connect(address, clients, onInterval) {
    const spectators = new Spectators(address, clients);
    await spectators.#process.nextLine();
    spectators.ended = spectators.#listen(onInterval);
    return spectators;
  }

  /** @private */
  constructor(address, clients) {
    this.#process = new LoadProcess("the load client", "watch", { address, clients }, 0);
  }

  /** @param {number} clients how many there have to be from now on */
  set(clients) {
    this.#process.tell(`clients ${clients}`);
  }

  /** Lets all clients close their connections and connect again, at once. */
  reconnect() {
    this.#process.tell("reconnect");
  }

  /** Ends the process, at once, and waits until it has. */
  stop() {
    return this.#process.kill();
  }

  async #listen(onInterval) {
    try {
      for (;;) onInterval(await this.#process.nextLine());
    } catch {
      // It has ended; the lane says so.
    }
  }
}

module.exports = { Spectators };
