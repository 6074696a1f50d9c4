"use strict";

const { environmentWorkers } = require("../engine/workers.js");
const { broadcastMethods } = require("../untouched.js");
const { Member, canBeMember, memberOf } = require("./member.js");
const { MirroredRoom, NO_ROOM } = require("./mirrored-room.js");
const { isServerObserved } = require("./packet-listeners.js");
const { WatchedMaps } = require("./watched-maps.js");
const { isWatchableSet, observerOf } = require("./watched.js");

const EMPTY = new Set();

/**
 * Mirrors the sockets and rooms of an adapter to the workers, which send broadcasts by them.
 *
 * The maps are the truth: `adapter.rooms`, `adapter.sids`, `nsp.sockets`, and the Sets in the first.
 * They are watched (`watched.js`), and the mirror follows them, whether Socket.IO or the application
 * changes them. A change that cannot be reported is found by `synchronize()`, which makes the mirror
 * anew; it has to be called before the mirror is used.
 *
 * A socket of `nsp.sockets` is either *direct*: its connection is on a worker, which knows the rooms
 * of the socket and writes to it; or *served*: JavaScript writes to it as the official adapter does.
 * A socket is served first; `update()` is called whenever its member may have become direct or served.
 *
 * A Set of `adapter.rooms` is mirrored from the first broadcast that names it while it has several ids
 * (in a cluster at once, see `ClusteredFanOut`), and gets a room on the workers then. For a Set of one
 * id, a broadcast names the id of the connection instead.
 *
 * Invariants, between two calls from outside:
 * - each id of `nsp.sockets` is in exactly one of `direct` and `served`, if the maps are watched;
 * - `all` is a room on the workers exactly while there are direct members, and only then has any
 *   mirrored room one;
 * - a command to the workers names only connections that have not ended, since ids are reused.
 *
 * Called by `MirroredRoom` (`handleJoin()`, `handleLeave()`), by `Member` (`update()`), and by the
 * observers of the maps. Subclasses override the methods that are marked `@protected`.
 */
