"use strict";

/** Types of requests, as @socket.io/redis-adapter 8 numbers them. */
const SOCKETS = 0;
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

function isObject(value) {
  return typeof value === "object" && value !== null;
}

function isOptions(opts) {
  return isObject(opts) && isList(opts.rooms) && isList(opts.except);
}

/** What `new Set()` takes. */
function isList(value) {
  return value === undefined || value === null || Array.isArray(value);
}

function isEvent(packet) {
  return isObject(packet) && packet.type === 2 && Array.isArray(packet.data);
}

module.exports = { isRequest, isResponse };
