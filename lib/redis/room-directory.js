"use strict";

const { AddressKind } = require("../addon/codes.js");
const { NO_ROOM } = require("../adapter/mirrored-room.js");
const { SERVER_EVENTS } = require("../adapter/packet-listeners.js");
const { environmentWorkers } = require("../engine/workers.js");

const { Nobody: NOBODY, Room: ROOM, Member: MEMBER } = AddressKind;

/**
 * The directories of the namespaces of an Engine.IO server. They share one listener for each event:
 * Node.js warns of more than ten.
 *
 * @type {WeakMap<import("engine.io").Server, Set<RoomDirectory>>}
 */
const watching = new WeakMap();

function watch(server, directory) {
  const directories = watching.get(server);
  if (directories !== undefined) {
    directories.add(directory);
    return;
  }
  watching.set(server, new Set([directory]));
  server.on("newListener", handleNewListener);
  server.on("removeListener", handleRemovedListener);
}

function unwatch(server, directory) {
  const directories = watching.get(server);
  directories.delete(directory);
  if (directories.size > 0) return;
  watching.delete(server);
  server.removeListener("newListener", handleNewListener);
  server.removeListener("removeListener", handleRemovedListener);
}

/** Node.js calls this before it adds the listener, with the server as `this`. */
function handleNewListener(event) {
  if (!SERVER_EVENTS.includes(event)) return;
  for (const directory of watching.get(this)) directory.setObserved(true);
}

function handleRemovedListener(event) {
  if (!SERVER_EVENTS.includes(event)) return;
  for (const directory of watching.get(this)) directory.observe();
}

/**
 * Keeps the addon's directory of one namespace up to date: by the name of a room, where its direct
 * members are, and whether JavaScript serves others. By it the addon finds the recipients of other
 * nodes' broadcasts without JavaScript.
 *
 * The fan-out calls `touch()`, `touchNamesOf()`, `touchAll()` and the `handle…()` methods at each
 * change. They only note what to look up again. `flush()` does it once a turn, right before the workers
 * get their commands, so that the directory changes together with the workers' rooms.
 */
class RoomDirectory {
  #fanOut;
  #workers = environmentWorkers();
  /** Names of rooms that have changed since the last flush. */
  #touched = new Set();
  /** Set if the sockets of the namespace have changed since the last flush. */
  #isAllTouched = false;
  /** The Engine.IO servers of direct members, whose listeners are watched. */
  #servers = new Set();
  /** Set while JavaScript has to deliver everything, because listeners must get every packet. */
  #isObserved = false;
  /** Names of rooms that only the official code can read. */
  #unreadable = new Set();
  /** Set while JavaScript has to deliver everything, because of these rooms or of the maps. */
  #isUnreadable = false;

  /** @param {import("./clustered-fan-out.js").ClusteredFanOut} fanOut */
  constructor(fanOut) {
    this.#fanOut = fanOut;
    /** The namespace's id in the addon. */
    this.namespace = this.#workers.native.addNamespace();
  }

  /** Notes that a room has changed. */
  touch(name) {
    if (!isNameable(name)) return;
    this.#touched.add(name);
    this.#workers.scheduleBefore(this);
  }

  /** Notes that the sockets of the namespace have changed. */
  touchAll() {
    this.#isAllTouched = true;
    this.#workers.scheduleBefore(this);
  }

  /**
   * Notes that a mirrored room has changed, under all its names.
   *
   * @param {import("../adapter/mirrored-room.js").MirroredRoom} room
   */
  touchNamesOf({ names }) {
    for (const name of names) this.touch(name);
  }

  /** Called when the last direct member has become served. */
  handleClear() {
    for (const room of this.#fanOut.mirrored) this.touchNamesOf(room);
    this.touchAll();
    this.#forgetServers();
  }

  /** Called when a member on this Engine.IO server has become direct. */
  handleServer(server) {
    this.touchAll();
    if (this.#servers.has(server)) return;
    this.#servers.add(server);
    watch(server, this);
    this.observe();
  }

  /** Looks for listeners that must get the packets of all sockets. */
  observe() {
    this.setObserved(this.#servers.size > 0 && this.#fanOut.isObserved);
  }

  /** @param {boolean} isObserved true if such listeners are there, or are about to be added */
  setObserved(isObserved) {
    if (this.#isObserved === isObserved) return;
    this.#isObserved = isObserved;
    this.#workers.native.setObserved(this.namespace, isObserved);
    this.#workers.scheduleFlush();
  }

  /** Called when the fan-out has made its mirror anew. */
  handleRestart() {
    for (const name of this.#unreadable) this.touch(name);
    this.touchAll();
  }

  #checkReadable(name, isReadable) {
    if (isReadable) this.#unreadable.delete(name);
    else this.#unreadable.add(name);
  }

  /** Makes JavaScript deliver everything, or not, since the fan-out cannot read the rooms. */
  #setUnreadable(isUnreadable) {
    if (this.#isUnreadable === isUnreadable) return;
    this.#isUnreadable = isUnreadable;
    this.#workers.native.setUnreadable(this.namespace, isUnreadable);
  }

  #forgetServers() {
    for (const server of this.#servers) unwatch(server, this);
    this.#servers.clear();
    this.setObserved(false);
  }

  /** Called before the workers get the commands of this turn. */
  flush() {
    const { native } = this.#workers;
    if (this.#isAllTouched) this.#flushAll(native);
    for (const name of this.#touched) this.flushRoom(native, name);
    this.#touched.clear();
    this.observe();
    this.#setUnreadable(!this.#fanOut.isWatching || this.#unreadable.size > 0);
  }

  #flushAll(native) {
    this.#isAllTouched = false;
    const { all, isEmpty, served } = this.#fanOut;
    native.setAll(this.namespace, isEmpty ? NOBODY : ROOM, isEmpty ? 0 : all, served.size > 0);
  }

  /** @private called by `flush()`, and replaced by tests */
  flushRoom(native, name) {
    const { namespace } = this;
    const { rooms } = this.#fanOut.adapter;
    const set = rooms.get(name);
    const room = this.#fanOut.mirroredOf(set);
    this.#checkReadable(name, room !== undefined || !rooms.has(name));
    if (room === undefined) {
      native.forgetRoom(namespace, name);
      return;
    }
    const hasServed = room.servedCount > 0;
    const id = this.#fanOut.workersRoomOf(room);
    const connection = this.#fanOut.onlyConnection(set);
    if (id !== NO_ROOM) native.setRoom(namespace, name, ROOM, id, hasServed);
    else if (connection !== undefined)
      native.setRoom(namespace, name, MEMBER, connection.id, hasServed);
    else native.setRoom(namespace, name, NOBODY, 0, hasServed);
  }

  /** Removes the namespace from the addon's directory. */
  close() {
    this.#forgetServers();
    this.#fanOut.detach();
    this.#touched.clear();
    this.#isAllTouched = false;
    this.#workers.native.removeNamespace(this.namespace);
    this.#workers.scheduleFlush();
  }
}

/** Returns whether other nodes can name a room. */
function isNameable(room) {
  if (typeof room === "string") return room.isWellFormed();
  if (typeof room === "number") return !Number.isNaN(room);
  return typeof room === "boolean" || room === null;
}

module.exports = { RoomDirectory };
