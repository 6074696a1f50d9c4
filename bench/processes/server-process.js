"use strict";

const { fork } = require("node:child_process");
const { once } = require("node:events");
const { join } = require("node:path");
const { contender } = require("./contenders.js");

/** No round takes as long; a server that is still there then is stuck. */
const LIFETIME_MILLISECONDS = 60_000;

/** A running `server.js`: the parent's end of it. */
class ServerProcess {
  #name;
  #child;
  #ended = new AbortController();

  /**
   * Starts a server and waits until it listens.
   *
   * @param {string} name of the contender
   * @param {string} [redis] the URL of the Redis over which it is a node of a cluster
   * @returns {Promise<ServerProcess>} with its `port`
   * @throws {Error} if the contender cannot serve
   */
  static async start(name, redis) {
    const server = new ServerProcess(name, redis);
    try {
      server.port = (await server.#answer()).port;
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  /** @private */
  constructor(name, redis) {
    this.#name = name;
    const executable = contender(name).executable?.();
    const args = redis === undefined ? [name] : [name, redis];
    this.#child = fork(join(__dirname, "server.js"), args, {
      ...(executable === undefined
        ? { execArgv: ["--expose-gc"] }
        : { execPath: executable, execArgv: [] }),
      timeout: LIFETIME_MILLISECONDS,
      killSignal: "SIGKILL",
    });
    this.#child.once("exit", () => this.#ended.abort());
  }

  /**
   * One command at a time.
   *
   * @param {"start" | "stop" | "broadcast" | "publish" | "received" | "memory"} command
   * @param {import("./broadcasting.js").Plan} [plan] what to broadcast or to publish
   * @returns {Promise<object>} the answer, as server.js documents it
   * @throws {Error} if the command fails or the server ends
   */
  ask(command, plan) {
    // If it cannot be sent, the process has ended, and the answer says so.
    this.#child.send({ command, plan }, () => {});
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
  async stop() {
    if (this.#ended.signal.aborted) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }

  async #answer() {
    const [message] = await once(this.#child, "message", { signal: this.#ended.signal }).catch(
      () => [{ error: "the process has ended" }],
    );
    if (message.error !== undefined) throw new Error(`server "${this.#name}": ${message.error}`);
    return message;
  }
}

module.exports = { ServerProcess };
