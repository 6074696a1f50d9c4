"use strict";

const { setTimeout: sleep } = require("node:timers/promises");
const { RedisProcess } = require("./redis-process.js");
const { ServerProcess } = require("./server-process.js");

/** Deadline for the nodes to subscribe. */
const SUBSCRIBING_MILLISECONDS = 5000;

/** Two nodes of one cluster, an emitting and a receiving one, over a Redis of their own. */
class ClusterProcesses {
  /** @type {RedisProcess} */
  redis;
  /** @type {ServerProcess} */
  emitting;
  /** @type {ServerProcess} */
  receiving;

  /**
   * Starts all three, and waits until the nodes have subscribed.
   *
   * @param {string} name of the contender that both nodes are
   * @returns {Promise<ClusterProcesses>}
   * @throws {Error} if one of them cannot be started, or does not subscribe
   */
  static async start(name) {
    const cluster = new ClusterProcesses();
    try {
      cluster.redis = await RedisProcess.start();
      await cluster.#startNodes(name);
      await cluster.#waitForSubscribers(name);
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  async #startNodes(name) {
    const start = () => ServerProcess.start(name, { redis: this.redis.url });
    // Both have to have started or failed before any can be stopped.
    const started = await Promise.allSettled([start(), start()]);
    [this.emitting, this.receiving] = started.map(({ value }) => value);
    const failed = started.find(({ status }) => status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  /** Waits for one subscriber per node. */
  async #waitForSubscribers(name) {
    const end = performance.now() + SUBSCRIBING_MILLISECONDS;
    while ((await this.redis.traffic()).subscribers.length < 2) {
      if (performance.now() > end) throw new Error(`the nodes of "${name}" do not subscribe`);
      await sleep(10);
    }
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

module.exports = { ClusterProcesses };
