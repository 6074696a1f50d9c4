"use strict";

// Taken now: test tools replace that of the global object with one that stands still.
const { setImmediate } = require("node:timers");

/**
 * Events that wait to be delivered, in a turn of their own.
 *
 * If a listener throws, Node.js reports the error as for any callback, and the remaining events are
 * delivered in the next turn: the error of one listener does not keep events from others. Subclasses
 * hold the events:
 *   - `deliverEvents()` delivers them in order, until all are delivered or a listener throws;
 *   - `hasEvents` is true while events remain;
 *   - `handleDelivered()` is called when no event remains.
 */
class PendingEvents {
  constructor() {
    this.deliver = this.deliver.bind(this);
  }

  /** Schedules a delivery for a turn of its own. */
  schedule() {
    setImmediate(this.deliver);
  }

  /** Delivers events now. */
  deliver() {
    try {
      this.deliverEvents();
    } finally {
      if (this.hasEvents) this.schedule();
      else this.handleDelivered();
    }
  }
}

module.exports = { PendingEvents };
