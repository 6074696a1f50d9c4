"use strict";

/**
 * Encodes the sockets and rooms of this node for other nodes. Applications put any values into
 * `socket.data`, and name rooms by any values. Those that cannot be encoded are left out, since an
 * exception would end the process that answers.
 */

/**
 * @typedef {object} Details
 * @property {string} id
 * @property {object} handshake
 * @property {unknown[]} rooms
 * @property {unknown} data
 */

/**
 * Returns the details of a socket, without a `sessionStore` as in the official adapters.
 *
 * @param {import("socket.io").Socket} socket
 * @returns {Details}
 */
function detailsOf({ id, handshake, rooms, data }) {
  const { sessionStore: _, ...others } = handshake;
  return { id, handshake: others, rooms: [...rooms], data };
}

/**
 * Encodes the details of sockets. Leaves out properties of `data` and `handshake`, and rooms, that
 * cannot be encoded.
 *
 * @template E
 * @param {Details[]} sockets
 * @param {(sockets: Details[]) => E} encode throws if it cannot encode
 * @param {(problem: string) => void} report called for each socket with omitted values
 * @returns {E}
 */
function encodeSockets(sockets, encode, report) {
  try {
    return encode(sockets);
  } catch {
    const test = (part) => encode([part]);
    return encode(sockets.map((details) => withoutUnencodable(details, test, report)));
  }
}

function withoutUnencodable(details, encode, report) {
  const parts = ["handshake", "data"].map((name) => partition(name, details[name], encode));
  const rooms = details.rooms.filter((room) => isEncodable({ rooms: [room] }, encode));
  const omitted = parts.flatMap(({ bad }) => bad);
  if (rooms.length < details.rooms.length) omitted.push("rooms");
  if (omitted.length === 0) return details;
  const names = omitted.join(", ");
  report(`fetchSockets() on another node returns socket ${details.id} without ${names}`);
  const [handshake, data] = parts.map(({ good }) => good);
  return { ...details, handshake, rooms, data };
}

/** Returns the properties of a value that can be encoded, and the names of the others. */
function partition(name, value, encode) {
  if (isEncodable({ [name]: value }, encode)) return { good: value, bad: [] };
  const [good, bad] = [{}, []];
  for (const key of Object.keys(Object(value))) {
    try {
      const property = value[key];
      encode({ [name]: property });
      good[key] = property;
    } catch {
      bad.push(`${name}.${key}`);
    }
  }
  return { good, bad: bad.length > 0 ? bad : [name] };
}

/** Returns whether a value can be encoded. */
function isEncodable(value, encode) {
  try {
    encode(value);
    return true;
  } catch {
    return false;
  }
}

/**
 * Encodes the names of rooms. Leaves out those that cannot be encoded.
 *
 * @template E
 * @param {unknown[]} rooms
 * @param {(rooms: unknown[]) => E} encode throws if it cannot encode
 * @param {(problem: string) => void} report
 * @returns {E}
 */
function encodeRooms(rooms, encode, report) {
  try {
    return encode(rooms);
  } catch {
    const encodable = rooms.filter((room) => isEncodable([room], encode));
    report(`allRooms() on another node returns ${encodable.length} of ${rooms.length} rooms`);
    return encode(encodable);
  }
}

module.exports = { detailsOf, encodeRooms, encodeSockets };
