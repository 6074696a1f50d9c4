"use strict";

const { toBuffer } = require("../engine/payload.js");
const { environmentWorkers } = require("../engine/workers.js");
const { isServerObserved } = require("./packet-route.js");
const { Member, canBeMember, memberOf } = require("./member.js");
const { MirroredRoom, NO_ROOM } = require("./mirrored-room.js");
const { EXCEPT_MEMBERS, EXCEPT_ROOMS, MEMBERS, ROOMS, Recipients } = require("./recipients.js");
const { broadcastMethods } = require("../untouched.js");
const {
  isFullyReported,
  isWatchableMap,
  isWatchableSet,
  observerOf,
  unwatchMap,
  unwatchProperty,
  watchMap,
  watchProperty,
} = require("./watched.js");

/** Of the broadcast that is being sent. */
const recipients = new Recipients();

const NOBODY = new Set();
const NO_SETS = [];

/** The recipients of a broadcast, as long as its turn lasts. */
class Broadcast {
  /**
   * @param {FanOut} fanOut
   * @param {Array<Set<string>> | null} included `null` for all sockets
   * @param {Array<Set<string>>} excluded
   */
  constructor(fanOut, included, excluded) {
    this.fanOut = fanOut;
    this.included = included;
    this.excluded = excluded;
  }

  reaches(id) {
    const isIn = (set) => set.has(id);
    return (this.included === null || this.included.some(isIn)) && !this.excluded.some(isIn);
  }
}

/**
 * Mirrors the rooms of an adapter to the workers, so that a broadcast is one command to each.
 *
 * The maps are the truth: `adapter.rooms`, `adapter.sids`, `nsp.sockets`, and the Sets in the first
 * are watched (`watched.js`), and what is mirrored follows them, whether Socket.IO or the
 * application changes them. Where a map or a Set cannot be watched, or has changed without a report,
 * it is not used: the official code broadcasts then, or the mirror is made anew.
 *
 * A socket of `nsp.sockets` is either direct: workers know its rooms and write to it; or served:
 * JavaScript writes to it as the official adapter does. A Set of one id is not mirrored, as the
 * number of its connection takes its place; others are from the first broadcast on that names them,
 * or in a cluster at once. Names of rooms are looked up in `adapter.rooms` at each broadcast.
 */
class FanOut {
  /** @param {import("socket.io-adapter").Adapter} adapter */
  constructor(adapter) {
    this.adapter = adapter;
    /** @type {Map<string, Member>} by the key in `nsp.sockets`; those that are direct */
    this.direct = new Map();
    /** @type {Map<string, import("socket.io").Socket>} in the same way, all others */
    this.served = new Map();
    /** The workers' room of the direct members in `sids`; there while there are direct ones. */
    this.all = NO_ROOM;
    /** The Engine.IO servers of direct members. */
    this.servers = new Set();
    /** @type {Set<MirroredRoom>} */
    this.mirrored = new Set();
    /**
     * In how many mirrored rooms each id is, but for direct members, who have that themselves.
     *
     * @type {Map<string, number>}
     */
    this.memberships = new Map();
    this.native = null;
    /** Tells other nodes' broadcasts of all this, in a cluster. */
    this.directory = null;
    /** The maps that are watched; `null` if one of them cannot be. */
    this.watched = null;
    this.observers = observersOf(this);
    this.handleReplaced = this.handleReplaced.bind(this);
    this.start();
  }

  // --- What is mirrored

  /** Begins to mirror, if the maps can be watched. */
  start() {
    const { rooms, sids, nsp } = this.adapter;
    const { sockets } = nsp;
    if (![rooms, sids, sockets].every(isWatchableMap)) return;
    watchMap(rooms, this.observers.rooms);
    watchMap(sids, this.observers.sids);
    watchMap(sockets, this.observers.sockets);
    this.watched = { rooms, sids, sockets };
    for (const [id, socket] of sockets) this.enter(id, socket);
    if (this.directory !== null) this.mirrorAll();
  }

  /** Forgets all that has been mirrored. */
  stop() {
    this.forgetRooms();
    for (const id of [...this.direct.keys(), ...this.served.keys()]) this.exit(id);
    if (this.watched === null) return;
    unwatchMap(this.watched.rooms, this.observers.rooms);
    unwatchMap(this.watched.sids, this.observers.sids);
    unwatchMap(this.watched.sockets, this.observers.sockets);
    this.watched = null;
  }

  /** Returns whether the maps that are watched are those that there are, and nothing was missed. */
  get isCurrent() {
    if (this.watched === null) return false;
    const { adapter } = this;
    const { rooms, sids, sockets } = this.watched;
    return (
      rooms === adapter.rooms &&
      sids === adapter.sids &&
      sockets === adapter.nsp.sockets &&
      isFullyReported(rooms) &&
      isFullyReported(sids) &&
      isFullyReported(sockets)
    );
  }

