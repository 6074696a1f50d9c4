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
   * @param {"send" | "io-uring"} name with what it sends
   * @param {import("./broadcasting.js").Plan} plan
   * @returns {Promise<FloorProcess>} with its `port`
   * @throws {Error} if it cannot listen; why stands on standard error. If that is because
   *   the kernel does not let it use io_uring, then with the `code` `"UNAVAILABLE"`
   */
  static async start(name, plan) {
    const floor = new FloorProcess(name, plan);
    floor.port = (await floor.#process.nextLine()).port;
    return floor;
  }

  /** @private */
  constructor(name, plan) {
    this.#process = new LoadProcess(`the floor "${name}"`, "floor", { ...plan, with: name });
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
