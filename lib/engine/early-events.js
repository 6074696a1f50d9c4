"use strict";

const { PendingEvents } = require("./pending-events.js");

/**
 * Events of a connection that its worker reported before Node.js had closed its own descriptor. The
 * connection gets its asynchronous context there, and then `schedule()` is called.
 */
class EarlyEvents extends PendingEvents {
  #connection;
  #events = [];

  /** @param {import("./connection.js").Connection} connection */
  constructor(connection) {
    super();
    this.#connection = connection;
  }

  /** @param {() => void} event delivers the event when it is called */
  push(event) {
    this.#events.push(event);
  }

  get hasEvents() {
    return this.#events.length > 0;
  }

  deliverEvents() {
    while (this.hasEvents) this.#connection.runInContext(this.#events.shift());
  }

  handleDelivered() {
    this.#connection.handleEarlyDelivered();
  }
}

module.exports = { EarlyEvents };
