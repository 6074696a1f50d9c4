"use strict";

const { LoadProcess } = require("./load-process.js");

/** Connected Socket.IO clients, and what they do. */
class LoadClient {
  #process;

  /**
   * Starts the clients and waits until all are connected.
   *
   * @param {"idle" | "connect" | "blocked" | "inbound" | "echo" | "broadcast" | "requests"} scenario
   * @param {number} port where the server listens on 127.0.0.1
   * @param {Record<string, number | string | boolean | undefined>} options the other options of
   *   bench/load: `clients`, `rate` per second, `warmUp` and `seconds`, `payload` in bytes, `deflate`,
   *   `tls`, `fresh`, `transport` (`"websocket"`, `"polling"` or `"upgrade"`); those of a plan (see
   *   `broadcasting.js`)
   * @returns {Promise<LoadClient>}
   * @throws {Error} if the clients cannot connect; why stands on standard error
   */
  static async connect(scenario, port, options) {
    const client = new LoadClient(scenario, { address: `127.0.0.1:${port}`, ...options });
    await client.#process.nextLine();
    return client;
  }

  /** @private */
  constructor(scenario, options) {
    this.#process = new LoadProcess("the load client", scenario, options);
  }

  /** Lets the clients of `blocked` report. */
  go() {
    this.#process.go();
  }

  /**
   * Waits until everything has been sent and answered, or broadcast and received.
   *
   * @returns {Promise<object>} what `report.rs` documents as `Report`, `Reception`, `Connecting` or
   *   `Survival`
   * @throws {Error} if the server failed the clients; why stands on standard error
   */
  report() {
    return this.#process.nextLine();
  }

  /**
   * Closes all connections, and waits until the process has ended.
   *
   * @throws {Error} if a connection was lost before; why stands on standard error
   */
  stop() {
    return this.#process.stop();
  }
}

module.exports = { LoadClient };
