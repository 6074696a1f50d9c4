"use strict";

const { fork } = require("node:child_process");
const { once } = require("node:events");
const { join } = require("node:path");
const { contender } = require("./contenders.js");
const { LIFETIME_MILLISECONDS, LineProcess } = require("./line-process.js");

/**
 * @typedef {object} ServerOptions
 * @property {string} [redis] the URL of the Redis over which it is a node of a cluster
 * @property {Heartbeat} [heartbeat] instead of Engine.IO's defaults
 * @property {boolean} [perMessageDeflate] whether it compresses, if it is on Node's HTTP server and
 *   does not say so itself
 * @property {boolean} [isSecure] whether it is one of https
 * @property {boolean} [isPolled] whether clients use long-polling, so that no connection has to be native
 *
 * @typedef {object} Heartbeat options of Engine.IO, in milliseconds
 * @property {number} pingInterval
 * @property {number} pingTimeout
 */

/** The server of one round: the parent's end of it. */
class ServerProcess {
  #name;
  #process;

  /**
   * Starts a server and waits until it listens.
   *
   * @param {string} name of the contender
   * @param {ServerOptions} [options]
   * @returns {Promise<ServerProcess>} with its `port`
   * @throws {Error} if the contender cannot serve
   */
  static async start(name, options = {}) {
    const server = new ServerProcess(name, options);
    try {
      server.port = (await server.#answer()).port;
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  /** @private */
  constructor(name, options) {
    const { program } = contender(name);
    this.#name = name;
    this.#process =
      program === undefined
        ? new ForkedServer(name, options)
        : new ServerProgram(program(), options);
  }

  /**
   * One command at a time.
   *
   * @param {"start" | "stop" | "broadcast" | "publish" | "received" | "memory" | "block"} command
   * @param {import("./broadcasting.js").Plan | { milliseconds: number }} [plan] what to broadcast
   *   or to publish, or how long to be blocked
   * @returns {Promise<object>} the answer, as server.js documents it
   * @throws {Error} if the command fails or the server ends
   */
  ask(command, plan) {
    this.#process.send({ command, plan });
    return this.#answer();
  }

  /**
   * Follows the plan; all clients have to be connected.
   *
   * @param {import("./broadcasting.js").Plan} plan
   * @returns {Promise<object>} usage.js's `Usage`, with how many `broadcasts` it is of
   * @throws {Error} if a broadcast fails or the server ends
   */
  broadcast(plan) {
    return this.ask("broadcast", plan);
  }

  /** Ends the process, at once, and waits until it has. */
  stop() {
    return this.#process.kill();
  }

  async #answer() {
    const message = await this.#process
      .nextMessage()
      .catch(() => ({ error: "the process has ended" }));
    if (message.error !== undefined) throw new Error(`server "${this.#name}": ${message.error}`);
    return message;
  }
}

/** A running server.js, which is sent messages over IPC. */
class ForkedServer {
  #child;
  #ended = new AbortController();

  constructor(name, options) {
    const executable = contender(name).executable?.();
    this.#child = fork(join(__dirname, "server.js"), [name, JSON.stringify(options)], {
      ...(executable === undefined
        ? { execArgv: ["--expose-gc"] }
        : { execPath: executable, execArgv: [] }),
      timeout: LIFETIME_MILLISECONDS,
      killSignal: "SIGKILL",
    });
    this.#child.once("exit", () => this.#ended.abort());
  }

  send(message) {
    // If it cannot be sent, the process has ended, and the answer says so.
    this.#child.send(message, () => {});
  }

  /** @throws {Error} if the process ends before it sends one */
  async nextMessage() {
    const [message] = await once(this.#child, "message", { signal: this.#ended.signal });
    return message;
  }

  async kill() {
    if (this.#ended.signal.aborted) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }
}

/** A running program that does what server.js does; messages are lines of JSON. */
class ServerProgram {
  #process;

  constructor(executable, { heartbeat }) {
    const times = heartbeat === undefined ? [] : [heartbeat.pingInterval, heartbeat.pingTimeout];
    this.#process = new LineProcess("the server", executable, times.map(String));
  }

  send(message) {
    this.#process.tell(JSON.stringify(message));
  }

  nextMessage() {
    return this.#process.nextLine();
  }

  kill() {
    return this.#process.kill();
  }
}

module.exports = { ServerProcess };
