"use strict";

/**
 * Validates and answers messages of other nodes. The official adapters throw if a message is malformed,
 * and nothing catches the error, so a message is validated before they handle it.
 */

const { detailsOf, encodeRooms, encodeSockets } = require("./remote-sockets.js");

/** Types of requests, as numbered by @socket.io/redis-adapter 8. */
const SOCKETS = 0;
const ALL_ROOMS = 1;
const REMOTE_JOIN = 2;
const REMOTE_LEAVE = 3;
const REMOTE_DISCONNECT = 4;
const REMOTE_FETCH = 5;
const SERVER_SIDE_EMIT = 6;
const BROADCAST = 7;

/** For each type, whether the official adapter can handle a request without an error. */
const NEEDS = new Map([
  [SOCKETS, ({ rooms }) => isList(rooms)],
  // Without options it comes from an older version, and names one socket.
  [REMOTE_JOIN, ({ opts }) => !opts || isOptions(opts)],
  [REMOTE_LEAVE, ({ opts, rooms }) => !opts || (isOptions(opts) && Array.isArray(rooms))],
  [REMOTE_DISCONNECT, ({ opts }) => !opts || isOptions(opts)],
  [REMOTE_FETCH, ({ opts }) => isOptions(opts)],
  [SERVER_SIDE_EMIT, ({ data }) => Array.isArray(data)],
  [BROADCAST, ({ packet, opts }) => isOptions(opts) && isEvent(packet)],
]);

/** Packet types as some emitters write them, and the types that they mean. */
const PACKET_TYPES = new Map([
  ["2", 2],
  ["3", 3],
  // Socket.IO 2: the binary types of the wire, although the binary data is still in its place.
  [5, 2],
  ["5", 2],
  [6, 3],
  ["6", 3],
]);

/** Functions that return the answer to a request as text, with the values that can be encoded. */
const ANSWERS = new Map([
  [ALL_ROOMS, answerAllRooms],
  [REMOTE_FETCH, answerFetch],
]);

function answerAllRooms(adapter, { requestId }, report) {
  const encode = (rooms) => JSON.stringify({ requestId, rooms });
  return encodeRooms([...adapter.rooms.keys()], encode, report);
}

function answerFetch(adapter, { requestId, opts }, report) {
  const details = [];
  const filter = { rooms: new Set(opts.rooms), except: new Set(opts.except) };
  adapter.apply(filter, (socket) => details.push(detailsOf(socket)));
  const encode = (sockets) => JSON.stringify({ requestId, sockets });
  return encodeSockets(details, encode, report);
}

/**
 * Returns whether the official adapter can handle a request. It ignores types that it does not know.
 *
 * @param {unknown} request decoded
 */
function isRequest(request) {
  if (!isObject(request)) return false;
  const isValid = NEEDS.get(request.type);
  return isValid === undefined || isValid(request);
}

/**
 * Returns whether the official adapter can handle a response.
 *
 * @param {unknown} response decoded
 */
function isResponse(response) {
  return isObject(response);
}

/** A type of message, as numbered by socket.io-adapter 2.5. */
const CLUSTER_BROADCAST = 3;

/** For each type, whether the official ClusterAdapter can handle a message without an error. */
const CLUSTER_NEEDS = new Map([
  [CLUSTER_BROADCAST, ({ packet, opts }) => isOptions(opts) && isEvent(packet)],
  [4, ({ opts }) => isOptions(opts)],
  [5, ({ opts, rooms }) => isOptions(opts) && Array.isArray(rooms)],
  [6, ({ opts }) => isOptions(opts)],
  [7, ({ opts }) => isOptions(opts)],
  [8, ({ sockets }) => Array.isArray(sockets)],
  [9, ({ packet }) => Array.isArray(packet)],
]);

/**
 * Returns whether the official ClusterAdapter can handle a message or a response. It ignores types that
 * it does not know.
 *
 * @param {unknown} message decoded; the packet of a broadcast is given the type that its sender means
 */
function isClusterMessage(message) {
  if (!isObject(message) || !isObject(message.data)) return false;
  if (message.type === CLUSTER_BROADCAST) setPacketType(message.data.packet);
  const isValid = CLUSTER_NEEDS.get(message.type);
  return isValid === undefined || isValid(message.data);
}

/**
 * Decodes a message as the official adapters do: JSON, which the first byte shows, or by `parser`.
 *
 * @param {Buffer} message
 * @param {{ decode: (message: Buffer) => unknown }} parser
 * @returns {unknown} `undefined` if it cannot be decoded
 */
function decodeMessage(message, parser) {
  try {
    return message[0] === 0x7b ? JSON.parse(message.toString()) : parser.decode(message);
  } catch {
    return undefined;
  }
}

function isObject(value) {
  return typeof value === "object" && value !== null;
}

/** Returns whether a value can be the options of a broadcast: emitters send `""` and `[]` for none. */
function isOptions(opts) {
  return opts !== undefined && opts !== null && isList(opts.rooms) && isList(opts.except);
}

/** Returns whether `new Set()` accepts a value. */
function isList(value) {
  return value === undefined || value === null || typeof value[Symbol.iterator] === "function";
}

function isEvent(packet) {
  return isObject(packet) && packet.type === 2 && Array.isArray(packet.data);
}

/**
 * Gives a packet of another node the type that its sender means, which the parser's encoder knows.
 *
 * @param {unknown} packet
 */
function setPacketType(packet) {
  const type = isObject(packet) ? PACKET_TYPES.get(packet.type) : undefined;
  if (type !== undefined) packet.type = type;
}

/**
 * Returns the parts of a decoded broadcast of the classic protocol, as arguments of the adapter; `null`
 * if it is malformed.
 *
 * @param {unknown} message
 * @returns {{ uid: unknown, packet: object,
 *   opts: { rooms: Set<unknown>, except: Set<unknown>, flags: unknown } } | null}
 */
function broadcastOf(message) {
  if (!Array.isArray(message)) return null;
  const [uid, packet, opts] = message;
  if (!isObject(packet) || !isObject(opts) || !isOptions(opts)) return null;
  if (packet.nsp === undefined) packet.nsp = "/";
  setPacketType(packet);
  const { flags, rooms, except } = opts;
  return { uid, packet, opts: { rooms: new Set(rooms), except: new Set(except), flags } };
}

module.exports = {
  ANSWERS,
  broadcastOf,
  decodeMessage,
  isClusterMessage,
  isRequest,
  isResponse,
};
