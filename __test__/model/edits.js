"use strict";

/**
 * What programs do to the maps of an adapter, as code to be read and as code to be run. A name that
 * is not there is passed over.
 */

class Team extends Set {}

/**
 * @typedef {object} Scene
 * @property {import("socket.io").Namespace} nsp
 * @property {unknown} room
 * @property {unknown} other a second room
 * @property {string} id that of a socket
 * @property {import("socket.io").Socket | undefined} socket
 */

/** @type {Record<string, (scene: Scene) => unknown>} */
const EDITS = {
  "rooms.delete(room)": ({ nsp, room }) => nsp.adapter.rooms.delete(room),
  "rooms.get(room)?.delete(id)": ({ nsp, room, id }) => nsp.adapter.rooms.get(room)?.delete(id),
  "rooms.get(room)?.add(id)": ({ nsp, room, id }) => nsp.adapter.rooms.get(room)?.add(id),
  "rooms.get(room)?.clear()": ({ nsp, room }) => nsp.adapter.rooms.get(room)?.clear(),
  "rooms.set(other, rooms.get(room) ?? new Set())": ({ nsp: { adapter }, room, other }) =>
    adapter.rooms.set(other, adapter.rooms.get(room) ?? new Set()),
  "rooms.set(room, new Set(rooms.get(other)).add(id))": ({ nsp: { adapter }, room, other, id }) =>
    adapter.rooms.set(room, new Set(adapter.rooms.get(other)).add(id)),
  "rooms.set(room, new (class extends Set {})(rooms.get(other)).add(id))": ({
    nsp: { adapter },
    room,
    other,
    id,
  }) => adapter.rooms.set(room, new Team(adapter.rooms.get(other)).add(id)),
  "Set.prototype.delete.call(rooms.get(room) ?? new Set(), id)": ({ nsp, room, id }) =>
    Set.prototype.delete.call(nsp.adapter.rooms.get(room) ?? new Set(), id),
  "rooms.clear()": ({ nsp }) => nsp.adapter.rooms.clear(),
  "adapter.rooms = new Map(rooms)": ({ nsp: { adapter } }) => {
    adapter.rooms = new Map(adapter.rooms);
  },
  "socket.rooms.clear()": ({ socket }) => socket?.rooms.clear(),
  "sids.get(id)?.delete(room)": ({ nsp, id, room }) => nsp.adapter.sids.get(id)?.delete(room),
  "sids.delete(id)": ({ nsp, id }) => nsp.adapter.sids.delete(id),
  "sids.set(id, new Set([room]))": ({ nsp, id, room }) => nsp.adapter.sids.set(id, new Set([room])),
  "nsp.sockets.delete(id)": ({ nsp, id }) => nsp.sockets.delete(id),
  "nsp.sockets.set(id, socket)": ({ nsp, id, socket }) =>
    socket?.connected && nsp.sockets.set(id, socket),
};

module.exports = { EDITS };
