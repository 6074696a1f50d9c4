"use strict";

/** Looks for programs on which a cluster does not do what one of official servers does. */

const { playInCluster } = require("../play.js");
const { Company, RedisConnections } = require("./company.js");
const { makeClusterProgram } = require("./program.js");
const PLANTED = require("./planted-bugs.js");

const OFFICIAL = "official";
const OURS = {};

/** Clusters, by names that can be given to a worker thread: what their nodes are. */
const CLUSTERS = {
  stock: [OFFICIAL, OFFICIAL, OFFICIAL],
  mixed: [OFFICIAL, OURS, OURS],
  "mixed with clients": [OFFICIAL, { hasClients: true }, OURS],
  ours: [OURS, OURS, OURS],
  ...Object.fromEntries(
    Object.entries(PLANTED).map(([name, change]) => [name, [OFFICIAL, { change }, { change }]]),
  ),
};

/** A world of clusters, as adapter-search.js uses them. */
class ClusterWorld {
  /** Broadcasts of others that our nodes have given to workers without JavaScript. */
  delivered = 0;
  #connections;

  /** @param {string} url of Redis */
  static async connect(url) {
    const world = new ClusterWorld();
    world.#connections = await RedisConnections.connect(url);
    return world;
  }

  makeProgram(seed) {
    return makeClusterProgram(seed);
  }

  /** @param {string} server a key of `CLUSTERS` */
  async play(program, server) {
    const company = new Company(this.#connections, CLUSTERS[server], program);
    try {
      return await playInCluster(program, company);
    } finally {
      this.delivered += company.delivered;
    }
  }

  close() {
    return this.#connections.close();
  }
}

module.exports = { CLUSTERS, ClusterWorld };
