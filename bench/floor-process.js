"use strict";

const { LoadProcess } = require("./load-process.js");

/**
 * A running `floor` of bench/load: a server that only sends, whatever it costs. Has of
 * ServerProcess what a broadcast takes.
 */
class FloorProcess {
  #process;

  /**
   * Starts the floor and waits until it listens.
   *
   * @param {import("./broadcasting.js").Plan} plan
   * @returns {Promise<FloorProcess>} with its `port`
   * @throws {Error} if it cannot listen; why stands on standard error
   */
  static async start(plan) {
    const floor = new FloorProcess(plan);
    floor.port = (await floor.#process.nextLine()).port;
    return floor;
  }

  /** @private */
  constructor(plan) {
    this.#process = new LoadProcess("the floor", "floor", plan);
  }

  /**
   * Follows the plan; all clients have to be connected.
   *
   * @returns {Promise<object>} what `report.rs` documents as `Usage`
   * @throws {Error} if a client fails it; why stands on standard error
   */
  broadcast() {
    this.#process.go();
    return this.#process.nextLine();
  }

  /** Ends the process, at once, and waits until it has. */
  stop() {
    return this.#process.kill();
  }
}

module.exports = { FloorProcess };
