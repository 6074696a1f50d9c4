"use strict";

const { detailsOf, encodeRooms, encodeSockets } = require("./remote-sockets.js");

/** Types of requests, as @socket.io/redis-adapter 8 numbers them. */
const SOCKETS = 0;
const ALL_ROOMS = 1;
const REMOTE_JOIN = 2;
const REMOTE_LEAVE = 3;
const REMOTE_DISCONNECT = 4;
const REMOTE_FETCH = 5;
const SERVER_SIDE_EMIT = 6;
const BROADCAST = 7;

/** What each type needs, so that the official code can do it without an error. */
const NEEDS = new Map([
  [SOCKETS, ({ rooms }) => isList(rooms)],
  // Without options it is that of an older version, about one socket.
  [REMOTE_JOIN, ({ opts }) => !opts || isOptions(opts)],
  [REMOTE_LEAVE, ({ opts, rooms }) => !opts || (isOptions(opts) && Array.isArray(rooms))],
  [REMOTE_DISCONNECT, ({ opts }) => !opts || isOptions(opts)],
  [REMOTE_FETCH, ({ opts }) => isOptions(opts)],
  [SERVER_SIDE_EMIT, ({ data }) => Array.isArray(data)],
  [BROADCAST, ({ packet, opts }) => isOptions(opts) && isEvent(packet)],
]);

/** Types of packets as some emitters write them, and what they mean. */
const PACKET_TYPES = new Map([
  ["2", 2],
  ["3", 3],
  // Those that clients get, beside binary data that is still in its place: Socket.IO 2.
  [5, 2],
  ["5", 2],
  [6, 3],
  ["6", 3],
]);

/** Answers requests with the values that can be encoded, as text for the asking node. */
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
 * Whether the official adapter can handle a request. It ignores types that it does not know.
 *
 * @param {unknown} request decoded
 */
function isRequest(request) {
  if (!isObject(request)) return false;
  const isValid = NEEDS.get(request.type);
  return isValid === undefined || isValid(request);
}

/**
 * Whether the official adapter can handle a response.
 *
 * @param {unknown} response decoded
 */
function isResponse(response) {
  return isObject(response);
}

/** Types of messages, as socket.io-adapter 2.5 numbers them. */
const CLUSTER_BROADCAST = 3;
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
 * Whether the official ClusterAdapter can handle a message or a response. It ignores types that it
 * does not know.
 *
 * @param {unknown} message decoded; the packet of a broadcast gets the type that its sender means
 */
function isClusterMessage(message) {
  if (!isObject(message) || !isObject(message.data)) return false;
  if (message.type === CLUSTER_BROADCAST) setPacketType(message.data.packet);
  const isValid = CLUSTER_NEEDS.get(message.type);
  return isValid === undefined || isValid(message.data);
}

/**
 * As the official adapters do it: JSON by its first byte, else what the parser reads.
 *
 * @param {Buffer} message
 * @param {{ decode: (message: Buffer) => unknown }} parser
 * @returns {unknown} `undefined` if it is neither
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

/** Returns whether these are options: emitters send `""` and `[]` for none. */
function isOptions(opts) {
  return opts !== undefined && opts !== null && isList(opts.rooms) && isList(opts.except);
}

/** Returns whether `new Set()` takes a value. */
function isList(value) {
  return value === undefined || value === null || typeof value[Symbol.iterator] === "function";
}

function isEvent(packet) {
  return isObject(packet) && packet.type === 2 && Array.isArray(packet.data);
}

/**
 * Gives a packet of another node the type that its sender means, so that the parser's encoder knows
 * it.
 *
 * @param {unknown} packet
 */
function setPacketType(packet) {
  const type = isObject(packet) ? PACKET_TYPES.get(packet.type) : undefined;
  if (type !== undefined) packet.type = type;
}

/**
 * Returns a decoded broadcast of the classic protocol with its parts as the adapter takes them;
 * `null` if it is none.
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
  setPacketType,
};
