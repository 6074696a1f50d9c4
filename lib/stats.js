"use strict";

const { END_REASONS } = require("./addon/codes.js");

/** The sources of `turbo.stats()` in this environment (main thread or worker thread). */
class Stats {
  /** @type {import("./engine/workers.js").Workers | null} null before the first connection */
  #workers = null;
  /** Connections that were left to ws, by reason. */
  #fallbacks = {};
  /** Connections to Redis that have not ended. */
  #links = new Set();

  /** @param {{ state: string, native: { stats: () => object } }} link a connection to Redis */
  addLink(link) {
    this.#links.add(link);
  }

  removeLink(link) {
    this.#links.delete(link);
  }

  setWorkers(workers) {
    this.#workers = workers;
  }

  /** Counts a connection that is left to ws. */
  countFallback(reason) {
    this.#fallbacks[reason] = (this.#fallbacks[reason] ?? 0) + 1;
  }

  /** @returns {object} see `Stats` in index.d.ts */
  read() {
    const workers = this.#workers === null ? [] : this.#workers.native.stats();
    const sum = (field) => workers.reduce((total, worker) => total + worker[field], 0);
    return {
      connections: {
        native: sum("connections"),
        opened: sum("opened"),
        fallback: { ...this.#fallbacks },
        ended: endedByReason(workers),
      },
      messagesIn: sum("messagesIn"),
      framesOut: sum("framesOut"),
      bytesIn: sum("bytesIn"),
      bytesOut: sum("bytesOut"),
      queuedBytes: sum("queuedBytes"),
      reads: sum("reads"),
      writes: sum("writes"),
      broadcasts: sum("broadcasts"),
      volatileDropped: sum("volatileDropped"),
      replaced: sum("replaced"),
      wakes: sum("wakes"),
      notifications: sum("notifications"),
      stalls: sum("stalls"),
      redis: [...this.#links].map(({ state, native }) => ({ state, ...native.stats() })),
      workers: workers.map((worker) => ({ ...worker, ended: endedByReason([worker]) })),
    };
  }
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
