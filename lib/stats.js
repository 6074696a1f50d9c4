"use strict";

const { END_REASONS, HISTOGRAM_BOUNDS } = require("./addon/codes.js");

/** The sources of `turbo.stats()` in this environment (main thread or worker thread). */
class Stats {
  /** @type {import("./engine/workers.js").Workers | null} null before the first connection */
  #workers = null;
  /** Connections that were left to ws, by reason. */
  #fallbacks = {};
  /** Servers whose listening was left to Node.js, by reason. */
  #serverFallbacks = {};
  /** Sessions that began on connections that I/O threads have accepted, and handshakes that were refused. */
  #sessions = 0;
  #refused = 0;
  /** Connections that I/O threads have accepted, and Node.js got, by reason. */
  #passed = {};
  /** Clients that did not agree with an I/O thread about TLS. */
  #tlsFailed = 0;
  /** Upgrade requests that our WebSocket servers have got. */
  #handshakes = 0;
  /** The counts of the limits of clients that no worker serves. */
  #rateLimit = { pauses: 0, dropped: 0 };
  /** Connections to Redis that have not ended. */
  #links = new Set();
  /** The last counters of connections to Redis that have ended. */
  #endedLinks = {};

  /** @param {{ state: string, native: { stats: () => object } }} link a connection to Redis */
  addLink(link) {
    this.#links.add(link);
  }

  removeLink(link) {
    if (this.#links.delete(link)) addTo(this.#endedLinks, link.native.stats());
  }

  setWorkers(workers) {
    this.#workers = workers;
  }

  /** Counts a connection that is left to ws. */
  countFallback(reason) {
    this.#fallbacks[reason] = (this.#fallbacks[reason] ?? 0) + 1;
  }

  /** Counts a server whose listening is left to Node.js. */
  countServerFallback(reason) {
    this.#serverFallbacks[reason] = (this.#serverFallbacks[reason] ?? 0) + 1;
  }

  /** Counts a session that begins on a connection that I/O threads have accepted. */
  countSession() {
    this.#sessions++;
  }

  /** Counts a handshake on such a connection that is refused. */
  countRefused() {
    this.#refused++;
  }

  /** Counts a connection that I/O threads have accepted, and Node.js gets. */
  countPassed(reason) {
    this.#passed[reason] = (this.#passed[reason] ?? 0) + 1;
  }

  /** Counts a client that does not agree with an I/O thread about TLS. */
  countTlsFailure() {
    this.#tlsFailed++;
  }

  /** Counts a handshake that begins. */
  countHandshake() {
    this.#handshakes++;
  }

  /** Counts a client that no worker serves and whose input has to wait for its next window. */
  countRateLimitPause() {
    this.#rateLimit.pauses++;
  }

  /** Counts an event of such a client that is dropped. */
  countRateLimitDropped() {
    this.#rateLimit.dropped++;
  }

  /**
   * Returns counters of Redis for the whole life of the process: those of `Stats` begin anew with each
   * connection.
   *
   * @param {string[]} fields of `RedisStats` that only grow
   * @returns {Record<string, number>}
   */
  readRedisTotals(fields) {
    const totals = Object.fromEntries(fields.map((field) => [field, 0]));
    const parts = [this.#endedLinks, ...[...this.#links].map(({ native }) => native.stats())];
    for (const part of parts) {
      for (const field of fields) totals[field] += part[field] ?? 0;
    }
    return totals;
  }

  /** @returns {object} see `Stats` in index.d.ts */
  read() {
    const workers = this.#workers === null ? [] : this.#workers.native.stats();
    const sum = (field) => workers.reduce((total, worker) => total + worker[field], 0);
    return {
      connections: {
        native: sum("connections"),
        handshakes: this.#handshakes,
        opened: sum("opened"),
        fallback: { ...this.#fallbacks },
        ended: endedByReason(workers),
      },
      messagesIn: sum("messagesIn"),
      framesOut: sum("framesOut"),
      bytesIn: sum("bytesIn"),
      bytesOut: sum("bytesOut"),
      queuedBytes: sum("queuedBytes"),
      slowClients: sum("slowClients"),
      reads: sum("reads"),
      writes: sum("writes"),
      broadcasts: sum("broadcasts"),
      volatileDropped: sum("volatileDropped"),
      replaced: sum("replaced"),
      wakes: sum("wakes"),
      notifications: sum("notifications"),
      stalls: sum("stalls"),
      rateLimitPauses: sum("rateLimitPauses") + this.#rateLimit.pauses,
      rateLimitDropped: sum("rateLimitDropped") + this.#rateLimit.dropped,
      delivery: histogram(workers.map(({ delivery }) => delivery)),
      loopLag: histogram(this.#workers === null ? [] : [this.#workers.native.loopLag()]),
      server: {
        accepted: sum("accepted"),
        httpConnections: sum("httpConnections"),
        sessions: this.#sessions,
        refused: this.#refused,
        passed: { ...this.#passed },
        tlsFailed: this.#tlsFailed,
        fallback: { ...this.#serverFallbacks },
      },
      redis: [...this.#links].map(({ state, native }) => ({ state, ...native.stats() })),
      workers: workers.map((worker) => ({
        ...worker,
        delivery: histogram([worker.delivery]),
        ended: endedByReason([worker]),
      })),
    };
  }
}

/** Adds the numbers of `counters` to those of `totals`. */
function addTo(totals, counters) {
  for (const [name, count] of Object.entries(counters)) totals[name] = (totals[name] ?? 0) + count;
}

/**
 * @param {Array<{ sum: number, counts: number[] }>} parts as the addon returns them
 * @returns {object} all of them; see `Histogram` in index.d.ts
 */
function histogram(parts) {
  const counts = Array.from({ length: HISTOGRAM_BOUNDS.length + 1 }, (_, bucket) =>
    parts.reduce((total, part) => total + part.counts[bucket], 0),
  );
  return {
    bounds: [...HISTOGRAM_BOUNDS],
    counts,
    count: counts.reduce((total, count) => total + count, 0),
    sum: parts.reduce((total, part) => total + part.sum, 0),
  };
}

/** Returns how many connections ended, by reason; reasons that have not occurred are left out. */
function endedByReason(workers) {
  const ended = {};
  for (const worker of workers) {
    for (const [index, count] of worker.ended.entries()) {
      const reason = END_REASONS[index];
      if (count > 0) ended[reason] = (ended[reason] ?? 0) + count;
    }
  }
  return ended;
}

module.exports = { stats: new Stats() };
