"use strict";

/**
 * Packet types, and which packets are valid.
 * Socket.IO v5, "Packet types"; socket.io-parser 4.2.7, `lib/index.ts`.
 */

/** The protocol version, as in socket.io-parser. */
const protocol = 5;

/** Packet types by name and, like a TypeScript enum, names by number. */
const PacketType = {};
for (const [number, name] of [
  "CONNECT",
  "DISCONNECT",
  "EVENT",
  "ACK",
  "CONNECT_ERROR",
  "BINARY_EVENT",
  "BINARY_ACK",
].entries()) {
  PacketType[number] = name;
  PacketType[name] = number;
}

const { CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR } = PacketType;

/** Event names that the client, the server or EventEmitter emit themselves. */
const RESERVED_EVENTS = new Set([
  "connect",
  "connect_error",
  "disconnect",
  "disconnecting",
  "newListener",
  "removeListener",
]);

/**
 * Returns whether socket.io-parser regards `value` as an object, by its `[[Class]]`.
 *
 * @param {unknown} value
 * @returns {boolean}
 */
function isObject(value) {
  return Object.prototype.toString.call(value) === "[object Object]";
}

/**
 * Returns whether `data` is an event: an array that begins with a number, or with a name that is not
 * reserved.
 *
 * @param {unknown} data
 * @returns {boolean}
 */
function isEventData(data) {
  if (!Array.isArray(data)) return false;
  const name = data[0];
  return typeof name === "string" ? !RESERVED_EVENTS.has(name) : typeof name === "number";
}

/**
 * Returns whether a decoded packet of this type may carry `data`.
 *
 * @param {number} type EVENT and ACK stand for their binary forms, too
 * @param {unknown} data the parsed JSON
 * @returns {boolean}
 */
function isPayloadValid(type, data) {
  switch (type) {
    case EVENT:
      return isEventData(data);
    case ACK:
      return Array.isArray(data);
    case CONNECT:
      return isObject(data);
    case CONNECT_ERROR:
      return typeof data === "string" || isObject(data);
    case DISCONNECT: // a reviver can return it
      return data === undefined;
    default:
      return false;
  }
}

/**
 * Returns whether a packet could have been decoded from the wire. Does not throw for an object.
 *
 * @param {{ type: number, nsp: string, data?: unknown, id?: number }} packet
 * @returns {boolean}
 */
function isPacketValid(packet) {
  const { type, nsp, data, id } = packet;
  if (typeof nsp !== "string" || (id !== undefined && !Number.isInteger(id))) return false;
  if (data === undefined && (type === CONNECT || type === DISCONNECT)) return true;
  return isPayloadValid(type, data);
}

module.exports = { PacketType, isPacketValid, isPayloadValid, protocol };
