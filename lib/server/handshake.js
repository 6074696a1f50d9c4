"use strict";

/**
 * Handshakes of WebSocket clients, whose requests a listener has read.
 *
 * Where only the options decide, a connection is accepted in the same turn. Middlewares, `allowRequest` and
 * listeners for headers get the request first, in the order in which engine.io and ws call them. In each
 * case the connection has an Engine.IO socket that is lean, see `engine-socket.js`.
 *
 * Where a program has replaced a method of engine.io or ws, or listens to what they do, they do all of it
 * themselves, with a socket that keeps what is written to it. The connection is like one whose upgrade
 * Node.js has handled, then.
 */

const { newContext } = require("../engine/contexts.js");
const { stats } = require("../stats.js");
const { doorOf } = require("./door.js");
const { openByEngine } = require("./engine-socket.js");
const { LeanConnection } = require("./lean-connection.js");
const { handlePollingHandshake, handleUpgradeHandshake } = require("./polling-handshake.js");
const { createRequest } = require("./request.js");
const { UpgradeResponse } = require("./upgrade-response.js");

/** The transports of offers; see `EventKind.Handshake` in binding.d.ts. */
const POLLING = 0;
const UPGRADE = 2;

/** As ws answers. */
const INVALID_EXTENSIONS = "Invalid or unacceptable Sec-WebSocket-Extensions header";

/** The bytes behind the head, as ws expects them: always empty, because the worker keeps them. */
const NO_INPUT = Buffer.alloc(0);

/**
 * Handles a handshake.
 *
 * @param {import("./listener.js").NativeListener} listener
 * @param {object} offer see `NativeListener`
 */
function handleHandshake(listener, offer) {
  const door = doorOf(offer.engine);
  if (door === null) {
    listener.pass(offer, "webSocketOptions");
    return;
  }
  if (offer.transport === POLLING) {
    handlePollingHandshake(listener, offer, door);
    return;
  }
  if (offer.transport === UPGRADE) {
    handleUpgradeHandshake(listener, offer, door);
    return;
  }
  const connection = new LeanConnection(listener, offer, door.ws.options);
  const { head, remoteAddress } = offer;
  const request = createRequest({ head, remoteAddress, connection, server: listener.server });
  connection.socket = request.socket;
  const handshake = { listener, offer, door, connection, request };
  // As with Node.js, what listeners of the handshake enter is not the context of the connection's events.
  newContext().runInAsyncScope(door.isPlain ? begin : leave, null, handshake);
}

function begin(handshake) {
  const { engine } = handshake.offer;
  stats.countHandshake();
  const isAsked =
    engine.middlewares.length > 0 ||
    engine.opts.allowRequest ||
    engine.listenerCount("initial_headers") > 0 ||
    engine.listenerCount("headers") > 0;
  if (isAsked) ask(handshake);
  else accept(handshake, noLines);
}

/** Leaves the handshake to engine.io and ws, which write their response to the socket. */
function leave({ listener, request }) {
  listener.server.emit("upgrade", request, request.socket, NO_INPUT);
}

/** Lets the program decide, as engine.io's `handleUpgrade()` does. */
function ask(handshake) {
  const { connection, request, offer } = handshake;
  const { engine } = offer;
  const response = new UpgradeResponse(request);
  const handleVerified = (code, context) => {
    if (code !== undefined) {
      refuse(handshake, code, context);
      return;
    }
    response.writeHead();
    // A program may have ended the connection meanwhile.
    if (connection.isPending) accept(handshake, () => headerLines(engine, request, response));
  };
  engine._applyMiddlewares(request, response, (error) => {
    const { errors } = engine.constructor;
    if (error) handleVerified(errors.BAD_REQUEST, { name: "MIDDLEWARE_FAILURE" });
    else engine.verify(request, true, handleVerified);
  });
}

/** Returns the lines that middlewares and listeners add to the response. */
function headerLines(engine, request, response) {
  const headers = UpgradeResponse.headersOf(response);
  engine.emit("initial_headers", headers, request);
  engine.emit("headers", headers, request);
  return Object.keys(headers)
    .map((name) => `${name}: ${headers[name]}\r\n`)
    .join("");
}

/** Refuses a handshake with the error of engine.io, and its bytes. */
function refuse({ offer, request, connection }, code, context = {}) {
  const { engine } = offer;
  const { errorMessages } = engine.constructor;
  engine.emit("connection_error", { req: request, code, message: errorMessages[code], context });
  if (!connection.isPending) return;
  const message = context.message || errorMessages[code];
  connection.refuse(response("Content-type", message));
}

/** Returns the response of engine.io's `abortUpgrade()`; of ws with the spelling of its header. */
function response(type, message) {
  const bytes = Buffer.from(message).latin1Slice();
  const head = `HTTP/1.1 400 Bad Request\r\nConnection: close\r\n${type}: text/html\r\n`;
  return `${head}Content-Length: ${bytes.length}\r\n\r\n${bytes}`;
}

/**
 * Accepts a connection, and opens its session.
 *
 * @param {object} handshake
 * @param {() => string} addedLines returns header lines for the response
 */
function accept(handshake, addedLines) {
  const { offer, door, connection, request } = handshake;
  const { engine, sid, remoteAddress } = offer;
  const negotiated = negotiate(door, request);
  if (negotiated === null) {
    connection.refuse(response("Content-Type", INVALID_EXTENSIONS));
    return;
  }
  connection.accept(negotiated, addedLines());
  const conn = new door.EngineSocket(sid, engine, request, remoteAddress, connection);
  if (door.isUnobserved) {
    connection.sendText(door.openPacket(sid));
    connection.route.startFlight();
    if (engine.opts.initialPacket) conn.sendPacket("message", engine.opts.initialPacket);
  } else openByEngine(conn);
  engine.clients[sid] = conn;
  engine.clientsCount++;
  engine.emit("connection", conn);
}

function noLines() {
  return "";
}

/** @returns {object | null} `Negotiated`; `null` if ws refuses what the client offers */
function negotiate({ ws, negotiation }, request) {
  const isOffering = ws.options.perMessageDeflate;
  return negotiation.negotiate(
    isOffering ? request.headers["sec-websocket-extensions"] : undefined,
  );
}

module.exports = { handleHandshake };
