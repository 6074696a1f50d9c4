"use strict";

const { spawn, spawnSync } = require("node:child_process");
const { once } = require("node:events");
const net = require("node:net");
const { setTimeout: sleep } = require("node:timers/promises");

const HOST = "127.0.0.1";

/** Deadline for the first answer. */
const START_MILLISECONDS = 5000;

/**
 * Runs Redis until its standard input closes, which happens at the latest when its parent ends.
 */
const KEEPER =
  'trap "" INT TERM; redis-server "$@" & read -r _; exec 2>/dev/null; kill -KILL $!; wait $!';

/** Options that keep nothing on disk. */
const OPTIONS = { bind: HOST, save: "", appendonly: "no", loglevel: "warning" };

/** @returns {string | undefined} what has to be done before there can be one */
function missingRedis() {
  if (redisVersion() !== undefined) return undefined;
  return "redis-server is not installed, over which the nodes of a cluster talk";
}

/** @returns {string | undefined} such as `7.0.15`; nothing where there is no redis-server */
function redisVersion() {
  const { stdout } = spawnSync("redis-server", ["--version"], { encoding: "utf8" });
  return stdout?.match(/v=(\S+)/)?.[1];
}

/** The Redis of one round, with its statistics. */
class RedisProcess {
  #keeper;
  #exit;
  #client;

  /**
   * Starts one on a free port of 127.0.0.1, and waits until it answers. It ends with this
   * process, however that ends.
   *
   * @returns {Promise<RedisProcess>} with its `url`
   * @throws {Error} if it does not answer; why stands on standard error
   */
  static async start() {
    const redis = new RedisProcess(await freePort());
    try {
      await redis.#connect();
    } catch (error) {
      await redis.stop();
      throw error;
    }
    return redis;
  }

  /** @private */
  constructor(port) {
    this.url = `redis://${HOST}:${port}`;
    const options = Object.entries({ ...OPTIONS, port });
    const args = options.flatMap(([name, value]) => [`--${name}`, String(value)]);
    this.#keeper = spawn("sh", ["-c", KEEPER, "sh", ...args], {
      stdio: ["pipe", "ignore", "inherit"],
    });
    this.#exit = once(this.#keeper, "exit");
  }

  async #connect() {
    // Here, for the process of a server that is compared loads this file, too.
    const { createClient } = require("redis");
    const end = performance.now() + START_MILLISECONDS;
    for (;;) {
      const client = createClient({ url: this.url, socket: { reconnectStrategy: false } });
      // Pending commands fail, too.
      client.on("error", () => {});
      try {
        this.#client = await client.connect();
        return;
      } catch (error) {
        if (performance.now() > end)
          throw new Error("redis-server does not answer", { cause: error });
        await sleep(10);
      }
    }
  }

  /**
   * @returns {Promise<Traffic>} so far
   *
   * @typedef {object} Traffic
   * @property {number} published how many messages
   * @property {string[]} subscribers which connections have subscribed to something. As long as
   *   one of them lives, it gets all that is published to it
   */
  async traffic() {
    const commands = await this.#client.info("commandstats");
    // Publishing to shards is another command.
    const calls = [...commands.matchAll(/^cmdstat_s?publish:calls=(\d+)/gm)];
    const connections = await this.#client.sendCommand(["CLIENT", "LIST", "TYPE", "pubsub"]);
    return {
      published: calls.reduce((sum, [, count]) => sum + Number(count), 0),
      subscribers: connections.match(/^id=\d+/gm) ?? [],
    };
  }

  /** @returns {Promise<number>} its CPU time so far, in microseconds */
  async cpu() {
    const info = await this.#client.info("cpu");
    const times = info.matchAll(/^used_cpu_(?:sys|user):(\S+)/gm);
    return [...times].reduce((sum, [, seconds]) => sum + seconds * 1e6, 0);
  }

  /** Ends it, at once, and waits until it has. */
  async stop() {
    if (this.#client?.isOpen) this.#client.destroy();
    this.#keeper.stdin.end();
    await this.#exit;
  }
}

async function freePort() {
  const server = net.createServer();
  await once(server.listen(0, HOST), "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

module.exports = { RedisProcess, missingRedis, redisVersion };
