"use strict";

const { PendingEvents } = require("./pending-events.js");

/**
 * Events of a paused connection: those that its worker had read before it stopped reading. With ws,
 * they stay in the stream of the socket.
 */
class HeldEvents extends PendingEvents {
  #connection;
  /** The name of the connection's method and its arguments, for each event. */
  #events = [];
  #isPaused = true;
  #isDelivering = false;

  /** @param {import("./connection.js").Connection} connection */
  constructor(connection) {
    super();
    this.#connection = connection;
  }

  /**
   * Holds an event back, unless it is the one that is being delivered.
   *
   * @param {string} method of the connection
   * @param {...unknown} values its arguments
   * @returns {boolean} true if the event has to wait
   */
  hold(method, ...values) {
    if (this.#isDelivering) return false;
    this.#events.push([method, ...values]);
    return true;
  }

  pause() {
    this.#isPaused = true;
  }

  /** Delivers the events in a turn of their own; then the worker reads on. */
  resume() {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.schedule();
  }

  deliver() {
    if (this.#connection.held !== this) return;
    this.#connection.runInContext(() => super.deliver());
  }

  get hasEvents() {
    return !this.#isPaused && this.#events.length > 0;
  }

  deliverEvents() {
    while (this.hasEvents) this.#deliverNext();
  }

  /** A listener may have paused the connection again. */
  handleDelivered() {
    if (!this.#isPaused) this.#connection.handleResumed();
  }

  /** Delivers all events at once, paused or not: the connection is over. */
  flush() {
    try {
      while (this.#events.length > 0) this.#deliverNext();
    } finally {
      if (this.#events.length > 0) this.flush();
    }
  }

  #deliverNext() {
    const [method, ...values] = this.#events.shift();
    this.#isDelivering = true;
    try {
      this.#connection[method](...values);
    } finally {
      this.#isDelivering = false;
    }
  }
}

module.exports = { HeldEvents };
