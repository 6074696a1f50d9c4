"use strict";

const { toBuffer } = require("./connection.js");
const { environmentEngine } = require("./engine.js");
const { isServerObserved } = require("./link.js");
const { Member, canBeMember, memberOf } = require("./member.js");
const { MirroredRoom, NO_ROOM } = require("./mirrored-room.js");
const { EXCEPT_MEMBERS, EXCEPT_ROOMS, MEMBERS, ROOMS, Recipients } = require("./recipients.js");
const { broadcastMethods } = require("./untouched.js");
const { isFullyReported, isWatchableMap, isWatchableSet } = require("./watched.js");
const { observerOf, unwatchMap, unwatchProperty, watchMap, watchProperty } =
  require("./watched.js");

/** Of the broadcast that is being sent. */
const recipients = new Recipients();

const NOBODY = new Set();

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
    /** In how many mirrored rooms each id is. @type {Map<string, number>} */
    this.memberships = new Map();
    this.native = null;
    /** The turn in which transports were made unwritable last. */
    this.shownIn = -1;
    /** Tells other nodes' broadcasts of all this, in a cluster. */
    this.directory = null;
    /** The maps that are watched, with their observers; `null` if one of them cannot be. */
    this.watched = null;
    this.handleReplaced = this.handleReplaced.bind(this);
    this.start();
  }

  // --- What is mirrored

  /** The maps that there are now, with what is done when they change. */
  get maps() {
    const { rooms, sids, nsp } = this.adapter;
    return [
      [
        rooms,
        {
          handleSet: (name, set, previous) => this.handleRoom(name, set, previous),
          handleDelete: (name, previous) => this.handleRoom(name, undefined, previous),
        },
      ],
      [
        sids,
        {
          handleSet: (id, _set, _previous, isNew) => isNew && this.commandAll("join", id),
          handleDelete: (id) => this.commandAll("leave", id),
        },
      ],
      [
        nsp.sockets,
        {
          handleSet: (id, socket, _previous, isNew) => this.handleSocket(id, socket, isNew),
          handleDelete: (id) => this.exit(id),
        },
      ],
    ];
  }

  /** Begins to mirror, if the maps can be watched. */
  start() {
    const { maps } = this;
    if (!maps.every(([map]) => isWatchableMap(map))) return;
    for (const [map, observer] of maps) watchMap(map, observer);
    this.watched = maps;
    for (const [id, socket] of this.adapter.nsp.sockets) this.enter(id, socket);
    if (this.directory !== null) this.mirrorAll();
  }

  /** Forgets all that has been mirrored. */
  stop() {
    this.forgetRooms();
    for (const id of [...this.direct.keys(), ...this.served.keys()]) this.exit(id);
    for (const [map, observer] of this.watched ?? []) unwatchMap(map, observer);
    this.watched = null;
  }

  /** Whether the maps that are watched are those that there are, and nothing was missed. */
  get isCurrent() {
    if (this.watched === null) return false;
    const { adapter } = this;
    const [[rooms], [sids], [sockets]] = this.watched;
    const areTheir =
      rooms === adapter.rooms && sids === adapter.sids && sockets === adapter.nsp.sockets;
    return areTheir && isFullyReported(rooms) && isFullyReported(sids) && isFullyReported(sockets);
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

  /** @param {import("./room-directory.js").RoomDirectory | null} directory that of a cluster */
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

  /** Whether somebody listens to the packets of all sockets of a server, or sees them otherwise. */
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
    this.native ??= environmentEngine().native;
    if (this.isEmpty) this.all = this.native.createRoom();
    member.connection = connection;
    this.removeServed(id);
    this.direct.set(id, member);
    this.servers.add(member.link.conn.server);
    this.directory?.handleServer(member.link.conn.server);
    if (this.adapter.sids.has(id)) this.commandAll("join", id);
    for (const room of this.roomsOf(id)) this.commandMember("join", room, id);
  }

  serve(member) {
    const { id } = member;
    for (const room of this.roomsOf(id)) this.commandMember("leave", room, id);
    this.commandAll("leave", id);
    member.connection = null;
    this.direct.delete(id);
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
    room.names = room.names.filter((other) => other !== name);
    if (room.names.length === 0) this.forget(room);
  }

  /** In a cluster: other nodes may name it. */
  mirrorNamed(name, set) {
    this.directory.touch(name);
    if (!this.isReadable(set)) return;
    const room = this.mirror(set);
    if (!room.names.includes(name)) room.names = [...room.names, name];
  }

  mirrorAll() {
    for (const [name, set] of this.adapter.rooms) this.mirrorNamed(name, set);
  }

  /** Whether it is, or can be, mirrored; else the official code has to find the recipients. */
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
    for (const id of room.set) this.countMembership(id, -1);
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
  }

  /** An id is in the Set now. */
  handleJoin(room, id) {
    this.countMembership(id, 1);
    if (this.served.has(id)) room.servedCount++;
    this.commandMember("join", room, id);
    this.directory?.touchNamesOf(room);
  }

  /** An id is in the Set no longer. */
  handleLeave(room, id) {
    this.countMembership(id, -1);
    if (this.served.has(id)) room.servedCount--;
    this.commandMember("leave", room, id);
    this.directory?.touchNamesOf(room);
  }

  countMembership(id, change) {
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
    const count = this.memberships.get(id) ?? 0;
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
    for (const id of room.set) this.commandMember("join", room, id);
    return room.number;
  }

  removeNumber(room) {
    if (room.number !== NO_ROOM) this.native.removeRoom(room.number);
    room.number = NO_ROOM;
  }

  // --- Commands

  /** The direct member of this id, if there is one, joins or leaves a room. */
  commandMember(name, room, id) {
    if (room.number === NO_ROOM) return;
    const member = this.direct.get(id);
    if (member !== undefined) this.command(name, room.number, member.connection);
  }

  commandAll(name, id) {
    const member = this.direct.get(id);
    if (member !== undefined) this.command(name, this.all, member.connection);
  }

  /** Once a connection has ended, its number may be another's. */
  command(name, room, connection) {
    if (connection.endError !== null) return;
    this.native[name](room, connection.id);
    connection.engine.scheduleFlush();
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
    if (!this.canRead(rooms) || !this.canRead(except) || this.isEmpty) return false;
    recipients.clear();
    if (rooms.size === 0) recipients.add(ROOMS, this.all);
    else this.addRooms(rooms, ROOMS, MEMBERS);
    if (recipients.isEmpty) return true;
    this.addRooms(except, EXCEPT_ROOMS, EXCEPT_MEMBERS);
    const payloads = packet.map((data) => (typeof data === "string" ? data : toBuffer(data)));
    const engine = environmentEngine();
    engine.broadcast(payloads, recipients.numbers, isVolatile);
    if (engine.hasBroadcastMuch) this.showBroadcasts(engine.turn);
    return true;
  }

  /**
   * Makes the transports of direct members unwritable for this turn, as they would be in front of
   * engine.io. Done only where a program might broadcast for as long as one is writable, since it
   * takes a loop over all of them.
   */
  showBroadcasts(turn) {
    if (this.shownIn === turn) return;
    this.shownIn = turn;
    for (const { link } of this.direct.values()) link.handleBroadcasts();
  }

  /** Whether the fan-out can tell who is in these rooms. */
  canRead(names) {
    if (this.isEmpty) return false;
    const { rooms } = this.adapter;
    for (const name of names) {
      const set = rooms.get(name);
      if (set === undefined ? rooms.has(name) : !this.isReadable(set)) return false;
      if (this.mirroredOf(set)?.isFullyReported === false) this.handleReplaced();
    }
    return true;
  }

  /** Adds rooms of several members to one list, and the members of the others to the other. */
  addRooms(names, roomList, memberList) {
    const sets = [];
    for (const name of names) {
      const set = this.adapter.rooms.get(name);
      if (set !== undefined) sets.push(set);
    }
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

/** As the official adapter reads them, who takes what has no size for nothing. */
function setsOf({ rooms, except }) {
  return { rooms: rooms.size > 0 ? rooms : NOBODY, except: except?.size > 0 ? except : NOBODY };
}

module.exports = { FanOut };
