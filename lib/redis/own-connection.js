"use strict";

const { AsyncResource } = require("node:async_hooks");
const { setImmediate } = require("node:timers");
const { Transport } = require("./transport.js");
const { RedisError } = require("../errors.js");
const { RedisEventKind } = require("../addon/codes.js");
const { binding } = require("../addon/index.js");
const { attachmentsOf } = require("./redis-messages.js");
const { stats } = require("../stats.js");

const {
  Message: MESSAGE,
  Ready: READY,
  Connecting: CONNECTING,
  Ended: ENDED,
  Error: ERROR,
  Answer: ANSWER,
} = RedisEventKind;

/** What events run in: no request's context. */
const context = new AsyncResource("socket.io-turbo");

/**
 * A connection to Redis that a thread of its own keeps, for the adapters of one factory. It ends
 * with the last of them.
 */
class OwnConnection extends Transport {
  /**
   * @param {object} options as `RedisLinkOptions` in binding.d.ts
   * @param {import("node:events").EventEmitter} events where `ready`, `reconnecting`, `error` and
   *   `end` are emitted
   */
  constructor(options, events) {
    super(events);
    this.deliver = this.deliver.bind(this);
    this.native = new binding.RedisLink(this.workers.native, options, () =>
      context.runInAsyncScope(this.deliver),
    );
    /** `connecting`, `ready`, or `ended`. */
    this.state = "connecting";
    /** What has come and has not been delivered, if a listener has thrown. */
    this.late = [];
    this.questions = new Map();
    this.lastQuestion = 0;
    this.ended = new Promise((resolve) => {
      this.resolveEnded = resolve;
    });
    this.native.keepAlive(true);
    stats.addLink(this);
  }

  /**
   * Takes a node away, and ends the link after the last.
   *
   * @returns {Promise<void>} when Redis has been left, if this was the last
   */
  async remove(namespace) {
    this.forget(namespace);
    if (!this.isClosing) return;
    this.native.close();
    await this.ended;
  }

  subscribe(namespace, messageKind, kind, channels) {
    if (channels.length === 0) return;
    this.native.subscribe(namespace, messageKind, kind, channels);
    this.schedule();
  }

  unsubscribe(namespace, messageKind, kind, channels) {
    if (channels.length === 0) return;
    this.native.unsubscribe(namespace, messageKind, kind, channels);
    this.schedule();
  }

  /**
   * @param {string} channel
   * @param {string | Buffer} message
   * @param {boolean} isSharded whether by `SPUBLISH`
   */
  publish(channel, message, isSharded) {
    this.native.publish(channel, message, isSharded);
    this.schedule();
  }

  /**
   * @param {number} namespace
   * @param {string} channel
   * @param {Array<string | Uint8Array>} packet what the parser's encoder makes of it
   * @param {string} options `{ rooms, except, flags }` as JSON
   * @param {boolean} isSharded whether by `SPUBLISH`, in the sharded protocol
   */
  publishBroadcast(namespace, channel, packet, options, isSharded) {
    const attachments = attachmentsOf(packet);
    this.native.publishBroadcast(namespace, channel, packet[0], attachments, options, isSharded);
    this.schedule();
  }

  /**
   * @param {string} channel
   * @param {boolean} isSharded
   * @returns {Promise<number>} how many nodes have subscribed to it, on all servers of a Redis
   *   Cluster; rejected if Redis is not there
   */
  countSubscribers(channel, isSharded) {
    return this.ask((question) => this.native.countSubscribers(question, channel, isSharded));
  }

  ask(put) {
    return new Promise((resolve, reject) => {
      this.lastQuestion = (this.lastQuestion + 1) >>> 0;
      this.questions.set(this.lastQuestion, { resolve, reject });
      put(this.lastQuestion);
      this.schedule();
    });
  }

  /** What is published leaves behind the changes of the rooms of this turn, on all nodes here. */
  schedule() {
    this.workers.scheduleAfter(this);
  }

  /** The workers call this at the end of the turn. */
  flush() {
    this.native.flush();
  }

  /** Delivers what has come; what is behind a listener that throws, in the next turn. */
  deliver() {
    const isLate = this.late.length > 0;
    const events = isLate ? this.late : this.native.take();
    this.late = [];
    let delivered = 0;
    try {
      while (delivered < events.length) this.dispatch(events[delivered++]);
    } finally {
      this.late = events.slice(delivered);
      // Where nothing was taken, the link has not been heard.
      if (isLate || this.late.length > 0) setImmediate(this.deliver);
    }
  }

  dispatch(event) {
    switch (event.kind) {
      case MESSAGE:
        return this.hand(event.namespace, event.channel, event.message);
      case READY:
        return this.handleReady();
      case CONNECTING:
        return this.handleConnecting();
      case ENDED:
        return this.handleEnded();
      case ERROR:
        return this.report(event.text);
      case ANSWER:
        return this.handleAnswer(event);
    }
  }

  handleReady() {
    this.state = "ready";
    this.hasWarned = false;
    this.events.emit("ready");
  }

  handleConnecting() {
    if (this.state === "ready") this.events.emit("reconnecting");
    this.state = "connecting";
  }

  handleEnded() {
    this.state = "ended";
    this.native.keepAlive(false);
    stats.removeLink(this);
    for (const { reject } of this.questions.values()) reject(new RedisError("the link has ended"));
    this.questions.clear();
    this.resolveEnded();
    this.events.emit("end");
  }

  handleAnswer({ question, number, text }) {
    const { resolve, reject } = this.questions.get(question) ?? {};
    this.questions.delete(question);
    if (text === undefined) resolve?.(number);
    else reject?.(new RedisError(text));
  }
}

module.exports = { OwnConnection };
