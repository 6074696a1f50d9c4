"use strict";

const { EventEmitter } = require("node:events");
const { setTimeout: sleep } = require("node:timers/promises");
const { RacerProcess } = require("./racer-process.js");
const { Recent } = require("./recent.js");
const { Spectators } = require("./spectators.js");

/** For so long a server may be silent before it counts as blocked since it was heard. */
const SILENCE_MILLISECONDS = 750;

/** Deadline for a server to end after its clients have lost it. */
const END_MILLISECONDS = 500;

/**
 * One side of the race at one moment. What is not known is null.
 *
 * @typedef {object} Sample
 * @property {number | null} lag of the event loop, in milliseconds, 99th percentile of the last
 *   report; of a server that does not report, since when
 * @property {number | null} loop share of the time in which the event loop was busy, from 0
 * @property {number | null} cpu CPU time of the server, in cores
 * @property {number | null} rss memory of the server, in bytes
 * @property {number | null} sent broadcasts per second
 * @property {number | null} leftOut broadcasts per second that it was too slow for
 * @property {number | null} deliveries messages per second that the clients received
 * @property {number | null} latency milliseconds from when a broadcast was due until a client
 *   received it, 99th percentile of the worst recent interval
 * @property {number | null} loadCpu CPU time of the load client, in cores
 * @property {number} clients how many are connected
 * @property {number | null} back seconds that all clients took to reconnect the last time
 */

/**
 * One side of the race: a server and its load client. Emits `end` when one of the two is
 * gone without being asked, and the other is then stopped, too.
 */
class Lane extends EventEmitter {
  #racer;
  #spectators;
  #reports = new Recent();
  #intervals = new Recent();
  /** Time of the server's last report. */
  #heardAt = performance.now();
  #isStopped = false;
  #isReconnecting = false;
  /** @type {number | null} */
  #back = null;
  /** @type {string} */
  name;
  /** The reason for its end; null while it runs. @type {string | null} */
  ended = null;

  /**
   * Starts a server and its clients.
   *
   * @param {string} name
   * @param {string} contender
   * @param {string} host the address to listen on
   * @param {number} clients how many connect
   * @returns {Promise<Lane>}
   * @throws {Error} if the server cannot serve, or not so many clients
   */
  static async start(name, contender, host, clients) {
    const lane = new Lane(name);
    try {
      await lane.#start(contender, host, clients);
    } catch (error) {
      await lane.stop();
      throw error;
    }
    return lane;
  }

  /** @private */
  constructor(name) {
    super();
    this.name = name;
  }

  /** @returns {number} the port of the server */
  get port() {
    return this.#racer.listening.port;
  }

  /** @returns {number} the process id of the server */
  get pid() {
    return this.#racer.pid;
  }

  /** @param {number} clients how many there have to be from now on */
  setClients(clients) {
    if (!this.#isStopped) this.#spectators.set(clients);
  }

  /** Lets all clients reconnect at once. */
  reconnect() {
    if (this.#isStopped) return;
    this.#isReconnecting = true;
    this.#back = null;
    this.#spectators.reconnect();
  }

  /** Returns whether this many clients are connected, as far as is known, or none will ever be. */
  hasClients(clients) {
    if (this.#isStopped) return true;
    return !this.#isReconnecting && this.#intervals.last?.clients >= clients;
  }

  /**
   * Lets the server broadcast from now on.
   *
   * @param {import("./broadcaster.js").Timetable} timetable
   */
  broadcast(timetable) {
    this.#racer.broadcast(timetable);
  }

  /** Ends the broadcasts, until others begin. */
  pause() {
    this.#racer.pause();
  }

  /** @returns {Sample | null} null once it has ended */
  sample() {
    if (this.ended !== null) return null;
    const silence = performance.now() - this.#heardAt;
    const report = silence > SILENCE_MILLISECONDS ? { lag: silence } : this.#reports.last;
    return {
      lag: report?.lag ?? null,
      rss: report?.rss ?? null,
      loop: this.#reports.perSecond("loop"),
      cpu: this.#reports.perSecond("cpu"),
      sent: this.#reports.perSecond("sent"),
      leftOut: this.#reports.perSecond("leftOut"),
      deliveries: this.#intervals.perSecond("deliveries"),
      latency: this.#intervals.largest(({ latency }) => latency.p99 / 1e3),
      loadCpu: this.#intervals.perSecond("cpu"),
      clients: this.#intervals.last?.clients ?? 0,
      back: this.#back,
    };
  }

  /** Ends both processes, at once, and waits until they have. */
  async stop() {
    this.#isStopped = true;
    await Promise.all([this.#racer?.stop(), this.#spectators?.stop()]);
  }

  async #start(contender, host, clients) {
    this.#racer = await RacerProcess.start(contender, host, (report) => {
      this.#heardAt = performance.now();
      this.#reports.add(report);
    });
    const address = socketAddress(this.#racer.listening);
    this.#spectators = await Spectators.connect(address, clients, (interval) =>
      this.#handleInterval(interval),
    );
    this.#awaitEnd();
  }

  #handleInterval(interval) {
    // The server's CPU time is in seconds, too.
    this.#intervals.add({ ...interval, cpu: interval.cpu / 1e6 });
    if (interval.back === null) return;
    this.#isReconnecting = false;
    this.#back = interval.back;
  }

  /** Notices when one of the processes ends. */
  async #awaitEnd() {
    const server = this.#racer.exited.then(serverEnd);
    // If the server is the reason, its own end says more.
    const clients = this.#spectators.ended.then(() =>
      Promise.race([server, sleep(END_MILLISECONDS, "The load client has ended")]),
    );
    const reason = await Promise.race([server, clients]);
    if (this.#isStopped) return;
    this.ended = reason;
    await this.stop();
    this.emit("end");
  }
}

/** @returns {string} how the server has ended */
function serverEnd({ code, signal }) {
  return `The server has ended (${signal ?? `exit code ${code}`})`;
}

/** @returns {string} an address and port, as one would write them in a URL */
function socketAddress({ address, family, port }) {
  return family === "IPv6" ? `[${address}]:${port}` : `${address}:${port}`;
}

module.exports = { Lane };
