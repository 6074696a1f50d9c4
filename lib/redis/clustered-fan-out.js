"use strict";

const { FanOut } = require("../adapter/fan-out.js");
const { unwatchProperty, watchProperty } = require("../adapter/watched.js");

/** The fan-outs of adapters in a cluster, by the adapter. */
const fanOuts = new WeakMap();

/**
 * The fan-out of an adapter in a cluster. Broadcasts of other nodes go to the workers without
 * JavaScript, and may name any room. So all rooms are mirrored from the beginning, and everything that
 * changes is reported to a `RoomDirectory`, which notes it until the next flush.
 *
 * Each method that is overridden reports a change after `RoomMirror` has followed it. From `attach()`
 * to `detach()`, `adapter.rooms`, `adapter.sids` and `nsp.sockets` themselves are watched, too: there may
 * be no broadcast of this node, at which `synchronize()` would find that a map has been replaced.
 */
class ClusteredFanOut extends FanOut {
  #handleReplaced = () => this.handleReplaced();

  /** @param {import("socket.io-adapter").Adapter} adapter */
  constructor(adapter) {
    super(adapter);
    /** @type {import("./room-directory.js").RoomDirectory | null} */
    this.directory = null;
    fanOuts.set(adapter, this);
  }

  /** @param {import("./room-directory.js").RoomDirectory} directory */
  attach(directory) {
    this.directory = directory;
    this.#changeProperties(watchProperty);
    this.handleReplaced();
  }

  /** Ends the reports to the directory. */
  detach() {
    this.directory = null;
    this.#changeProperties(unwatchProperty);
  }

  #changeProperties(change) {
    const { adapter } = this;
    for (const name of ["rooms", "sids"]) change(adapter, name, this.#handleReplaced);
    change(adapter.nsp, "sockets", this.#handleReplaced);
  }

  start() {
    super.start();
    if (this.directory === null || !this.isWatching) return;
    for (const [name, set] of this.adapter.rooms) this.#mirrorNamed(name, set);
  }

  handleReplaced() {
    super.handleReplaced();
    this.directory?.handleRestart();
  }

  addServer(server) {
    super.addServer(server);
    this.directory?.handleServer(server);
  }

  countServed(id, change) {
    super.countServed(id, change);
    this.directory?.touchAll();
  }

  clear() {
    super.clear();
    this.directory?.handleClear();
  }

  handleRoom(name, set, previous) {
    const room = this.mirroredOf(previous);
    if (room !== undefined) this.#removeName(room, name);
    if (this.directory !== null) this.#mirrorNamed(name, set);
  }

  /** Removes a name of a mirrored Set, which is forgotten with the last one. */
  #removeName(room, name) {
    room.removeName(name);
    if (room.names.length === 0) this.forget(room);
  }

  #mirrorNamed(name, set) {
    this.directory.touch(name);
    if (this.isReadable(set)) this.mirror(set).addName(name);
  }

  handleRoomChange(room) {
    this.directory?.touchNamesOf(room);
  }
}

/** @returns {ClusteredFanOut | undefined} the fan-out of an adapter, if it is in a cluster */
function clusteredFanOutOf(adapter) {
  return fanOuts.get(adapter);
}

module.exports = { ClusteredFanOut, clusteredFanOutOf };
