"use strict";

/**
 * Shares equal strings among connections. Node.js makes new strings for the headers of each request, and a
 * request stays for as long as its connection. Most of them are the same in the requests of many clients.
 */

const { IncomingMessage } = require("node:http");

/** More than the clients of one application send. What peers make up cannot fill the memory. */
const MAX_STRINGS = 512;

/** In characters; the header of a user agent is shorter. */
const MAX_LENGTH = 512;

/** Headers whose values few requests have in common. Their names are shared. */
const SINGULAR = new Set([
  "authorization",
  "cookie",
  "forwarded",
  "sec-websocket-key",
  "traceparent",
  "x-forwarded-for",
  "x-real-ip",
  "x-request-id",
]);

const known = new Map();

/**
 * Returns the equal string that earlier calls have returned, if there is one.
 *
 * @param {string} string
 * @returns {string}
 */
function shared(string) {
  const earlier = known.get(string);
  if (earlier !== undefined) return earlier;
  if (string.length > MAX_LENGTH) return string;
  if (known.size === MAX_STRINGS) known.clear();
  known.set(string, string);
  return string;
}

/**
 * Replaces strings of a request by equal ones that are shared.
 *
 * @param {import("node:http").IncomingMessage} request of an upgrade; left alone if it is anything else
 */
function shareStrings(request) {
  if (!(request instanceof IncomingMessage) || Object.isFrozen(request)) return;
  const { headers, rawHeaders } = request;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index].toLowerCase();
    rawHeaders[index] = shared(rawHeaders[index]);
    if (SINGULAR.has(name)) continue;
    const value = rawHeaders[index + 1];
    rawHeaders[index + 1] = shared(value);
    if (headers[name] === value) headers[name] = rawHeaders[index + 1];
  }
  request.httpVersion = shared(request.httpVersion);
  // The URL of an upgrade from polling has the session's id.
  if (!request.url.includes("sid=")) request.url = shared(request.url);
}

module.exports = { shareStrings, shared };
