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

/**
 * Headers whose values many requests have in common, and which hold no secret: shared strings outlive
 * their connections. Of all others, only the names are shared.
 */
const COMMON_HEADERS = new Set([
  "accept",
  "accept-encoding",
  "accept-language",
  "cache-control",
  "connection",
  "host",
  "origin",
  "pragma",
  "sec-fetch-dest",
  "sec-fetch-mode",
  "sec-fetch-site",
  "sec-websocket-extensions",
  "sec-websocket-version",
  "upgrade",
  "user-agent",
]);

/** The URL of a client that has no session yet and no parameters of its own. */
const COMMON_URL = /^[^?]*\?EIO=[34]&transport=websocket$/;

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
    if (!COMMON_HEADERS.has(name)) continue;
    const value = rawHeaders[index + 1];
    rawHeaders[index + 1] = shared(value);
    if (headers[name] === value) headers[name] = rawHeaders[index + 1];
  }
  request.httpVersion = shared(request.httpVersion);
  if (COMMON_URL.test(request.url)) request.url = shared(request.url);
}

module.exports = { COMMON_HEADERS, COMMON_URL, shareStrings, shared };
