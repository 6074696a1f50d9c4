"use strict";

const { setTimeout: sleep } = require("node:timers/promises");
const { RedisProcess } = require("./redis-process.js");
const { ServerProcess } = require("./server-process.js");

/** How long the nodes may take to know each other. */
const MEETING_MILLISECONDS = 5000;

/** Two nodes of one cluster, an emitting and a receiving one, over a Redis of their own. */
class ClusterProcesses {
  /** @type {RedisProcess} */
  redis;
  /** @type {ServerProcess} */
  emitting;
  /** @type {ServerProcess} */
  receiving;

  /**
   * Starts all three, and waits until the nodes know each other.
   *
   * @param {string} name of the contender that both nodes are
   * @returns {Promise<ClusterProcesses>}
   * @throws {Error} if one of them cannot be started, or the nodes do not meet
   */
  static async start(name) {
    const cluster = new ClusterProcesses();
    try {
      cluster.redis = await RedisProcess.start();
      await cluster.#startNodes(name);
      await Promise.all(cluster.#nodes().map((node) => waitForBoth(name, node)));
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  async #startNodes(name) {
    const start = () => ServerProcess.start(name, this.redis.url);
    // Both have to have started or failed before any can be stopped.
    const started = await Promise.allSettled([start(), start()]);
    [this.emitting, this.receiving] = started.map(({ value }) => value);
    const failed = started.find(({ status }) => status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  #nodes() {
    return [this.emitting, this.receiving].filter((node) => node !== undefined);
  }

  /** Ends all processes, at once, and waits until they have. */
  async stop() {
    await Promise.all(this.#nodes().map((node) => node.stop()));
    await this.redis?.stop();
  }
}

async function waitForBoth(name, node) {
  const end = performance.now() + MEETING_MILLISECONDS;
  while ((await node.ask("nodes")).nodes !== 2) {
    if (performance.now() > end) throw new Error(`the nodes of "${name}" do not meet`);
    await sleep(10);
  }
}

module.exports = { ClusterProcesses };
