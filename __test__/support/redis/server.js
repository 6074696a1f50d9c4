"use strict";

/**
 * Redis servers for single tests on 127.0.0.1, which can be stopped, killed and started again. They
 * keep on disk only what Redis itself needs, in a folder that is removed with them.
 */

const { spawn, spawnSync } = require("node:child_process");
const { once } = require("node:events");
const { existsSync, mkdtempSync, rmSync, writeFileSync } = require("node:fs");
const net = require("node:net");
const { tmpdir } = require("node:os");
const path = require("node:path");
const { createInterface } = require("node:readline");
const { setTimeout: delay } = require("node:timers/promises");
const { createClient } = require("redis");

/**
 * Ports below those of outgoing connections: a client that tries to reach a server which is down
 * could else be given that port, and so connect to itself.
 */
const PORTS = { first: 15_000, count: 15_000 };

/** Attempts to start a server, each on another port, since another process may have taken the first. */
const START_ATTEMPTS = 5;

/**
 * The reason to skip tests that need Redis, for the `skip` option. With `CI=true` they never are.
 *
 * @type {string | false}
 */
const skipWithoutRedis =
  process.env.CI !== "true" &&
  spawnSync("redis-server", ["--version"], { stdio: "ignore" }).status !== 0 &&
  "no redis-server";

/** The running servers, which end with this process, however its tests end. */
const running = new Set();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** A `redis-server`, or a Sentinel, as a process of its own. */
class RedisServer {
  /** Set by `start()`. @type {number} */
  port;
  #directory = mkdtempSync(path.join(tmpdir(), "socket-io-turbo-redis-"));
  #options;
  #process;
  #commands;

  /**
   * @param {object} [options]
   * @param {string[]} [options.settings] lines of redis.conf, such as `requirepass secret` or
   *   `user alice on >secret ~* &* +@all`
   * @param {{ username?: string, password: string }} [options.user] login of the URL and `command()`
   * @param {import("../certificates.js").Certificates} [options.certificates] to accept TLS only
   * @param {boolean} [options.requiresClientCertificate] with TLS
   * @param {boolean} [options.isSentinel]
   */
  constructor(options = {}) {
    this.#options = options;
  }

