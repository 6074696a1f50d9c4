"use strict";

const { AddressKind } = require("../addon/codes.js");
const { environmentWorkers } = require("../engine/workers.js");
const { NO_ROOM } = require("../adapter/mirrored-room.js");

const { Nobody: NOBODY, Room: ROOM, Member: MEMBER } = AddressKind;

/** Events of an Engine.IO server that tell of the packets of all its sockets. */
const PACKET_EVENTS = ["flush", "drain"];

/**
 * The directories that are told when somebody listens to an Engine.IO server, by the server: one for
 * each namespace, while it has one listener of ours. Node.js warns of more than ten.
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

/** Node.js calls it before the listener is there, with the server as `this`. */
function handleNewListener(event) {
  if (!PACKET_EVENTS.includes(event)) return;
  for (const directory of watching.get(this)) directory.setObserved(true);
}

function handleRemovedListener(event) {
  if (!PACKET_EVENTS.includes(event)) return;
  for (const directory of watching.get(this)) directory.observe();
}

/**
 * Tells the addon where the members of each room are, for the broadcasts of other nodes, which go
 * to the workers without JavaScript. What has changed is told once a turn, when the workers get
 * their commands, and takes effect together with them.
 */
class RoomDirectory {
  /** @param {import("../adapter/fan-out.js").FanOut} fanOut */
  constructor(fanOut) {
    this.fanOut = fanOut;
    this.workers = environmentWorkers();
    this.namespace = this.workers.native.addNamespace();
    /** Rooms of which something has changed. */
    this.touched = new Set();
    this.isAllTouched = false;
    this.servers = new Set();
    this.isObserved = false;
    /** Rooms whose members only the official code can find. */
    this.unreadable = new Set();
    this.isUnreadable = false;
  }

  touch(room) {
    if (!isNameable(room)) return;
    this.touched.add(room);
    this.workers.scheduleBefore(this);
  }

  touchAll() {
    this.isAllTouched = true;
    this.workers.scheduleBefore(this);
  }

  /** @param {import("../adapter/mirrored-room.js").MirroredRoom} room of which something has changed */
  touchNamesOf({ names }) {
    for (const name of names) this.touch(name);
  }

  /** There are no direct members any more. */
  handleClear() {
    for (const room of this.fanOut.mirrored) this.touchNamesOf(room);
    this.touchAll();
    this.forgetServers();
  }

  /** There is a direct member whose connection belongs to this Engine.IO server. */
  handleServer(server) {
    this.touchAll();
    if (this.servers.has(server)) return;
    this.servers.add(server);
    watch(server, this);
    this.observe();
  }

  observe() {
    this.setObserved(this.servers.size > 0 && this.fanOut.isObserved);
  }

  setObserved(isObserved) {
    if (this.isObserved === isObserved) return;
    this.isObserved = isObserved;
    this.workers.native.setObserved(this.namespace, isObserved);
    this.workers.scheduleFlush();
  }

  /** The fan-out has begun anew. */
  handleRestart() {
    for (const name of this.unreadable) this.touch(name);
    this.touchAll();
  }

  /** Called with each room that has changed. */
  checkReadable(name, isReadable) {
    if (isReadable) this.unreadable.delete(name);
    else this.unreadable.add(name);
  }

  /** Where the fan-out cannot read who is in the rooms, all is left to the official code. */
  setUnreadable(isUnreadable) {
    if (this.isUnreadable === isUnreadable) return;
    this.isUnreadable = isUnreadable;
    this.workers.native.setUnreadable(this.namespace, isUnreadable);
  }

  forgetServers() {
    for (const server of this.servers) unwatch(server, this);
    this.servers.clear();
    this.setObserved(false);
  }

  /** The workers call this before the workers get their commands. */
  flush() {
    const { native } = this.workers;
    if (this.isAllTouched) this.flushAll(native);
    for (const name of this.touched) this.flushRoom(native, name);
    this.touched.clear();
    this.observe();
    this.setUnreadable(this.fanOut.watched === null || this.unreadable.size > 0);
  }

  flushAll(native) {
    this.isAllTouched = false;
    const { all, isEmpty, served } = this.fanOut;
    native.setAll(this.namespace, isEmpty ? NOBODY : ROOM, isEmpty ? 0 : all, served.size > 0);
  }

  flushRoom(native, name) {
    const { fanOut, namespace } = this;
    const { rooms } = fanOut.adapter;
    const set = rooms.get(name);
    const room = fanOut.mirroredOf(set);
    this.checkReadable(name, room !== undefined || !rooms.has(name));
    if (room === undefined) {
      native.forgetRoom(namespace, name);
      return;
    }
    const hasServed = room.servedCount > 0;
    const number = fanOut.numberIfShared(room);
    const connection = fanOut.onlyConnection(set);
    if (number !== NO_ROOM) native.setRoom(namespace, name, ROOM, number, hasServed);
    else if (connection !== undefined)
      native.setRoom(namespace, name, MEMBER, connection.id, hasServed);
    else native.setRoom(namespace, name, NOBODY, 0, hasServed);
  }

  /** The namespace is no longer in the cluster. */
  close() {
    this.forgetServers();
    this.fanOut.setDirectory(null);
    this.touched.clear();
    this.isAllTouched = false;
    this.workers.native.removeNamespace(this.namespace);
    this.workers.scheduleFlush();
  }
}

/** Returns whether other nodes can name a room. */
function isNameable(room) {
  if (typeof room === "string") return room.isWellFormed();
  if (typeof room === "number") return !Number.isNaN(room);
  return typeof room === "boolean" || room === null;
}

module.exports = { RoomDirectory };
