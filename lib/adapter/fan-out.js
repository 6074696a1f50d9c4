"use strict";

const { toBuffer } = require("../engine/payload.js");
const { environmentWorkers } = require("../engine/workers.js");
const { NO_ROOM } = require("./mirrored-room.js");
const { EXCEPT_MEMBERS, EXCEPT_ROOMS, MEMBERS, ROOMS, Recipients } = require("./recipients.js");
const { RoomMirror } = require("./room-mirror.js");

/** The recipients of the broadcast that is being sent. Broadcasts do not nest. */
const recipients = new Recipients();

const EMPTY = new Set();
const NO_SETS = [];

/** The recipients of a broadcast by their ids in JavaScript, kept until the end of its turn. */
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

  /** Returns whether the socket with this id is a recipient. */
  reaches(id) {
    const isIn = (set) => set.has(id);
    return (this.included === null || this.included.some(isIn)) && !this.excluded.some(isIn);
  }
}

/**
 * Sends the broadcasts of one adapter: one command to each worker for the direct recipients, however
 * many there are. `RoomMirror` keeps the workers' rooms up to date, so a broadcast reaches those
 * sockets that are in the rooms at the moment of the call.
 *
 * `withFanOut()` makes one for each adapter and calls, for each broadcast, `synchronize()`, `isEmpty`
 * and `isObserved`, then `broadcast()`, then `forEachServed()` for the recipients that JavaScript has
 * to write to. Names of rooms are looked up in `adapter.rooms` each time. If a map or a Set cannot be
 * watched, `broadcast()` sends nothing and the official code reaches all recipients.
 */
class FanOut extends RoomMirror {
  /**
   * Sends a packet to the direct recipients.
   *
   * @param {Array<string | ArrayBuffer | ArrayBufferView>} packet as encoded by the parser
   * @param {{ rooms: Set<unknown>, except?: Set<unknown> | null }} options
   * @param {{ volatile?: boolean, compress?: boolean }} packetOptions
   * @param {string | null} key of `turbo.latest()`
   * @returns {boolean} true if it is sent, and `forEachServed()` has the other recipients; false if
   *   the official code has to reach all of them, since the mirror cannot read these rooms
   */
  broadcast(packet, options, packetOptions, key) {
    this.synchronize();
    const { rooms, except } = setsOf(options);
    const included = this.#read(rooms);
    const excluded = this.#read(except);
    if (included === null || excluded === null || this.isEmpty) return false;
    recipients.clear();
    if (rooms.size === 0) recipients.add(ROOMS, this.all);
    else this.#addSets(included, ROOMS, MEMBERS);
    if (recipients.isEmpty) return true;
    this.#addSets(excluded, EXCEPT_ROOMS, EXCEPT_MEMBERS);
    const payloads = payloadsOf(packet);
    const workers = environmentWorkers();
    const broadcast = new Broadcast(this, rooms.size === 0 ? null : included, excluded);
    workers.broadcast(payloads, recipients.encoded, this.#flagsOf(packetOptions, key), broadcast);
    if (workers.hasBroadcastMuch) this.#show(payloads, broadcast);
    return true;
  }

  /**
   * Sends a packet with a key to one served socket that is on a worker. It looks as if engine.io had
   * sent it.
   *
   * @param {import("./packet-route.js").PacketRoute} route for which `canSend()` holds
   * @param {Array<string | ArrayBuffer | ArrayBufferView>} packet as encoded by the parser
   * @param {{ volatile?: boolean, compress?: boolean }} packetOptions
   * @param {string} key
   */
  sendLatest(route, packet, packetOptions, key) {
    if (packetOptions.volatile && !route.transport.writable) return;
    const payloads = payloadsOf(packet);
    recipients.clear();
    recipients.add(MEMBERS, route.connection.id);
    const broadcast = new Broadcast(this, NO_SETS, NO_SETS);
    const flags = this.#flagsOf(packetOptions, key);
    route.connection.workers.broadcast(payloads, recipients.encoded, flags, broadcast);
    route.showBroadcast(payloads);
  }

  /**
   * Makes a broadcast look to its direct recipients as if engine.io had sent it. Needed only where a
   * program may broadcast for as long as a recipient is writable, since it is a loop over all of them.
   */
  #show(payloads, broadcast) {
    for (const [id, { route }] of this.direct) {
      if (broadcast.reaches(id)) route.showBroadcast(payloads);
    }
  }

  /** Reads the options of a packet as engine.io does. */
  #flagsOf({ volatile, compress }, key) {
    const latest = key === null ? undefined : [this.adapter.nsp.name, key];
    return { isVolatile: Boolean(volatile), isCompressible: compress !== false, latest };
  }

  /** @returns {Array<Set<string>> | null} the Sets of these rooms; `null` if one cannot be read */
  #read(names) {
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

  /** Adds the rooms of several members to one list, and the members of the other rooms to another. */
  #addSets(sets, roomList, memberList) {
    for (const set of sets) {
      const room = set.size > 1 ? this.workersRoomOf(this.mirror(set)) : NO_ROOM;
      if (room !== NO_ROOM) recipients.add(roomList, room);
    }
    for (const set of sets) {
      const connection = set.size > 1 ? undefined : this.onlyConnection(set);
      if (connection !== undefined) recipients.add(memberList, connection.id);
    }
  }

  /** Returns the connection of the one id in a Set; `undefined` if it is not direct, or has ended. */
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
    // All at once: `callback` may run listeners, and these may make sockets direct or served.
    const ids = this.#servedIn(rooms).filter((id) => !this.#isInAny(except, id));
    for (const [id, socket] of ids.map((id) => [id, this.served.get(id)])) {
      if (socket && this.adapter.nsp.sockets.get(id) === socket) callback(socket);
    }
  }

  /** Returns the served ids in `rooms`. Searches the rooms or the served ids, whichever are fewer. */
  #servedIn(rooms) {
    const { served } = this;
    const { sids } = this.adapter;
    if (rooms.size === 0) return [...served.keys()].filter((id) => sids.has(id));
    const sets = [...rooms].map((room) => this.adapter.rooms.get(room) ?? EMPTY);
    const count = sets.reduce((sum, { size }) => sum + size, 0);
    if (count > served.size) return [...served.keys()].filter((id) => this.#isInAny(rooms, id));
    return [...new Set(sets.flatMap((set) => [...set]))].filter((id) => served.has(id));
  }

  #isInAny(rooms, id) {
    for (const room of rooms) {
      if (this.adapter.rooms.get(room)?.has(id)) return true;
    }
    return false;
  }
}

/** Returns the texts and the bytes of a packet. */
function payloadsOf(packet) {
  return packet.map((data) => (typeof data === "string" ? data : toBuffer(data)));
}

/** Reads the options as the official adapter does, which ignores a value without a size. */
function setsOf({ rooms, except }) {
  return { rooms: rooms.size > 0 ? rooms : EMPTY, except: except?.size > 0 ? except : EMPTY };
}

module.exports = { FanOut };