class RoomMirror {
  /** The observers of the maps, for `WatchedMaps`. */
  #observers = {
    rooms: {
      handleSet: (name, set, previous) => this.handleRoom(name, set, previous),
      handleDelete: (name, previous) => this.handleRoom(name, undefined, previous),
    },
    sids: {
      handleSet: (id, _rooms, _previous, isNew) => isNew && this.#commandAll("join", id),
      handleDelete: (id) => this.#commandAll("leave", id),
    },
    sockets: {
      handleSet: (id, socket, _previous, isNew) => this.#handleSocket(id, socket, isNew),
      handleDelete: (id) => this.#exit(id),
    },
  };
  /** @type {WatchedMaps | null} `null` if one of the maps cannot be watched */
  #maps = null;
  /** The Engine.IO servers of direct members. */
  #servers = new Set();
  /**
   * The number of mirrored rooms that hold an id, by the id. Direct members count for themselves.
   *
   * @type {Map<string, number>}
   */
  #memberships = new Map();
  /** The addon's side of the workers, from the first direct member on. */
  #native = null;

  /** @param {import("socket.io-adapter").Adapter} adapter */
  constructor(adapter) {
    this.adapter = adapter;
    /** @type {Map<string, Member>} the direct members, by their keys in `nsp.sockets` */
    this.direct = new Map();
    /** @type {Map<string, import("socket.io").Socket>} all other sockets, in the same way */
    this.served = new Map();
    /** The workers' room of the direct members in `sids`. */
    this.all = NO_ROOM;
    /** @type {Set<MirroredRoom>} */
    this.mirrored = new Set();
  }

  // --- Lifecycle

  /**
   * Begins to mirror, if the maps can be watched. Called after the constructor, and by
   * `handleReplaced()`.
   *
   * @protected
   */
  start() {
    this.#maps = WatchedMaps.of(this.adapter, this.#observers);
    if (this.#maps === null) return;
    for (const [id, socket] of this.#maps.sockets) this.#enter(id, socket);
  }

  /** Forgets everything that has been mirrored. */
  #stop() {
    this.#forgetRooms();
    for (const id of [...this.direct.keys(), ...this.served.keys()]) this.#exit(id);
    this.#maps?.stop();
    this.#maps = null;
  }

  /** True if the maps can be watched. */
  get isWatching() {
    return this.#maps !== null;
  }

  /** Makes the mirror anew if the maps have changed without a report. Called before each use. */
  synchronize() {
    if (this.#maps === null || !this.#maps.areCurrent) this.handleReplaced();
  }

  /**
   * Makes the mirror anew: there are other maps, or changes were not reported.
   *
   * @protected
   */
  handleReplaced() {
    this.#stop();
    this.start();
  }

  // --- Sockets

  /** True if there are no direct sockets. */
  get isEmpty() {
    return this.direct.size === 0;
  }

  /** True if listeners or replaced methods have to see the packets of all sockets of a server. */
  get isObserved() {
    if (!broadcastMethods.areUntouched) return true;
    for (const server of this.#servers) {
      if (isServerObserved(server)) return true;
    }
    return false;
  }

  #handleSocket(id, socket, isNew) {
    // A session can be restored while its last socket is still there: the new one counts then.
    if (!isNew) this.#exit(id);
    this.#enter(id, socket);
  }

  #enter(id, socket) {
    const member = canBeMember(socket) ? new Member(this, id, socket) : null;
    // Most are direct at once: each entry of a map that is made in vain costs a client that connects.
    if (member !== null && member.direct !== null) this.update(member);
    else if (!this.served.has(id)) this.#addServed(id, socket);
  }

  #exit(id) {
    const member = this.direct.get(id) ?? memberOf(this, id, this.served.get(id));
    if (member !== undefined) {
      if (member.connection !== null) this.#serve(member);
      member.leave();
    }
    this.#removeServed(id);
  }

  #addServed(id, socket) {
    this.served.set(id, socket);
    this.countServed(id, 1);
  }

  /** Returns whether it was served. */
  #removeServed(id) {
    const wasServed = this.served.size > 0 && this.served.delete(id);
    if (wasServed) this.countServed(id, -1);
    return wasServed;
  }

  /**
   * Counts a socket that has become served, or is served no longer.
   *
   * @protected
   * @param {string} id
   * @param {1 | -1 | 0} change 0 for one that is direct at once
   */
  countServed(id, change) {
    for (const room of this.#roomsOf(id)) {
      room.servedCount += change;
      this.handleRoomChange(room);
    }
  }

  /**
   * Makes a member direct or served, as `member.direct` says.
   *
   * @param {Member} member
   */
  update(member) {
    const { direct } = member;
    if (direct === member.connection) return;
    if (member.connection !== null) this.#serve(member);
    if (direct !== null) this.#connect(member, direct);
  }

  #connect(member, connection) {
    const { id } = member;
    this.#native ??= environmentWorkers().native;
    if (this.isEmpty) this.all = this.#native.createRoom();
    member.connection = connection;
    if (!this.#removeServed(id)) this.countServed(id, 0);
    if (this.#memberships.size > 0) {
      member.memberships = this.#memberships.get(id) ?? 0;
      this.#memberships.delete(id);
    }
    this.direct.set(id, member);
    this.addServer(member.route.conn.server);
    if (this.adapter.sids.has(id)) this.#command("join", this.all, connection);
    for (const room of this.#roomsOf(id)) this.#commandRoom("join", room, member);
  }

  /**
   * Notes the Engine.IO server of a member that has become direct.
   *
   * @protected
   */
  addServer(server) {
    this.#servers.add(server);
  }

  #serve(member) {
    const { id } = member;
    for (const room of this.#roomsOf(id)) this.#commandRoom("leave", room, member);
    this.#commandAll("leave", id);
    member.connection = null;
    this.direct.delete(id);
    if (member.memberships > 0) this.#memberships.set(id, member.memberships);
    this.#addServed(id, member.socket);
    if (this.isEmpty) this.clear();
  }

  /**
   * Removes all rooms from the workers: the last direct member has become served.
   *
   * @protected
   */
  clear() {
    for (const room of this.mirrored) this.#removeFromWorkers(room);
    this.#servers.clear();
    this.#native.removeRoom(this.all);
    this.all = NO_ROOM;
  }

  // --- Rooms

  /**
   * Follows `adapter.rooms`, which has another Set under a name now.
   *
   * @protected
   * @param {unknown} _name
   * @param {unknown} _set `undefined` if the name has been deleted
   * @param {unknown} previous
   */
  handleRoom(_name, _set, previous) {
    const room = this.mirroredOf(previous);
    if (room !== undefined) this.forget(room);
  }

  /**
   * Called when ids have joined or left a mirrored room, or some have become direct or served.
   *
   * @protected
   * @param {MirroredRoom} _room
   */
  handleRoomChange(_room) {}

  /** Returns whether a Set is mirrored or can be; otherwise only the official code can read it. */
  isReadable(set) {
    return observerOf(set) === undefined ? isWatchableSet(set) : this.mirroredOf(set) !== undefined;
  }

  /** @returns {MirroredRoom | undefined} the mirrored room of a Set, if this mirror has one */
  mirroredOf(set) {
    const observer = observerOf(set);
    return observer?.mirror === this ? observer : undefined;
  }

  /**
   * Returns the mirrored room of a Set, which is mirrored from now on.
   *
   * @protected
   * @param {Set<string>} set for which `isReadable()` holds
   */
  mirror(set) {
    const known = this.mirroredOf(set);
    if (known !== undefined) return known;
    const room = new MirroredRoom(this, set);
    this.mirrored.add(room);
    return room;
  }

  /**
   * Ends the mirroring of a room.
   *
   * @protected
   */
  forget(room) {
    room.stop();
    this.mirrored.delete(room);
    for (const id of room.set) this.#countMembership(id, this.direct.get(id), -1);
    this.#removeFromWorkers(room);
  }

  /** Ends the mirroring of all rooms. Their Sets may differ from what was reported. */
  #forgetRooms() {
    for (const room of this.mirrored) {
      room.stop();
      this.#removeFromWorkers(room);
      this.handleRoomChange(room);
    }
    this.mirrored.clear();
    this.#memberships.clear();
    for (const member of this.direct.values()) member.memberships = 0;
  }

  /** Called by a mirrored room when an id has been added to its Set. */
  handleJoin(room, id) {
    const member = this.direct.get(id);
    this.#countMembership(id, member, 1);
    if (member !== undefined) this.#commandRoom("join", room, member);
    else if (this.served.has(id)) room.servedCount++;
    this.handleRoomChange(room);
  }

  /** Called by a mirrored room when an id has been deleted from its Set. */
  handleLeave(room, id) {
    const member = this.direct.get(id);
    this.#countMembership(id, member, -1);
    if (member !== undefined) this.#commandRoom("leave", room, member);
    else if (this.served.has(id)) room.servedCount--;
    this.handleRoomChange(room);
  }

  #countMembership(id, member, change) {
    if (member !== undefined) {
      member.memberships += change;
      return;
    }
    const count = (this.#memberships.get(id) ?? 0) + change;
    if (count === 0) this.#memberships.delete(id);
    else this.#memberships.set(id, count);
  }

  /**
   * Returns the mirrored rooms that hold an id. `sids` names them, unless the application has changed
   * it: then fewer are found than were counted, and all mirrored rooms are searched.
   *
   * @returns {Iterable<MirroredRoom>}
   */
  #roomsOf(id) {
    if (this.mirrored.size === 0) return EMPTY;
    const count = this.direct.get(id)?.memberships ?? this.#memberships.get(id) ?? 0;
    if (count === 0) return EMPTY;
    const names = this.adapter.sids.get(id);
    const found = new Set();
    for (const name of names instanceof Set ? names : EMPTY) {
      const room = this.mirroredOf(this.adapter.rooms.get(name));
      if (room?.set.has(id)) found.add(room);
    }
    return found.size === count ? found : [...this.mirrored].filter(({ set }) => set.has(id));
  }

  /**
   * Returns the id of the workers' room of a mirrored room, which is created if it is needed: for
   * several ids, while there are direct members.
   *
   * @param {MirroredRoom} room
   * @returns {number} `NO_ROOM` if the room needs none
   */
  workersRoomOf(room) {
    if (room.id !== NO_ROOM || room.size < 2 || this.isEmpty) return room.id;
    room.id = this.#native.createRoom();
    for (const id of room.set) {
      const member = this.direct.get(id);
      if (member !== undefined) this.#commandRoom("join", room, member);
    }
    return room.id;
  }

  #removeFromWorkers(room) {
    if (room.id !== NO_ROOM) this.#native.removeRoom(room.id);
    room.id = NO_ROOM;
  }

  // --- Commands to the workers

  #commandRoom(command, room, member) {
    if (room.id !== NO_ROOM) this.#command(command, room.id, member.connection);
  }

  #commandAll(command, id) {
    const member = this.direct.get(id);
    if (member !== undefined) this.#command(command, this.all, member.connection);
  }

  /** Makes a connection join or leave a room of the workers, unless it has ended: ids are reused. */
  #command(command, room, connection) {
    if (connection.endError !== null) return;
    this.#native[command](room, connection.id);
    connection.workers.scheduleFlush();
  }
}

module.exports = { RoomMirror };
