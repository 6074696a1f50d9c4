"use strict";

const { PendingEvents } = require("./pending-events.js");

/**
 * Events of a connection that arrived before Node.js had closed its own descriptor. They wait because
 * the connection gets its asynchronous context when that is closed; it then calls `schedule()`.
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
