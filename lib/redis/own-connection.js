"use strict";

const { AsyncResource } = require("node:async_hooks");
const { setImmediate } = require("node:timers");
const { RedisEventKind } = require("../addon/codes.js");
const { binding } = require("../addon/index.js");
const { RedisError } = require("../errors.js");
const { stats } = require("../stats.js");
const { Transport, attachmentsOf } = require("./transport.js");

const {
  Message: MESSAGE,
  Ready: READY,
  Connecting: CONNECTING,
  Ended: ENDED,
  Error: ERROR,
  Answer: ANSWER,
} = RedisEventKind;

/** The asynchronous context of events: that of no request. */
const context = new AsyncResource("socket.io-turbo");

/**
 * A transport over a connection of its own, which a thread of the addon keeps. It begins with the first
 * adapter of a factory and ends with the last.
 *
 * Commands wait for the end of the turn: `flush()` sends them behind the changes of rooms of the same
 * turn. Events are delivered by `deliver()`, when the addon calls.
 */
class OwnConnection extends Transport {
  /** Events that were taken and not delivered, because a listener threw. */
  #late = [];
  /** By id, the questions that Redis has not answered. */
  #questions = new Map();
  #lastQuestion = 0;
  #resolveEnded;
  #ended = new Promise((resolve) => {
    this.#resolveEnded = resolve;
  });

  /**
   * @param {object} options as `RedisLinkOptions` in binding.d.ts
   * @param {import("node:events").EventEmitter} events on which `ready`, `reconnecting`, `error` and
   *   `end` are emitted
   */
  constructor(options, events) {
    super(events);
    this.deliver = this.deliver.bind(this);
    this.native = new binding.RedisLink(this.workers.native, options, () =>
      context.runInAsyncScope(this.deliver),
    );
    /** @type {"connecting" | "ready" | "ended"} */
    this.state = "connecting";
    this.native.keepAlive(true);
    stats.addLink(this);
  }

  /**
   * Removes a node, and closes the connection after the last.
   *
   * @param {number} namespace
   * @returns {Promise<void>} resolves after the connection has ended, if this was the last node
   */
  async remove(namespace) {
    this.forget(namespace);
    if (!this.isClosing) return;
    this.native.close();
    await this.#ended;
  }

  /**
   * Subscribes a node to channels.
   *
   * @param {number} namespace
   * @param {number} messageKind `BROADCAST`, `REQUEST` or `SHARDED`
   * @param {number} kind `NAMED`, `PATTERN` or `SHARD`
   * @param {string[]} channels
   */
  subscribe(namespace, messageKind, kind, channels) {
    if (channels.length === 0) return;
    this.native.subscribe(namespace, messageKind, kind, channels);
    this.#schedule();
  }

  /** Ends what `subscribe()` began, with the same parameters. */
  unsubscribe(namespace, messageKind, kind, channels) {
    if (channels.length === 0) return;
    this.native.unsubscribe(namespace, messageKind, kind, channels);
    this.#schedule();
  }

  /**
   * Publishes a message.
   *
   * @param {string} channel
   * @param {string | Buffer} message
   * @param {boolean} isSharded true for `SPUBLISH`
   */
  publish(channel, message, isSharded) {
    this.native.publish(channel, message, isSharded);
    this.#schedule();
  }

  /**
   * Publishes a broadcast, whose message the addon makes of the packet for clients.
   *
   * @param {number} namespace
   * @param {string} channel
   * @param {Array<string | Uint8Array>} packet as the parser's encoder returns it
   * @param {string} options `{ rooms, except, flags }` as JSON
   * @param {boolean} isSharded true for `SPUBLISH`, in the sharded protocol
   */
  publishBroadcast(namespace, channel, packet, options, isSharded) {
    const attachments = attachmentsOf(packet);
    this.native.publishBroadcast(namespace, channel, packet[0], attachments, options, isSharded);
    this.#schedule();
  }

  /**
   * Counts the subscribers of a channel, on all servers of a Redis Cluster.
   *
   * @param {string} channel
   * @param {boolean} isSharded
   * @returns {Promise<number>} rejected if Redis cannot be reached
   */
  countSubscribers(channel, isSharded) {
    return new Promise((resolve, reject) => {
      this.#lastQuestion = (this.#lastQuestion + 1) >>> 0;
      this.#questions.set(this.#lastQuestion, { resolve, reject });
      this.native.countSubscribers(this.#lastQuestion, channel, isSharded);
      this.#schedule();
    });
  }

  #schedule() {
    this.workers.scheduleAfter(this);
  }

  /** Sends the commands of this turn. Called by the workers after their own. */
  flush() {
    this.native.flush();
  }

  /** Delivers events. If a listener throws, the rest is delivered in the next turn. */
  deliver() {
    const isLate = this.#late.length > 0;
    const events = isLate ? this.#late : this.native.take();
    this.#late = [];
    let delivered = 0;
    try {
      while (delivered < events.length) this.#dispatch(events[delivered++]);
    } finally {
      this.#late = events.slice(delivered);
      // Late events were delivered instead of new ones, of which the addon notifies only once.
      if (isLate || this.#late.length > 0) setImmediate(this.deliver);
    }
  }

  #dispatch(event) {
    switch (event.kind) {
      case MESSAGE:
        return this.hand(event.namespace, event.channel, event.message);
      case READY:
        return this.#handleReady();
      case CONNECTING:
        return this.#handleConnecting();
      case ENDED:
        return this.#handleEnded();
      case ERROR:
        return this.report(event.text);
      case ANSWER:
        return this.#handleAnswer(event);
    }
  }

  #handleReady() {
    this.state = "ready";
    this.resetWarning();
    this.events.emit("ready");
  }

  #handleConnecting() {
    if (this.state === "ready") this.events.emit("reconnecting");
    this.state = "connecting";
  }

  #handleEnded() {
    this.state = "ended";
    this.native.keepAlive(false);
    stats.removeLink(this);
    for (const { reject } of this.#questions.values()) {
      reject(new RedisError("the link has ended"));
    }
    this.#questions.clear();
    this.#resolveEnded();
    this.events.emit("end");
  }

  #handleAnswer({ question, count, text }) {
    const { resolve, reject } = this.#questions.get(question) ?? {};
    this.#questions.delete(question);
    if (text === undefined) resolve?.(count);
    else reject?.(new RedisError(text));
  }
}

module.exports = { OwnConnection };
