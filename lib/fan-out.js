"use strict";

const { toBuffer } = require("./connection.js");
const { environmentEngine } = require("./engine.js");
const { isServerObserved, linkOf } = require("./link.js");
const { EXCEPT_MEMBERS, EXCEPT_ROOMS, MEMBERS, ROOMS, Recipients } = require("./recipients.js");
const { WebSocketServer } = require("./websocket-server.js");

/** On a Socket.IO socket: its member. */
const kMember = Symbol("member");

/** Of the broadcast that is being sent. */
const recipients = new Recipients();

const NOBODY = new Set();

/** A socket of a namespace whose packets go by our engine, or will after an upgrade. */
class Member {
  /**
   * @param {FanOut} fanOut
   * @param {string} id that with which it came; applications set others on their sockets
   * @param {import("socket.io").Socket} socket
   */
  constructor(fanOut, id, socket) {
    this.fanOut = fanOut;
    this.id = id;
    this.socket = socket;
    this.link = linkOf(socket.conn);
    /** Where broadcasts go directly; `null` if JavaScript serves it. */
    this.connection = null;
    this.hasLeft = false;
    this.link.add(this);
    socket[kMember] = this;
    socket.onAnyOutgoing = onAnyOutgoing;
    socket.prependAnyOutgoing = prependAnyOutgoing;
    socket.offAnyOutgoing = offAnyOutgoing;
  }

  /** Something has changed that decides on `direct`. */
  handleChange() {
    if (!this.hasLeft) this.fanOut.update(this);
  }

  leave() {
    this.hasLeft = true;
    this.link.remove(this);
    // If there is a second, it may now be direct.
    this.link.members.find(({ fanOut }) => fanOut === this.fanOut)?.handleChange();
  }

  /** Where broadcasts may go directly now. */
  get direct() {
    return this.socket.listenersAnyOutgoing().length > 0 || this.isSecond ? null : this.link.direct;
  }

  /** A client can have two sockets in one namespace, and then hears everything twice. */
  get isSecond() {
    const { link, fanOut } = this;
    const isFirst = (other) =>
      other !== this && other.fanOut === fanOut && other.connection !== null;
    return link.members.length > 1 && link.members.some(isFirst);
  }
}

/** In the place of the methods of Socket.IO's socket, with the same parameters. */
const [onAnyOutgoing, prependAnyOutgoing, offAnyOutgoing] = [
  "onAnyOutgoing",
  "prependAnyOutgoing",
  "offAnyOutgoing",
].map(
  (name) =>
    function (listener) {
      const member = this[kMember];
      Object.getPrototypeOf(member.socket)[name].call(this, listener);
      member.handleChange();
      return this;
    },
);

/**
 * Mirrors the rooms of an adapter to the workers, so that a broadcast is one command to each.
 *
 * A socket is either direct: workers know its rooms and write to it; or served: JavaScript
 * writes to it as the official adapter does. Rooms of one member are not mirrored; its number
 * takes their place. What is direct and what is shared changes at once, so that at each line a
 * broadcast reaches whom the official adapter would reach.
 */
class FanOut {
  /** @param {import("socket.io-adapter").Adapter} adapter */
  constructor(adapter) {
    this.adapter = adapter;
    /** @type {Map<string, Member>} by sid; those that are direct */
    this.direct = new Map();
    /** @type {Map<string, import("socket.io").Socket>} by sid; all other connected sockets */
    this.served = new Map();
    /** The workers' room of all direct members; there while there are some. */
    this.all = -1;
    /** The Engine.IO servers of direct members. */
    this.servers = new Set();
    /** The workers' rooms, of those that have two members or more. */
    this.shared = new Map();
    this.native = null;
    /** Tells other nodes' broadcasts of all this, in a cluster. */
    this.directory = null;
  }

  /** Whether there are no direct sockets. */
  get isEmpty() {
    return this.direct.size === 0;
  }

  /** Whether somebody listens to the packets of all sockets of a server. */
  get isObserved() {
    for (const server of this.servers) {
      if (isServerObserved(server)) return true;
    }
    return false;
  }

  /** A socket joins rooms: the first time when it is connected it comes in. */
  enter(id) {
    const socket = this.adapter.nsp.sockets?.get(id);
    const known = this.direct.get(id)?.socket ?? this.served.get(id);
    if (socket === undefined || socket === known) return;
    // A session can be restored while its last socket is still there: then the new one counts.
    if (known !== undefined) this.exit(id);
    this.addServed(id, socket);
    if (socket.conn?.server?.ws instanceof WebSocketServer)
      this.update(new Member(this, id, socket));
  }

