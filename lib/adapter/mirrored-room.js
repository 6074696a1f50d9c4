"use strict";

const { unwatchSet, watchSet } = require("./watched.js");

/** No room of the workers. */
const NO_ROOM = -1;

/** Of what `adapter.rooms` is not known to have under a name. */
const NO_NAME = Symbol("no name");

/**
 * A Set of `adapter.rooms` that the fan-out mirrors. It is told of each change of the Set, whoever
 * makes it, and passes it on to the workers.
 */
class MirroredRoom {
  /**
   * @param {import("./fan-out.js").FanOut} fanOut
   * @param {Set<string>} set which `isWatchableSet()`
   */
  constructor(fanOut, set) {
    this.fanOut = fanOut;
    this.set = set;
    /** How many ids have been reported. */
    this.size = 0;
    /** The workers' room of its direct members, once it is needed. */
    this.number = NO_ROOM;
    /** How many of the ids JavaScript serves. */
    this.servedCount = 0;
    /** In a cluster: its name in `adapter.rooms`. An array would be larger than all of this. */
    this.name = NO_NAME;
    /** Others, if there are. @type {Set<unknown> | null} */
    this.otherNames = null;
    for (const id of set) this.handleAdd(id);
    watchSet(set, this);
  }

  /** Returns whether all changes of the Set have been reported, as far as its size tells. */
  get isFullyReported() {
    return this.size === this.set.size;
  }

  /** @returns {unknown[]} its names, as far as they have been added */
  get names() {
    if (this.name === NO_NAME) return [];
    return this.otherNames === null ? [this.name] : [this.name, ...this.otherNames];
  }

  addName(name) {
    const names = new Set(this.names).add(name);
    if (names.size === 1) this.name = name;
    else this.setNames(names);
  }

  removeName(name) {
    const names = new Set(this.names);
    if (names.delete(name)) this.setNames(names);
  }

  setNames([name = NO_NAME, ...others]) {
    this.name = name;
    this.otherNames = others.length === 0 ? null : new Set(others);
  }

  handleAdd(id) {
    this.size++;
    this.fanOut?.handleJoin(this, id);
  }

  handleDelete(id) {
    this.size--;
    this.fanOut?.handleLeave(this, id);
  }

  /** From now on changes are not passed on. */
  stop() {
    this.fanOut = null;
    unwatchSet(this.set);
  }
}

module.exports = { MirroredRoom, NO_ROOM };
