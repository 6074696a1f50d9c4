"use strict";

/**
 * Handlers of a connection's events that change the state of its WebSocket, as ws's listeners on its
 * Receiver and its socket do. They are functions instead of methods so that applications find the members
 * of ws on a WebSocket and no others.
 */

const { constants } = require("node:os");
const { ws } = require("../ws-package.js");
const detached = require("./detached-socket.js");

const { CLOSING } = ws.WebSocket;

/** RFC 6455 §7.4.1: the peer's close frame had no code. */
const NO_STATUS = 1005;

/** The reasons that close frames give for errors; with ws they give none. */
const CLOSE_REASONS = { TURBO_ERR_RATE_LIMIT: "rate limit exceeded" };

/**
 * Handles the peer's close frame: ours answers it unless it has been sent.
 *
 * @param {import("./websocket.js").WebSocket} websocket
 * @param {number} code
 * @param {Buffer} reason
 */
function handleClose(websocket, code, reason) {
  websocket._closeFrameReceived = true;
  websocket._closeCode = code;
  if (reason.length > 0) websocket._closeMessage = reason;
  if (code === NO_STATUS) websocket.close();
  else websocket.close(code, reason);
}

/**
 * Handles an error after which the connection cannot go on.
 *
 * @param {import("./websocket.js").WebSocket} websocket
 * @param {Error} error
 * @param {number} closeCode 0 if the worker has ended the connection already
 */
function handleFailure(websocket, error, closeCode) {
  if (closeCode === 0) websocket._readyState = CLOSING;
  else websocket.close(closeCode, CLOSE_REASONS[error.code]);
  if (websocket._errorEmitted) return;
  websocket._errorEmitted = true;
  websocket.emit("error", error);
}

/** Handles the end of the peer's side: it sends nothing more. */
function handlePeerEnd(websocket) {
  websocket._readyState = CLOSING;
  detached.handlePeerEnd(websocket._socket);
}

/** Handles the beginning of the end: nothing can be sent from now on. `handleEnd()` follows. */
function handleClosing(websocket) {
  websocket._readyState = CLOSING;
}

/**
 * Handles the end of the connection. The WebSocket's `close` event follows when the socket is closed.
 *
 * @param {import("./websocket.js").WebSocket} websocket
 * @param {string} reason one of `END_REASONS` in addon/codes.js
 * @param {string} systemError such as "ECONNRESET"; empty if there was none
 */
function handleEnd(websocket, reason, systemError) {
  const { _connection: connection, _socket: socket } = websocket;
  if (connection.handle.handleEnd()) return;
  const isOurs = reason === "closed";
  if (isOurs || reason === "peerEnded") detached.handleEnd(socket, isOurs);
  else socket.destroy(systemError ? readError(systemError) : undefined);
}

/** Returns the error that Node.js would have reported. */
function readError(code) {
  const errno = -constants.errno[code];
  return Object.assign(new Error(`read ${code}`), { errno, code, syscall: "read" });
}

/**
 * Returns a binary message in the form that the WebSocket's `binaryType` names.
 *
 * @param {Buffer} message
 * @param {string} binaryType
 * @returns {Buffer | ArrayBuffer | Buffer[] | Blob}
 */
function binaryMessage(message, binaryType) {
  switch (binaryType) {
    case "arraybuffer":
      return arrayBufferOf(message);
    case "fragments":
      return [message];
    case "blob":
      return new Blob([message]);
    default:
      return message;
  }
}

function arrayBufferOf({ buffer, byteOffset, byteLength }) {
  if (byteLength === buffer.byteLength) return buffer;
  return buffer.slice(byteOffset, byteOffset + byteLength);
}

module.exports = {
  binaryMessage,
  handleClose,
  handleClosing,
  handleEnd,
  handleFailure,
  handlePeerEnd,
};