  /** A socket leaves for good. */
  exit(id) {
    const member = this.direct.get(id) ?? this.served.get(id)?.[kMember];
    if (member !== undefined) {
      if (member.connection !== null) this.serve(member);
      member.leave();
    }
    this.removeServed(id);
  }

  addServed(id, socket) {
    this.served.set(id, socket);
    this.directory?.countServed(id, 1);
  }

  removeServed(id) {
    if (this.served.delete(id)) this.directory?.countServed(id, -1);
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
    this.command("join", this.all, connection);
    // Of a socket that is leaving, `sids` still has rooms in which it is no more.
    for (const room of this.adapter.sids.get(id) ?? []) {
      if (this.adapter.rooms.get(room)?.has(id)) this.join(room, id);
    }
  }

  serve(member) {
    const { connection, id } = member;
    for (const room of this.adapter.sids.get(id) ?? []) this.leave(room, id);
    this.command("leave", this.all, connection);
    member.connection = null;
    this.direct.delete(id);
    this.addServed(id, member.socket);
    if (this.isEmpty) this.clear();
  }

  /** `id` joins `room`, or has done so before it became direct. */
  join(room, id) {
    this.directory?.handleJoin(room, id);
    if (this.isEmpty) return;
    const number = this.shared.get(room) ?? this.share(room, id);
    if (number !== undefined) this.joinShared(number, id);
  }

  /** Mirrors a room that has others than `id` in it. Returns its number, if it has. */
  share(room, id) {
    const ids = this.adapter.rooms.get(room);
    if (ids === undefined || ids.size < (ids.has(id) ? 2 : 1)) return undefined;
    const number = this.native.createRoom();
    this.shared.set(room, number);
    for (const other of ids) this.joinShared(number, other);
    return number;
  }

  joinShared(number, id) {
    const connection = this.direct.get(id)?.connection;
    if (connection !== undefined) this.command("join", number, connection);
  }

  /** `id` leaves `room`, or is no longer direct. */
  leave(room, id) {
    this.directory?.handleLeave(room, id);
    const number = this.shared.get(room);
    if (number === undefined) return;
    const connection = this.direct.get(id)?.connection;
    if (connection !== undefined) this.command("leave", number, connection);
  }

  /** `room` has no members any more. */
  remove(room) {
    this.directory?.touch(room);
    const number = this.shared.get(room);
    if (number === undefined) return;
    this.shared.delete(room);
    this.native.removeRoom(number);
  }

  /** There is nobody to mirror rooms for. */
  clear() {
    this.directory?.handleClear();
    for (const number of this.shared.values()) this.native.removeRoom(number);
    this.shared.clear();
    this.servers.clear();
    this.native.removeRoom(this.all);
    this.all = -1;
  }

  /** Once a connection has ended, its number may be another's. */
  command(name, room, connection) {
    if (connection.endError !== null) return;
    this.native[name](room, connection.id);
    connection.engine.scheduleFlush();
  }

  /**
   * Sends a packet to the direct recipients.
   *
   * @param {Array<string | ArrayBuffer | ArrayBufferView>} packet what the encoder makes of it
   * @param {{ rooms: Set<unknown>, except?: Set<unknown> | null }} options
   * @param {boolean} isVolatile
   */
  broadcast(packet, options, isVolatile) {
    const { rooms, except } = setsOf(options);
    recipients.clear();
    if (rooms.size === 0) recipients.add(ROOMS, this.all);
    else this.addRooms(rooms, ROOMS, MEMBERS);
    if (recipients.isEmpty) return;
    this.addRooms(except, EXCEPT_ROOMS, EXCEPT_MEMBERS);
    const payloads = packet.map((data) => (typeof data === "string" ? data : toBuffer(data)));
    environmentEngine().broadcast(payloads, recipients.numbers, isVolatile);
  }

  /** Adds shared rooms to one list, and the members of the others to the other. */
  addRooms(rooms, roomList, memberList) {
    for (const room of rooms) {
      const number = this.shared.get(room);
      if (number !== undefined) recipients.add(roomList, number);
    }
    for (const room of rooms) {
      const connection = this.shared.has(room) ? undefined : this.onlyConnection(room);
      if (connection !== undefined) recipients.add(memberList, connection.id);
    }
  }

  /** Of the member of a room that has one. */
  onlyConnection(room) {
    const ids = this.adapter.rooms.get(room);
    if (ids === undefined) return undefined;
    const [id] = ids;
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
      if (this.adapter.nsp.sockets.get(id) === socket) callback(socket);
    }
  }

  /** The ids of `rooms` that are served; looked for where there are fewer. */
  candidates(rooms) {
    const { served } = this;
    if (rooms.size === 0) return [...served.keys()];
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