  /** @returns {string} with `options.user` */
  get url() {
    return this.urlFor(this.#options.user, this.port);
  }

  /**
   * @param {{ username?: string, password: string }} [user]
   * @param {number} [port] of a proxy in front of it
   * @returns {string}
   */
  urlFor(user, port = this.port) {
    const scheme = this.#options.certificates ? "rediss" : "redis";
    const login = user ? `${user.username ?? ""}:${user.password}@` : "";
    return `${scheme}://${login}127.0.0.1:${port}`;
  }

  /** Starts it on a free port. */
  async start() {
    for (let attempt = 1; ; attempt++) {
      this.port = await freePort();
      this.#configure(await this.#settings());
      try {
        await this.#launch();
        return;
      } catch (error) {
        if (attempt === START_ATTEMPTS) throw error;
      }
    }
  }

  /** Kills it without a shutdown, and waits until it has ended. */
  async kill() {
    await this.#closeCommands();
    if (this.#process === undefined || isOver(this.#process)) return;
    this.#process.kill("SIGKILL");
    await once(this.#process, "exit");
  }

  /** Starts it again on its port, without data. */
  async restart() {
    await this.kill();
    await this.#launch();
  }

  /** Suspends it: its connections stay, and the kernel goes on accepting new ones. */
  stop() {
    this.#process.kill("SIGSTOP");
  }

  /** Resumes it after `stop()`. */
  continue() {
    this.#process.kill("SIGCONT");
  }

  /**
   * Sends it a command, such as `command("CONFIG", "GET", "port")`.
   *
   * @param {...(string | Buffer)} args
   * @returns {Promise<unknown>} the reply
   */
  async command(...args) {
    this.#commands ??= this.#connect();
    let client = await this.#commands;
    if (!client.isReady) {
      // A replica that Sentinels promote ends its connections.
      this.#commands = this.#connect();
      client = await this.#commands;
    }
    return client.sendCommand(args);
  }

  /**
   * Waits for a reply of a command.
   *
   * @param {string[]} args
   * @param {(reply: any) => boolean} isWanted
   */
  async until(args, isWanted) {
    while (!isWanted(await this.command(...args))) await delay(20);
  }

  async end() {
    await this.kill();
    rmSync(this.#directory, { recursive: true });
  }

  async #connect() {
    const { certificates } = this.#options;
    const socket = { ...certificates?.forClient, reconnectStrategy: false };
    const client = createClient({ url: this.url, socket });
    client.on("error", () => {});
    await client.connect();
    return client;
  }

  async #closeCommands() {
    const commands = this.#commands;
    this.#commands = undefined;
    if (commands === undefined) return;
    // Destroyed, since the server may be stopped; unless it was never connected.
    const client = await commands.catch(() => undefined);
    if (client?.isOpen) client.destroy();
  }

  /** Lines of redis.conf. */
  async #settings() {
    const { certificates, requiresClientCertificate, isSentinel, settings = [] } = this.#options;
    const lines = ["bind 127.0.0.1", `dir ${this.#directory}`];
    if (!isSentinel) lines.push('save ""', "appendonly no", "repl-diskless-sync-delay 0");
    if (certificates === undefined) lines.push(`port ${this.port}`);
    else {
      lines.push("port 0", `tls-port ${this.port}`, ...certificates.redisSettings);
      lines.push(`tls-auth-clients ${requiresClientCertificate ? "yes" : "no"}`);
    }
    if (settings.includes("cluster-enabled yes")) lines.push(`cluster-port ${await freePort()}`);
    return [...lines, ...settings];
  }

  #configure(lines) {
    writeFileSync(this.#configuration, lines.map((line) => `${line}\n`).join(""));
  }

  get #configuration() {
    return path.join(this.#directory, "redis.conf");
  }

  async #launch() {
    // Sentinels and nodes of a cluster keep their state there.
    if (!existsSync(this.#configuration)) throw new Error("the server has ended");
    const args = [this.#configuration, ...(this.#options.isSentinel ? ["--sentinel"] : [])];
    this.#process = spawn("redis-server", args, { stdio: ["ignore", "pipe", "inherit"] });
    const child = this.#process;
    running.add(child);
    child.on("exit", () => running.delete(child));
    const output = [];
    for await (const line of createInterface({ input: this.#process.stdout })) {
      output.push(line);
      if (/Ready to accept connections|Sentinel ID is/.test(line)) {
        this.#process.stdout.resume();
        return;
      }
    }
    throw new Error(`redis-server does not start:\n${output.join("\n")}`);
  }
}

function isOver({ exitCode, signalCode }) {
  return exitCode !== null || signalCode !== null;
}

async function freePort() {
  for (;;) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
    if (await isFree(port)) return port;
  }
}

async function isFree(port) {
  const server = net.createServer();
  try {
    await once(server.listen(port, "127.0.0.1"), "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}

/**
 * @param {{ after: (fn: () => unknown) => void }} t a test, or `node:test` for the suite
 * @returns {(end: () => unknown) => void} registers what is to be ended afterwards, the last first
 */
function endsOf(t) {
  const ends = [];
  t.after(async () => {
    for (const end of ends) await end();
  });
  return (end) => ends.unshift(end);
}

/**
 * Starts a server.
 *
 * @param {(end: () => Promise<void>) => void} after see `endsOf()`
 * @param {ConstructorParameters<typeof RedisServer>[0]} [options]
 * @returns {Promise<RedisServer>}
 */
async function startRedisServer(after, options) {
  const server = new RedisServer(options);
  after(() => server.end());
  await server.start();
  return server;
}

/**
 * Starts a server with default settings.
 *
 * @param {(end: () => Promise<void>) => void} after see `endsOf()`
 * @returns {Promise<string>} its URL
 */
async function startRedis(after) {
  const { url } = await startRedisServer(after);
  return url;
}

module.exports = { RedisServer, endsOf, skipWithoutRedis, startRedis, startRedisServer };
