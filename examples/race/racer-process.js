"use strict";

const { fork } = require("node:child_process");
const { once } = require("node:events");
const { join } = require("node:path");

/** A running `racer.js`: the parent's end of it. */
class RacerProcess {
  #child;
  /** True once it is asked to end. */
  #isStopped = false;
  /** Resolves when it has ended, with `{ code, signal }`. @type {Promise<object>} */
  exited;

  /**
   * Starts a server and waits until it listens.
   *
   * @param {string} name of the contender
   * @param {string} host the address to listen on
   * @param {(report: object) => void} onReport is called with each report, as racer.js
   *   documents it
   * @returns {Promise<RacerProcess>} with `listening`: the `address`, `family` and `port`
   * @throws {Error} if it cannot serve
   */
  static async start(name, host, onReport) {
    const racer = new RacerProcess(name, host);
    const { listening, error } = await racer.#firstMessage();
    if (error !== undefined) throw new Error(`server "${name}": ${error}`);
    racer.listening = listening;
    racer.#child.on("message", ({ report }) => onReport(report));
    return racer;
  }

  /** @private */
  constructor(name, host) {
    this.#child = fork(join(__dirname, "racer.js"), [name, host], { execArgv: [] });
    this.exited = once(this.#child, "exit").then(([code, signal]) => ({ code, signal }));
  }

  /** @returns {number} its process id */
  get pid() {
    return this.#child.pid;
  }

  /**
   * Lets it broadcast from now on.
   *
   * @param {import("./broadcaster.js").Timetable} timetable
   */
  broadcast(timetable) {
    this.#tell(timetable);
  }

  /** Ends its broadcasts, until others begin. */
  pause() {
    this.#tell("pause");
  }

  /** Ends the process, at once, and waits until it has. */
  async stop() {
    this.#isStopped = true;
    this.#child.kill("SIGKILL");
    await this.exited;
  }

  #tell(message) {
    // If it cannot be sent, the process has ended, and `exited` says so.
    if (!this.#isStopped) this.#child.send(message, () => {});
  }

  async #firstMessage() {
    const ended = this.exited.then(() => [{ error: "the process has ended" }]);
    const [message] = await Promise.race([once(this.#child, "message"), ended]);
    return message;
  }
}

module.exports = { RacerProcess };
