"use strict";

/**
 * Which operations of a program are done at once in a cluster, and which are put off until all
 * that has been published has come to its end. Messages of one node to one namespace arrive
 * everywhere in the order in which they were published; no other order is promised. So what is
 * under way at one time is of one publisher in one namespace, and a program has one outcome.
 */
class ClusterOrder {
  #isDynamic;
  #isSharded;
  /** Whose turn it is. */
  #stage = null;
  #isOfClient = false;
  /** The namespace in which something has been published in this turn. */
  #namespace;
  /** Whether the next operation is the only one of this turn. */
  #isAlone = false;
  #isStorm = false;
  /** What was put off, by the stage that is to do it. */
  #putOff = new Map();

  /**
   * @param {{ isDynamic: boolean, isSharded: boolean }} protocol whether nodes subscribe to rooms when
   *   they have somebody there, and whether it is the sharded one: then nodes do what they publish
   *   some time after, the official ones when Redis has answered, ours soon
   */
  constructor({ isDynamic, isSharded }) {
    this.#isDynamic = isDynamic;
    this.#isSharded = isSharded;
  }

  /**
   * Nothing is under way.
   *
   * @param {object | null} stage that of the node that acts, if one does
   * @param {boolean} [isOfClient] whether it does so since one of its clients has done something
   */
  begin(stage, isOfClient = false) {
    this.#stage = stage;
    this.#isOfClient = isOfClient;
    this.#namespace = undefined;
    this.#isAlone = false;
  }

  /** What is done is done at once. */
  beginStorm() {
    this.#isStorm = true;
  }

  endStorm() {
    this.#isStorm = false;
  }

  /** Whether what a client does is what this turn is about. */
  isOfClient(stage) {
    return this.#isOfClient && stage === this.#stage && !this.#isSharded;
  }

  /**
   * @param {object} stage
   * @param {object} op
   * @param {{ isPrompt: boolean, isPublic: boolean }} how whether it is part of what the node does
   *   by itself in this turn, and whether it publishes something
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
    // A node that has to subscribe to a room first may miss what follows at once.
    return isFirst || (this.#namespace === namespace && !this.#isDynamic);
  }

  /** Stages do what they have put off in the order in which they are added. */
  add(stage) {
    this.#putOff.set(stage, []);
  }

  /** @returns {boolean} whether something that had been put off is done now */
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
