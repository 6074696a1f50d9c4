"use strict";

const { spawn } = require("node:child_process");
const { once } = require("node:events");
const { createInterface } = require("node:readline");
const { cargoBuild } = require("./cargo.js");

/** No round takes as long; a process that is still there then is stuck. */
const LIFETIME_MILLISECONDS = 60_000;

/** The status with which bench/load says that the kernel does not let it do what it should. */
const UNAVAILABLE_STATUS = 69;

let executable;

/**
 * Builds bench/load, once.
 *
 * @returns {string} the path of the executable
 * @throws {Error} if there is no cargo, or if it fails, which has then said why
 */
function build() {
  executable ??= cargoBuild("load", ["--release"]);
  return executable;
}

/** A running bench/load, which says lines of JSON. */
class LoadProcess {
  #name;
  #child;
  #lines;
  #exit;

  /**
   * @param {string} name what an error calls it
   * @param {string} subcommand
   * @param {Record<string, string | number | undefined>} options by their names in
   *   camelCase; those that are undefined are left out
   * @param {number} [lifetime] after how many milliseconds it is stuck and killed; 0: never
   */
  constructor(name, subcommand, options, lifetime = LIFETIME_MILLISECONDS) {
    this.#name = name;
    this.#child = spawn(build(), [subcommand, ...flags(options)], {
      stdio: ["pipe", "pipe", "inherit"],
      timeout: lifetime,
      killSignal: "SIGKILL",
    });
    // If it cannot be told something, it has ended, and `nextLine()` says so.
    this.#child.stdin.on("error", () => {});
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    this.#exit = once(this.#child, "exit");
  }

  /**
   * @returns {Promise<object>} the next line
   * @throws {Error} if it ends instead; why stands on standard error. If the kernel lacks
   *   what it needs, then with the `code` `"UNAVAILABLE"`
   */
  async nextLine() {
    const { value, done } = await this.#lines.next();
    if (done) throw await this.#failure();
    return JSON.parse(value);
  }

  async #failure() {
    const [status] = await this.#exit;
    if (status !== UNAVAILABLE_STATUS) return new Error(`${this.#name} failed`);
    return Object.assign(new Error(`${this.#name} is not available`), { code: "UNAVAILABLE" });
  }

  /** Lets it go on. */
  go() {
    this.tell("");
  }

  /** Writes a line to its standard input. */
  tell(line) {
    this.#child.stdin.write(`${line}\n`);
  }

  /**
   * Lets it close its connections, and waits until it has ended.
   *
   * @throws {Error} if a connection was lost before; why stands on standard error
   */
  async stop() {
    this.#child.stdin.end();
    const [code] = await this.#exit;
    if (code !== 0) throw new Error(`${this.#name} failed`);
  }

  /** Ends it at once, and waits until it has. */
  async kill() {
    this.#child.kill("SIGKILL");
    await this.#exit;
  }
}

function flags(options) {
  const kebab = (name) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return Object.entries(options)
    .filter(([, value]) => value !== undefined)
    .flatMap(([name, value]) => [`--${kebab(name)}`, String(value)]);
}

module.exports = { LoadProcess, build };
