"use strict";

/**
 * Decides which operations of a program are done at once in a cluster, and which are put off until
 * nothing is under way. Messages of one node to one namespace arrive everywhere in the order in which
 * they were published; no other order is promised. So only messages of one publisher in one namespace
 * are under way at a time, and a program has one outcome.
 */
class ClusterOrder {
  #isDynamic;
  #isSharded;
  /** The stage of the node that acts. */
  #stage = null;
  #isOfClient = false;
  /** The namespace of the messages of this turn. */
  #namespace;
  /** Set if the next operation is the only one of this turn. */
  #isAlone = false;
  #isStorm = false;
  /** Operations that are put off, by their stage. */
  #putOff = new Map();

  /**
   * @param {{ isDynamic: boolean, isSharded: boolean }} protocol `isDynamic` if nodes subscribe to
   *   rooms when they have a member; `isSharded` if nodes act on what they publish some time later,
   *   the official ones when Redis has answered, ours soon
   */
  constructor({ isDynamic, isSharded }) {
    this.#isDynamic = isDynamic;
    this.#isSharded = isSharded;
  }

  /**
   * Begins a turn: nothing is under way.
   *
   * @param {object | null} stage of the node that acts, if one does
   * @param {boolean} [isOfClient] true if it reacts to one of its clients
   */
  begin(stage, isOfClient = false) {
    this.#stage = stage;
    this.#isOfClient = isOfClient;
    this.#namespace = undefined;
    this.#isAlone = false;
  }

  /** Puts nothing off until the storm ends. */
  beginStorm() {
    this.#isStorm = true;
  }

  endStorm() {
    this.#isStorm = false;
  }

  /** Returns whether this turn is about a client's act. */
  isOfClient(stage) {
    return this.#isOfClient && stage === this.#stage && !this.#isSharded;
  }

  /**
   * @param {object} stage
   * @param {object} op
   * @param {{ isPrompt: boolean, isPublic: boolean }} how `isPrompt` if this turn is about it,
   *   `isPublic` if it publishes a message
   * @returns {boolean} whether it is to be done now; if not, it has been put off
   */
  admits(stage, op, { isPrompt, isPublic }) {
    if (this.#isStorm) return true;
    const isLater = op.do === "later" || (op.do === "admit" && this.#isSharded);
    const isInTime = isPrompt && (this.#isAlone || !this.#isSharded);
    const isNow = isPublic ? this.#publishes(op, isPrompt) : isInTime || !isLater;
    this.#isAlone = false;
    if (!isNow) this.#putOff.get(stage).push(op);
    return isNow;
  }

  #publishes({ namespace }, isPrompt) {
    if (!isPrompt) return false;
    const isFirst = this.#namespace === undefined;
    this.#namespace ??= namespace;
    // A node that must subscribe to a room first may miss messages that follow at once.
    return isFirst || (this.#namespace === namespace && !this.#isDynamic);
  }

  /** Adds a stage. Operations that were put off are done in the order of the stages. */
  add(stage) {
    this.#putOff.set(stage, []);
  }

  /** @returns {boolean} whether there was an operation that had been put off; it has been done */
  doNext() {
    for (const [stage, ops] of this.#putOff) {
      const op = ops.shift();
      if (op === undefined) continue;
      this.begin(stage);
      this.#isAlone = true;
      stage.perform([op]);
      return true;
    }
    return false;
  }
}

module.exports = { ClusterOrder };
