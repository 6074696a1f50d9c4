"use strict";

const { spawn } = require("node:child_process");
const { once } = require("node:events");
const { createInterface } = require("node:readline");

/** No round takes as long, on a busy machine either: what is still there then is stuck. */
const LIFETIME_MILLISECONDS = 300_000;

/** A running program, which prints lines of JSON and reads lines. */
class LineProcess {
  #child;
  #lines;
  #exit;

  /**
   * @param {string} name what an error calls it
   * @param {string} executable
   * @param {string[]} args
   * @param {number} [lifetime] after how many milliseconds it is stuck and killed; 0: never
   */
  constructor(name, executable, args, lifetime = LIFETIME_MILLISECONDS) {
    this.name = name;
    this.#child = spawn(executable, args, {
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
   * @throws {Error} if it ends instead, with the `status` of its exit; why stands on standard error
   */
  async nextLine() {
    const { value, done } = await this.#lines.next();
    if (!done) return JSON.parse(value);
    const [status] = await this.#exit;
    throw Object.assign(new Error(`${this.name} failed`), { status });
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
    if (code !== 0) throw new Error(`${this.name} failed`);
  }

  /** Ends it at once, and waits until it has. */
  async kill() {
    this.#child.kill("SIGKILL");
    await this.#exit;
  }
}

module.exports = { LIFETIME_MILLISECONDS, LineProcess };