  /** To be called before the mirror is used, as what cannot be reported can be seen now. */
  synchronize() {
    if (!this.isCurrent) this.handleReplaced();
  }

  /** There are other maps, or other things in them than were reported. */
  handleReplaced() {
    this.stop();
    this.start();
    this.directory?.handleRestart();
  }

  /** @param {import("../redis/room-directory.js").RoomDirectory | null} directory that of a cluster */
  setDirectory(directory) {
    const { adapter, handleReplaced } = this;
    const change = directory === null ? unwatchProperty : watchProperty;
    this.directory = directory;
    for (const name of ["rooms", "sids"]) change(adapter, name, handleReplaced);
    change(adapter.nsp, "sockets", handleReplaced);
    if (directory !== null) handleReplaced();
  }

  // --- Sockets

  /** Whether there are no direct sockets. */
  get isEmpty() {
    return this.direct.size === 0;
  }

  /** Returns whether somebody listens to the packets of all sockets of a server, or sees them otherwise. */
  get isObserved() {
    if (!broadcastMethods.areUntouched) return true;
    for (const server of this.servers) {
      if (isServerObserved(server)) return true;
    }
    return false;
  }

  handleSocket(id, socket, isNew) {
    // A session can be restored while its last socket is still there: then the new one counts.
    if (!isNew) this.exit(id);
    this.enter(id, socket);
  }

  /** A socket is there. */
  enter(id, socket) {
    this.addServed(id, socket);
    if (canBeMember(socket)) this.update(new Member(this, id, socket));
  }

  /** A socket is there no longer. */
  exit(id) {
    const member = this.direct.get(id) ?? memberOf(this, id, this.served.get(id));
    if (member !== undefined) {
      if (member.connection !== null) this.serve(member);
      member.leave();
    }
    this.removeServed(id);
  }

  addServed(id, socket) {
    this.served.set(id, socket);
    this.countServed(id, 1);
  }

  removeServed(id) {
    if (this.served.delete(id)) this.countServed(id, -1);
  }

  countServed(id, change) {
    for (const room of this.roomsOf(id)) {
      room.servedCount += change;
      this.directory?.touchNamesOf(room);
    }
    this.directory?.touchAll();
  }

  /** A socket has become direct, or is no longer. */
  update(member) {
    const { direct } = member;
    if (direct === member.connection) return;
    if (member.connection !== null) this.serve(member);
    if (direct !== null) this.connect(member, direct);
  }

  connect(member, connection) {
    const { id } = member;
    this.native ??= environmentWorkers().native;
    if (this.isEmpty) this.all = this.native.createRoom();
    member.connection = connection;
    this.removeServed(id);
    member.memberships = this.memberships.get(id) ?? 0;
    this.memberships.delete(id);
    this.direct.set(id, member);
    this.servers.add(member.route.conn.server);
    this.directory?.handleServer(member.route.conn.server);
    if (this.adapter.sids.has(id)) this.commandAll("join", id);
    for (const room of this.roomsOf(id)) this.commandRoom("join", room, member);
  }

  serve(member) {
    const { id } = member;
    for (const room of this.roomsOf(id)) this.commandRoom("leave", room, member);
    this.commandAll("leave", id);
    member.connection = null;
    this.direct.delete(id);
    if (member.memberships > 0) this.memberships.set(id, member.memberships);
    this.addServed(id, member.socket);
    if (this.isEmpty) this.clear();
  }

  /** There is nobody to mirror rooms for. */
  clear() {
    for (const room of this.mirrored) this.removeNumber(room);
    this.directory?.handleClear();
    this.servers.clear();
    this.native.removeRoom(this.all);
    this.all = NO_ROOM;
  }

  // --- Rooms

  /** The Set of a name in `adapter.rooms` is another. */
  handleRoom(name, set, previous) {
    const room = this.mirroredOf(previous);
    if (room !== undefined) this.handleUnnamed(room, name);
    if (this.directory !== null) this.mirrorNamed(name, set);
  }

  /** A mirrored Set has lost a name; with the last one there is nothing to be mirrored for. */
  handleUnnamed(room, name) {
    room.removeName(name);
    if (room.names.length === 0) this.forget(room);
  }

  /** In a cluster: other nodes may name it. */
  mirrorNamed(name, set) {
    this.directory.touch(name);
    if (!this.isReadable(set)) return;
    this.mirror(set).addName(name);
  }

  mirrorAll() {
    for (const [name, set] of this.adapter.rooms) this.mirrorNamed(name, set);
  }

