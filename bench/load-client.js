"use strict";

const { execFileSync, spawn } = require("node:child_process");
const { once } = require("node:events");
const { join } = require("node:path");
const { createInterface } = require("node:readline");

/** No round takes as long; a client that is still there then is stuck. */
const LIFETIME_MILLISECONDS = 60_000;

let executable;

/**
 * Builds bench/load, once.
 *
 * @returns {string} the path of the executable
 * @throws {Error} if cargo fails, which has then said why
 */
function build() {
  executable ??= cargoBuild()
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line).executable)
    .find(Boolean);
  return executable;
}

/** @returns {string} cargo's messages, a line of JSON each */
function cargoBuild() {
  const manifest = join(__dirname, "load", "Cargo.toml");
  return execFileSync(
    "cargo",
    ["build", "--release", "--locked", "--manifest-path", manifest].concat(
      "--message-format=json-render-diagnostics",
    ),
    { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], maxBuffer: 1 << 26 },
  );
}

/** A running load client: connected Socket.IO clients, and what they do. */
class LoadClient {
  #child;
  #lines;
  #exit;

  /**
   * Starts the clients and waits until all are connected.
   *
   * @param {"idle" | "inbound" | "echo"} scenario
   * @param {number} port where the server listens on 127.0.0.1
   * @param {Record<string, number>} options the other options of bench/load by their
   *   names: `clients`, `rate` per second, `warm-up` and `seconds`, `payload` in bytes
   * @returns {Promise<LoadClient>}
   * @throws {Error} if the clients cannot connect; why stands on standard error
   */
  static async connect(scenario, port, options) {
    const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const client = new LoadClient([scenario, "--address", `127.0.0.1:${port}`, ...flags]);
    await client.#nextLine();
    return client;
  }

  /** @private */
  constructor(args) {
    this.#child = spawn(build(), args, {
      stdio: ["pipe", "pipe", "inherit"],
      timeout: LIFETIME_MILLISECONDS,
      killSignal: "SIGKILL",
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    this.#exit = once(this.#child, "exit");
  }

  /**
   * Waits until everything has been sent and answered.
   *
   * @returns {Promise<object>} `sent`, `received`; `cpu` of the load client; `lateness` of
   *   its sending and `latency` of the answers as `{ p50, p99, max }`; times in microseconds
   * @throws {Error} if the server failed the clients; why stands on standard error
   */
  report() {
    return this.#nextLine();
  }

  /**
   * Closes all connections, and waits until the process has ended.
   *
   * @throws {Error} if a connection was lost before; why stands on standard error
   */
  async stop() {
    this.#child.stdin.end();
    const [code] = await this.#exit;
    if (code !== 0) throw new Error("the load client failed");
  }

  async #nextLine() {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("the load client failed");
    return JSON.parse(value);
  }
}

module.exports = { LoadClient, build };
