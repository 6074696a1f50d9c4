"use strict";

/** Makes programs, and plays them on clusters. */

const { playInCluster } = require("../play.js");
const { Company, RedisConnections } = require("./company.js");
const { makeClusterProgram } = require("./program.js");
const PLANTED = require("./planted-bugs.js");

const OFFICIAL = "official";
const OURS = {};

/** The nodes of each cluster, by a name that can be given to a thread. */
const CLUSTERS = {
  stock: [OFFICIAL, OFFICIAL, OFFICIAL],
  mixed: [OFFICIAL, OURS, OURS],
  "mixed with clients": [OFFICIAL, { hasClients: true }, OURS],
  ...Object.fromEntries(
    Object.entries(PLANTED).map(([name, change]) => [name, [OFFICIAL, { change }, { change }]]),
  ),
};

/** @implements {import("../search.js").World} */
class ClusterWorld {
  /** Broadcasts of other nodes that our nodes have given to workers without JavaScript. */
  delivered = 0;
  makeProgram = makeClusterProgram;
  #connections;

  /** @param {string} url of Redis */
  static async connect(url) {
    const world = new ClusterWorld();
    world.#connections = await RedisConnections.connect(url);
    return world;
  }

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

module.exports = { ClusterWorld };
