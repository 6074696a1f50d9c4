"use strict";

/** A Redis master and its replica, watched by three Sentinels, for one test. */

const { startRedisServer } = require("./server.js");

const NAME = "mymaster";

/**
 * After how long each Sentinel takes a silent master for dead, in milliseconds. The first notices, and
 * the others vote for it: if several notice at once, each votes for itself, and a new election may
 * take ten seconds.
 */
const DOWN_AFTER = [300, 5_000, 5_000];
/** The number of Sentinels that must notice. The leader of the failover still needs the votes of most. */
const QUORUM = 1;

/**
 * SENTINEL DEBUG: the periods of a Sentinel, in milliseconds. With the usual ones, they take some ten
 * seconds to know each other and the replica.
 */
const PERIODS = ["info", "publish", "ping", "ask", "min-link-reconnect"];
const PERIOD = "100";

/**
 * Starts all of them, and waits until the Sentinels would fail over.
 *
 * @param {(end: () => Promise<void>) => void} after
 * @param {{ settings?: string[], user?: { username?: string, password: string } }} [options]
 *   `settings` are lines of redis.conf for master and replica. `user` logs in there, also for the
 *   replica and the Sentinels, which need no login themselves
 * @returns {Promise<RedisSentinels>}
 */
async function startRedisSentinels(after, { settings = [], user } = {}) {
  const login = user === undefined ? [] : loginSettings(user);
  const master = await startRedisServer(after, { settings: [...settings, ...login], user });
  const replicaOf = `replicaof 127.0.0.1 ${master.port}`;
  const replica = await startRedisServer(after, {
    settings: [...settings, ...login, replicaOf],
    user,
  });
  const watch = (downAfter) => [
    `sentinel monitor ${NAME} 127.0.0.1 ${master.port} ${QUORUM}`,
    `sentinel down-after-milliseconds ${NAME} ${downAfter}`,
    `sentinel failover-timeout ${NAME} 2000`,
    ...(user === undefined ? [] : sentinelLogin(user)),
  ];
  const start = (downAfter) =>
    startRedisServer(after, { settings: watch(downAfter), isSentinel: true });
  const sentinels = await Promise.all(DOWN_AFTER.map(start));
  const all = new RedisSentinels(master, replica, sentinels);
  await all.getReady();
  return all;
}

function loginSettings({ username, password }) {
  return [...(username ? [`masteruser ${username}`] : []), `masterauth ${password}`];
}

function sentinelLogin({ username, password }) {
  const name = username ? [`sentinel auth-user ${NAME} ${username}`] : [];
  return [...name, `sentinel auth-pass ${NAME} ${password}`];
}

class RedisSentinels {
  /** The master's name. */
  name = NAME;
  /** @type {import("./server.js").RedisServer} at first */
  master;
  /** @type {import("./server.js").RedisServer} at first */
  replica;
  /** @type {import("./server.js").RedisServer[]} */
  sentinels;

  constructor(master, replica, sentinels) {
    Object.assign(this, { master, replica, sentinels });
  }

  /** @returns {string[]} the Sentinels' URLs */
  get urls() {
    return this.sentinels.map(({ url }) => url);
  }

  /** @returns {{ host: string, port: number }[]} the Sentinels, for other clients */
  get addresses() {
    return this.sentinels.map(({ port }) => ({ host: "127.0.0.1", port }));
  }

  /** Waits until the replica is in step, and every Sentinel knows it and the other Sentinels. */
  async getReady() {
    await this.replica.until(["ROLE"], ([, , , state]) => state === "connected");
    for (const sentinel of this.sentinels) {
      const periods = PERIODS.flatMap((name) => [`${name}-period`, PERIOD]);
      await sentinel.command("SENTINEL", "DEBUG", ...periods);
    }
    for (const sentinel of this.sentinels) {
      await sentinel.until(["SENTINEL", "MASTER", NAME], (fields) => {
        const field = (name) => fields[fields.indexOf(name) + 1];
        return (
          field("num-slaves") === "1" &&
          field("num-other-sentinels") === `${this.sentinels.length - 1}`
        );
      });
      await sentinel.until(["SENTINEL", "REPLICAS", NAME], ([fields]) => {
        return fields[fields.indexOf("master-link-status") + 1] === "ok";
      });
    }
  }

  /** Kills the master, and waits until all Sentinels name the replica as master. */
  async failOver() {
    await this.master.kill();
    for (const sentinel of this.sentinels) {
      const isNamed = ([, port]) => port === `${this.replica.port}`;
      await sentinel.until(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME], isNamed);
    }
    await this.replica.until(["ROLE"], ([role]) => role === "master");
  }
}

module.exports = { startRedisSentinels };
