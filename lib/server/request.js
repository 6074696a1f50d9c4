"use strict";

const { IncomingMessage } = require("node:http");
const { Readable, getDefaultHighWaterMark } = require("node:stream");
const { inspect } = require("node:util");
const { LeanKind, define, plain } = require("./lean.js");
const { headersOf, rawHeadersOf, readHead, urlOf } = require("./request-head.js");
const { connectionOf, createSocket } = require("./request-socket.js");

/** The text of the head; its `HeadForm`, once it is read. */
const kHead = Symbol("head");
/** The values that other requests of the form do not share; the only one by itself. */
const kOwn = Symbol("own");
const kSocket = Symbol("socket");
const kHeaders = Symbol("headers");
const kQuery = Symbol("query");

const isEndSilent = endsSilently(new Readable());

/** The URL of most clients, see `COMMON_URL` in shared-strings.js. */
const PLAIN_URL = /^[^?]*\?EIO=4&transport=websocket$/;

/**
 * The `http.IncomingMessage` of a connection that Node.js has never had: a lean object (see `lean.js`), made of
 * the head's text. Expanded, it is what Node.js and engine.io leave of the request of an upgrade.
 */
const kind = new LeanKind(
  IncomingMessage.prototype,
  [kHead, kOwn, kSocket, kHeaders, kQuery],
  expandRequest,
);

function LeanRequest(head, socket) {
  this[kHead] = head;
  this[kOwn] = null;
  this[kSocket] = socket;
  this[kHeaders] = null;
  this[kQuery] = null;
}

LeanRequest.prototype = kind.prototype;

/**
 * Returns a request.
 *
 * @param {object} values
 * @param {string} values.head latin1 text of a valid request head, up to and with the empty line
 * @param {string} values.remoteAddress as Node.js spells it
 * @param {object} values.connection see `createSocket()`
 * @param {import("node:http").Server} values.server
 * @param {boolean} values.isEncrypted
 * @returns {import("node:http").IncomingMessage}
 */
function createRequest({ head, ...values }) {
  return new LeanRequest(head, createSocket(values));
}

/** Returns the form of a request's head. */
function formOf(request) {
  const head = request[kHead];
  if (typeof head !== "string") return head;
  const { form, own } = readHead(head);
  // An array that grew has room for 17.
  request[kOwn] = own.length === 1 ? own[0] : own.slice();
  request[kHead] = form;
  return form;
}

/** Returns the values of a request's own. To be called after `formOf()`. */
function ownOf(request) {
  const own = request[kOwn];
  return typeof own === "string" ? [own] : own;
}

const joinsDuplicates = (request) => request[kSocket].server.joinDuplicateHeaders || null;

/** Properties that are found out when they are read. */
const READ = {
  method: (request) => formOf(request).method,
  url: (request) => urlOf(formOf(request), ownOf(request)),
  httpVersion: (request) => formOf(request).httpVersion,
  httpVersionMajor: (request) => formOf(request).httpVersionMajor,
  httpVersionMinor: (request) => formOf(request).httpVersionMinor,
  upgrade: (request) => formOf(request).isUpgrade,
  complete: () => true,
  aborted: () => false,
  joinDuplicateHeaders: joinsDuplicates,
  statusCode: () => null,
  statusMessage: () => null,
  parser: (request) => (formOf(request).isUpgrade ? null : undefined),
  socket: (request) => request[kSocket],
  client: (request) => request[kSocket],
  _query: readQuery,
  websocket: readWebSocket,
  rawHeaders: (request) => defined(request, "rawHeaders", allHeaders(request)),
  rawTrailers: (request) => defined(request, "rawTrailers", []),
};

/** Makes a value that a program may change a property of the request, and returns it. */
function defined(request, name, value) {
  define(request, name, value);
  return value;
}

function allHeaders(request) {
  return rawHeadersOf(formOf(request), ownOf(request));
}

function readHeaders(request) {
  return (
    request[kHeaders] ||
    keep(request, kHeaders, headersOf(formOf(request), ownOf(request), joinsDuplicates(request)))
  );
}

/** Keeps a value for later readings, unless a program has frozen the request. */
function keep(request, field, value) {
  try {
    request[field] = value;
  } catch {
    // It is made anew for each reading, then.
  }
  return value;
}

function writeHeaders(request, _name, value) {
  request[kHeaders] = value;
}

/** Returns the query, which engine.io's `prepare()` adds to each request. */
function readQuery(request) {
  return request[kQuery] ?? keep(request, kQuery, queryOf(request.url));
}