  /** Returns whether it is, or can be, mirrored; else the official code has to find the recipients. */
  isReadable(set) {
    return observerOf(set) === undefined ? isWatchableSet(set) : this.mirroredOf(set) !== undefined;
  }

  mirroredOf(set) {
    const observer = observerOf(set);
    return observer?.fanOut === this ? observer : undefined;
  }

  mirror(set) {
    const known = this.mirroredOf(set);
    if (known !== undefined) return known;
    const room = new MirroredRoom(this, set);
    this.mirrored.add(room);
    return room;
  }

  forget(room) {
    room.stop();
    this.mirrored.delete(room);
    for (const id of room.set) this.countMembership(id, this.direct.get(id), -1);
    this.removeNumber(room);
  }

  /** To be called where it is not known what is in them. */
  forgetRooms() {
    for (const room of this.mirrored) {
      room.stop();
      this.removeNumber(room);
      this.directory?.touchNamesOf(room);
    }
    this.mirrored.clear();
    this.memberships.clear();
    for (const member of this.direct.values()) member.memberships = 0;
  }

  /** An id is in the Set now. */
  handleJoin(room, id) {
    const member = this.direct.get(id);
    this.countMembership(id, member, 1);
    if (member !== undefined) this.commandRoom("join", room, member);
    else if (this.served.has(id)) room.servedCount++;
    this.directory?.touchNamesOf(room);
  }

  /** An id is in the Set no longer. */
  handleLeave(room, id) {
    const member = this.direct.get(id);
    this.countMembership(id, member, -1);
    if (member !== undefined) this.commandRoom("leave", room, member);
    else if (this.served.has(id)) room.servedCount--;
    this.directory?.touchNamesOf(room);
  }

  countMembership(id, member, change) {
    if (member !== undefined) {
      member.memberships += change;
      return;
    }
    const count = (this.memberships.get(id) ?? 0) + change;
    if (count === 0) this.memberships.delete(id);
    else this.memberships.set(id, count);
  }

  /**
   * The mirrored rooms in which an id is. `sids` tells most of the time where to look for them; an
   * application may have changed it, but that is seen by their number.
   *
   * @returns {Iterable<MirroredRoom>}
   */
  roomsOf(id) {
    const count = this.direct.get(id)?.memberships ?? this.memberships.get(id) ?? 0;
    if (count === 0) return NOBODY;
    const names = this.adapter.sids.get(id);
    const found = new Set();
    for (const name of names instanceof Set ? names : NOBODY) {
      const room = this.mirroredOf(this.adapter.rooms.get(name));
      if (room?.set.has(id)) found.add(room);
    }
    return found.size === count ? found : [...this.mirrored].filter(({ set }) => set.has(id));
  }

  /** The workers' room of a Set of several ids, which has one while there are direct members. */
  numberIfShared(room) {
    if (room.number !== NO_ROOM || room.size < 2 || this.isEmpty) return room.number;
    room.number = this.native.createRoom();
    for (const id of room.set) {
      const member = this.direct.get(id);
      if (member !== undefined) this.commandRoom("join", room, member);
    }
    return room.number;
  }

  removeNumber(room) {
    if (room.number !== NO_ROOM) this.native.removeRoom(room.number);
    room.number = NO_ROOM;
  }

  // --- Commands

  /** A direct member joins or leaves a room, which the workers may not have. */
  commandRoom(name, { number }, { connection }) {
    if (number !== NO_ROOM) this.command(name, number, connection);
  }

  commandAll(name, id) {
    const member = this.direct.get(id);
    if (member !== undefined) this.command(name, this.all, member.connection);
  }

  /** Once a connection has ended, its number may be another's. */
  command(name, room, connection) {
    if (connection.endError !== null) return;
    this.native[name](room, connection.id);
    connection.workers.scheduleFlush();
  }

  // --- Broadcasts

  /**
   * Sends a packet to the direct recipients.
   *
   * @param {Array<string | ArrayBuffer | ArrayBufferView>} packet what the encoder makes of it
   * @param {{ rooms: Set<unknown>, except?: Set<unknown> | null }} options
   * @param {boolean} isVolatile
   * @returns {boolean} whether it is; then `forEachServed()` has the others. Else all of them are
   *   left to the official code, as the mirror cannot tell who is in these rooms
   */
  broadcast(packet, options, isVolatile) {
    this.synchronize();
    const { rooms, except } = setsOf(options);
    const included = this.read(rooms);
    const excluded = this.read(except);
    if (included === null || excluded === null || this.isEmpty) return false;
    recipients.clear();
    if (rooms.size === 0) recipients.add(ROOMS, this.all);
    else this.addSets(included, ROOMS, MEMBERS);
    if (recipients.isEmpty) return true;
    this.addSets(excluded, EXCEPT_ROOMS, EXCEPT_MEMBERS);
    const payloads = packet.map((data) => (typeof data === "string" ? data : toBuffer(data)));
    const workers = environmentWorkers();
    const broadcast = new Broadcast(this, rooms.size === 0 ? null : included, excluded);
    workers.broadcast(payloads, recipients.numbers, isVolatile, broadcast);
    if (workers.hasBroadcastMuch) this.show(payloads, broadcast);
    return true;
  }

