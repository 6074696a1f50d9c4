"use strict";

/** Lines of code that programs run to edit the maps of an adapter. Names without a value are passed over. */
const LINES = [
  "rooms.delete(room)",
  "rooms.get(room)?.delete(id)",
  "rooms.get(room)?.add(id)",
  "rooms.get(room)?.clear()",
  "rooms.set(other, rooms.get(room) ?? new Set())",
  "rooms.set(room, new Set(rooms.get(other)).add(id))",
  "rooms.set(room, new (class extends Set {})(rooms.get(other)).add(id))",
  "Set.prototype.delete.call(rooms.get(room) ?? new Set(), id)",
  "rooms.clear()",
  "adapter.rooms = new Map(rooms)",
  "socket?.rooms.clear()",
  "sids.get(id)?.delete(room)",
  "sids.delete(id)",
  "sids.set(id, new Set([room]))",
  "sockets.delete(id)",
  "socket?.connected && sockets.set(id, socket)",
];

const NAMES = "{ adapter, adapter: { rooms, sids }, sockets, room, other, id, socket }";

/**
 * The lines as functions.
 *
 * @type {Record<string, (scene: Scene) => void>}
 *
 * @typedef {object} Scene
 * @property {import("socket.io-adapter").Adapter} adapter
 * @property {Map<string, import("socket.io").Socket>} sockets of the namespace
 * @property {unknown} room
 * @property {unknown} other another room
 * @property {string} id of a socket
 * @property {import("socket.io").Socket | undefined} socket
 */
const EDITS = Object.fromEntries(LINES.map((line) => [line, new Function(NAMES, line)]));

module.exports = { EDITS };
