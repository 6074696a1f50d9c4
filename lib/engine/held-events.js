"use strict";

// Taken now: test tools replace that of the global object with one that stands still.
const { setImmediate } = require("node:timers");

/**
 * The events of a paused connection: what its worker had read before it stopped reading. With ws
 * they stay in the stream of the socket.
 */
class HeldEvents {
  constructor(connection) {
    this.connection = connection;
    this.events = [];
    this.isPaused = true;
    this.isDelivering = false;
    this.deliver = this.deliver.bind(this);
  }

  /**
   * Takes an event, unless it is one of those that are being delivered.
   *
   * @param {string} method of the connection
   * @param {...unknown} values its arguments
   * @returns {boolean} whether the event is to wait
   */
  hold(method, ...values) {
    if (this.isDelivering) return false;
    this.events.push([method, ...values]);
    return true;
  }

  pause() {
    this.isPaused = true;
  }

  /** Delivers the events in a turn of their own, then has the worker read on. */
  resume() {
    if (!this.isPaused) return;
    this.isPaused = false;
    setImmediate(this.deliver);
  }

  deliver() {
    if (this.connection.held !== this) return;
    this.connection.runInContext(() => this.deliverHeld());
  }

  deliverHeld() {
    try {
      while (!this.isPaused && this.events.length > 0) this.deliverNext();
    } finally {
      if (!this.isPaused) this.handleDelivered();
    }
  }

  /** Some events are left if a listener has thrown. */
  handleDelivered() {
    if (this.events.length > 0) setImmediate(this.deliver);
    else this.connection.handleResumed();
  }

  /** Delivers all at once: the connection is over. */
  flush() {
    try {
      while (this.events.length > 0) this.deliverNext();
    } finally {
      if (this.events.length > 0) this.flush();
    }
  }

  deliverNext() {
    const [method, ...values] = this.events.shift();
    this.isDelivering = true;
    try {
      this.connection[method](...values);
    } finally {
      this.isDelivering = false;
    }
  }
}

module.exports = { HeldEvents };
