"use strict";

const { unwatchSet, watchSet } = require("./watched.js");

/** The `id` of a room that the workers do not have. */
const NO_ROOM = -1;

/** Stands for the name of a room that has none, since any value can be a name. */
const NO_NAME = Symbol("no name");

/**
 * A Set of `adapter.rooms` that a `RoomMirror` follows. It observes the Set from its construction to
 * `stop()`, and reports each change to the mirror by `handleJoin()` and `handleLeave()`, which sends it
 * to the workers. The mirror keeps `id`, `servedCount` and the names up to date.
 */
class MirroredRoom {
  /**
   * @param {import("./room-mirror.js").RoomMirror} mirror
   * @param {Set<string>} set for which `isWatchableSet()` holds
   */
  constructor(mirror, set) {
    this.mirror = mirror;
    this.set = set;
    /** The number of ids that have been reported. */
    this.size = 0;
    /** The id of the workers' room of its direct members, once one is needed. */
    this.id = NO_ROOM;
    /** The number of ids that are served. */
    this.servedCount = 0;
    /** The name in `adapter.rooms`, in a cluster. An array would be larger than the whole object. */
    this.name = NO_NAME;
    /** @type {Set<unknown> | null} further names of the same Set, in a cluster */
    this.otherNames = null;
    for (const id of set) this.handleAdd(id);
    watchSet(set, this);
  }

  /** True if all changes of the Set have been reported, as far as its size shows. */
  get isFullyReported() {
    return this.size === this.set.size;
  }

  /** @returns {unknown[]} the names that have been added */
  get names() {
    if (this.name === NO_NAME) return [];
    return this.otherNames === null ? [this.name] : [this.name, ...this.otherNames];
  }

  addName(name) {
    const names = new Set(this.names).add(name);
    if (names.size === 1) this.name = name;
    else setNames(this, names);
  }

  removeName(name) {
    const names = new Set(this.names);
    if (names.delete(name)) setNames(this, names);
  }

  /** Called by the watched Set. */
  handleAdd(id) {
    this.size++;
    this.mirror?.handleJoin(this, id);
  }

  /** Called by the watched Set. */
  handleDelete(id) {
    this.size--;
    this.mirror?.handleLeave(this, id);
  }

  /** Ends the reports of changes. */
  stop() {
    this.mirror = null;
    unwatchSet(this.set);
  }
}

function setNames(room, [name = NO_NAME, ...others]) {
  room.name = name;
  room.otherNames = others.length === 0 ? null : new Set(others);
}

module.exports = { MirroredRoom, NO_ROOM };
