"use strict";

// Taken now: test tools replace that of the global object with one that stands still.
const { setImmediate } = require("node:timers");

/**
 * Events that wait to be delivered, in a turn of their own.
 *
 * If a listener throws, Node.js reports the error as for any callback, and the events that are left
 * are delivered in the next turn: a listener that throws costs nobody else an event. A subclass
 * knows where its events are:
 *   - `deliverEvents()` delivers them in order, until none is left or a listener throws;
 *   - `hasEvents` tells whether some are left;
 *   - `handleDelivered()` is called once none is.
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
