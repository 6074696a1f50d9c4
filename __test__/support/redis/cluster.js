"use strict";

/** A Redis Cluster for one test: three masters, and a replica of the first if the test needs one. */

const { startRedisServer } = require("./server.js");

/** Redis Cluster specification, "Key distribution model". */
const SLOTS = 16_384;
const MASTERS = 3;

/** After how long a silent node is taken for dead, in milliseconds. */
const NODE_TIMEOUT = 1_000;

/**
 * Starts a cluster, and waits until all nodes know it.
 *
 * @param {(end: () => Promise<void>) => void} after
 * @param {{ hasReplica?: boolean, settings?: string[] }} [options] `settings` are lines of
 *   redis.conf for all nodes
 * @returns {Promise<RedisCluster>}
 */
async function startRedisCluster(after, { hasReplica = false, settings = [] } = {}) {
  const lines = ["cluster-enabled yes", `cluster-node-timeout ${NODE_TIMEOUT}`, ...settings];
  const start = () => startRedisServer(after, { settings: lines });
  const masters = await Promise.all(Array.from({ length: MASTERS }, start));
  const replica = hasReplica ? await start() : undefined;
  const cluster = new RedisCluster(masters, replica);
  await cluster.form();
  return cluster;
}

class RedisCluster {
  /** @type {import("./server.js").RedisServer[]} at first */
  masters;
  /** @type {import("./server.js").RedisServer | undefined} of the first */
  replica;

  constructor(masters, replica) {
    this.masters = masters;
    this.replica = replica;
  }

  get nodes() {
    return this.replica ? [...this.masters, this.replica] : this.masters;
  }

  /** @returns {string[]} the URLs of all nodes */
  get urls() {
    return this.nodes.map(({ url }) => url);
  }

  async form() {
    const [first, ...others] = this.nodes;
    for (const [index, master] of this.masters.entries()) {
      const [from, to] = [index, index + 1].map((part) => Math.floor((part * SLOTS) / MASTERS));
      await master.command("CLUSTER", "ADDSLOTSRANGE", `${from}`, `${to - 1}`);
    }
    for (const other of others) {
      const [, busPort] = await other.command("CONFIG", "GET", "cluster-port");
      await first.command("CLUSTER", "MEET", "127.0.0.1", `${other.port}`, busPort);
    }
    await this.isWhole();
    if (this.replica !== undefined) await this.#replicate(first);
  }

  /** Waits until every node knows all the others, and all slots are served. */
  async isWhole() {
    const isComplete = (info) =>
      info.includes("cluster_state:ok") &&
      info.includes(`cluster_known_nodes:${this.nodes.length}\r`);
    for (const node of this.nodes) await node.until(["CLUSTER", "INFO"], isComplete);
  }

  /** Makes the replica the master in place of the first, while both are up. */
  async failOver() {
    await this.replica.command("CLUSTER", "FAILOVER");
    await this.replica.until(["ROLE"], ([role]) => role === "master");
    // Then the first knows it, too.
    await this.masters[0].until(["ROLE"], ([role]) => role === "slave");
  }

  async #replicate(master) {
    const id = await master.command("CLUSTER", "MYID");
    await this.replica.command("CLUSTER", "REPLICATE", id);
    await this.replica.until(
      ["ROLE"],
      ([role, , , state]) => role === "slave" && state === "connected",
    );
    // Until all nodes know it, they name it to clients as a master without slots.
    for (const node of this.nodes) {
      await node.until(["CLUSTER", "NODES"], (nodes) => nodes.includes(`slave ${id}`));
    }
  }
}

module.exports = { startRedisCluster };