  /**
   * Makes a broadcast look to its direct recipients as if engine.io had sent it. Done only where a
   * program might broadcast for as long as one can be written to, since it takes a loop over all.
   */
  show(payloads, broadcast) {
    for (const [id, { route }] of this.direct) {
      if (broadcast.reaches(id)) route.showBroadcast(payloads);
    }
  }

  /** @returns {Array<Set<string>> | null} who is in these rooms; `null` if that cannot be read */
  read(names) {
    if (names.size === 0) return NO_SETS;
    const { rooms } = this.adapter;
    const sets = [];
    for (const name of names) {
      const set = rooms.get(name);
      if (set !== undefined) sets.push(set);
      if (set === undefined ? rooms.has(name) : !this.isReadable(set)) return null;
    }
    if (!sets.every((set) => this.mirroredOf(set)?.isFullyReported ?? true)) this.handleReplaced();
    return sets;
  }

  /** Adds rooms of several members to one list, and the members of the others to the other. */
  addSets(sets, roomList, memberList) {
    for (const set of sets) {
      const number = this.sharedNumber(set);
      if (number !== NO_ROOM) recipients.add(roomList, number);
    }
    for (const set of sets) {
      const connection = set.size > 1 ? undefined : this.onlyConnection(set);
      if (connection !== undefined) recipients.add(memberList, connection.id);
    }
  }

  /** The workers' room of a Set with several ids. */
  sharedNumber(set) {
    return set.size > 1 ? this.numberIfShared(this.mirror(set)) : NO_ROOM;
  }

  /** That of the id in a Set of one. */
  onlyConnection(set) {
    const [id] = set;
    const connection = this.direct.get(id)?.connection;
    return connection?.endError === null ? connection : undefined;
  }

  /**
   * Calls `callback` with each served recipient.
   *
   * @param {{ rooms: Set<unknown>, except?: Set<unknown> | null }} options
   * @param {(socket: import("socket.io").Socket) => void} callback
   */
  forEachServed(options, callback) {
    if (this.served.size === 0) return;
    const { rooms, except } = setsOf(options);
    // All at once, as `callback` may run listeners, which change who is served.
    const ids = this.candidates(rooms).filter((id) => !this.isInOne(except, id));
    for (const [id, socket] of ids.map((id) => [id, this.served.get(id)])) {
      if (socket && this.adapter.nsp.sockets.get(id) === socket) callback(socket);
    }
  }

  /** The ids of `rooms` that are served; looked for where there are fewer. */
  candidates(rooms) {
    const { served } = this;
    const { sids } = this.adapter;
    if (rooms.size === 0) return [...served.keys()].filter((id) => sids.has(id));
    const sets = [...rooms].map((room) => this.adapter.rooms.get(room) ?? NOBODY);
    const count = sets.reduce((sum, { size }) => sum + size, 0);
    if (count > served.size) return [...served.keys()].filter((id) => this.isInOne(rooms, id));
    return [...new Set(sets.flatMap((set) => [...set]))].filter((id) => served.has(id));
  }

  isInOne(rooms, id) {
    for (const room of rooms) {
      if (this.adapter.rooms.get(room)?.has(id)) return true;
    }
    return false;
  }
}

/** Returns the observers of the maps of a fan-out. */
function observersOf(fanOut) {
  return {
    rooms: {
      handleSet: (name, set, previous) => fanOut.handleRoom(name, set, previous),
      handleDelete: (name, previous) => fanOut.handleRoom(name, undefined, previous),
    },
    sids: {
      handleSet: (id, _rooms, _previous, isNew) => isNew && fanOut.commandAll("join", id),
      handleDelete: (id) => fanOut.commandAll("leave", id),
    },
    sockets: {
      handleSet: (id, socket, _previous, isNew) => fanOut.handleSocket(id, socket, isNew),
      handleDelete: (id) => fanOut.exit(id),
    },
  };
}

/** As the official adapter reads them, who takes what has no size for nothing. */
function setsOf({ rooms, except }) {
  return { rooms: rooms.size > 0 ? rooms : NOBODY, except: except?.size > 0 ? except : NOBODY };
}

module.exports = { FanOut };