function queryOf(url) {
  if (PLAIN_URL.test(url)) return { EIO: "4", transport: "websocket" };
  return Object.fromEntries(new URL(url, "https://socket.io").searchParams.entries());
}

/** Returns the WebSocket, which engine.io adds to the request of an upgrade when it has accepted it. */
function readWebSocket(request) {
  return hasWebSocket(request) ? connectionOf(request[kSocket]).websocket : undefined;
}

/** Returns whether a request of long-polling has had its response. */
function isServed(request) {
  return !formOf(request).isUpgrade && connectionOf(request[kSocket]).workers !== null;
}

function hasWebSocket(request) {
  const { isUpgrade } = formOf(request);
  return isUpgrade && connectionOf(request[kSocket]).workers !== null;
}

/** Express gives a request another prototype, from which nothing lean is inherited. It sets `res` before. */
function writeResponse(request, name, value) {
  if (value) kind.expand(request);
  define(request, name, value);
}

function writeConnection(request, _name, value) {
  request.socket = value;
}

function addAccessors() {
  for (const [name, read] of Object.entries(READ)) kind.add(name, read);
  kind.add("headers", readHeaders, writeHeaders, false);
  kind.add("connection", ({ socket }) => socket, writeConnection, false);
  kind.add("res", (request) => (isServed(request) ? null : undefined), writeResponse, false);
  kind.addExpanding(["headersDistinct", "trailers", "trailersDistinct"], false);
  kind.addExpanding(["_eventsCount"]);
  kind.addExpanding(Reflect.ownKeys(new IncomingMessage(null)));
}

/** Called for `console.log()`, which goes on with the properties of the result: the WebSocket is one. */
function shownRequest() {
  kind.expand(this);
  void this.websocket;
  return this;
}

addAccessors();
kind.addMethod(inspect.custom, shownRequest);

function expandRequest(request) {
  const { [kSocket]: socket, [kHeaders]: headers, rawHeaders, _query, url } = request;
  const form = formOf(request);
  const added = { _query: plain(_query) };
  if (hasWebSocket(request)) added.websocket = lateWebSocket(socket);
  const isClosed = isServed(request);
  // As engine.io leaves it.
  if (isClosed) added.res = plain(null);
  Object.assign(added, kind.strip(request, IncomingMessage.prototype));
  construct(request, form, socket);
  request.url = url;
  request._addHeaderLines(rawHeaders, form.rawHeaders.length);
  if (headers) request.headers = headers;
  request.complete = true;
  endStream(request);
  if (isClosed) closeStream(request);
  Object.defineProperties(request, added);
}

/** Prepares a request as Node.js does when it has read the head. */
function construct(request, form, socket) {
  const { server } = socket;
  const { highWaterMark = getDefaultHighWaterMark(false) } = server;
  // The constructor reads nothing else of the socket, which stays lean.
  IncomingMessage.call(request, { readableHighWaterMark: highWaterMark });
  request.socket = socket;
  request.client = socket;
  for (const name of ["httpVersionMajor", "httpVersionMinor", "httpVersion", "method"]) {
    request[name] = form[name];
  }
  request.joinDuplicateHeaders = server.joinDuplicateHeaders || null;
  request.upgrade = form.isUpgrade;
  if (form.isUpgrade) request.parser = null;
}

/** Ends the stream. `readable` is not emitted: Node.js has done that before a program could listen. */
function endStream(request) {
  const { _readableState: state } = request;
  const { sync } = state;
  state.sync = isEndSilent;
  request.push(null);
  state.sync = sync;
}

/** Brings the stream into the state after a response: Node.js has read it to its end, and closed it. */
function closeStream(request) {
  request._dumped = true;
  const { _readableState: state } = request;
  if (!isEndSilent) state.flowing = true;
  for (const name of ["endEmitted", "destroyed", "closed", "closeEmitted"]) state[name] = true;
}

/** Returns whether the end of a stream without listeners emits nothing, as from Node.js 26 on. */
function endsSilently(stream) {
  stream.push(null);
  return !stream._readableState.emittedReadable;
}

/** Describes the property that makes the WebSocket when it is read. */
function lateWebSocket(socket) {
  return {
    get() {
      return defined(this, "websocket", connectionOf(socket).websocket);
    },
    set(value) {
      define(this, "websocket", value);
    },
    enumerable: true,
    configurable: true,
  };
}

module.exports = { createRequest };
