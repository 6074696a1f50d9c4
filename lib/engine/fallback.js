"use strict";

const net = require("node:net");
const { Writable } = require("node:stream");
const { Receiver } = require("ws");
const { binding, hasEngine } = require("../addon/index.js");
const { stats } = require("../stats.js");

/** Why a connection is left to ws: names as counted in `stats()`, and words. */
const REASONS = {
  addon: "the native addon is not loaded",
  platform: "the addon serves connections on Linux and macOS only",
  otherWs: "the runtime has a ws of its own in the place of the package",
  tls: "TLS is terminated in Node.js; a reverse proxy in front of it can do that instead",
  notTcp: "the server does not listen on TCP",
  noDescriptor: "the socket has no descriptor",
  hiddenDescriptor: "the runtime does not give the descriptors of its sockets",
  pendingWrite: "the response to the upgrade is not written yet",
  compressed: "perMessageDeflate is enabled and the client supports it",
  skipUTF8Validation: "skipUTF8Validation is set",
  allowSynchronousEvents: "allowSynchronousEvents is off",
  customClass: "the option WebSocket names a class of its own",
  resources: "the operating system gives no descriptor or no thread",
};

/**
 * Whether `ws` is the package, which writes the response to an upgrade itself and keeps its state where
 * ours goes on with it. Bun has a ws of its own, without the stream that reads the frames.
 */
const isWsThePackage = Receiver?.prototype instanceof Writable;

/** Reasons of which a warning has been printed. */
const warned = new Set();

/**
 * @param {import("ws").WebSocket} websocket
 * @param {import("node:stream").Duplex} socket on which the upgrade came
 * @param {{ skipUTF8Validation?: boolean }} options
 * @returns {keyof REASONS | null} why the connection cannot live on a worker; null if it can
 */
function fallbackReason(websocket, socket, options) {
  if (binding === null) return "addon";
  if (!hasEngine) return "platform";
  if (!isWsThePackage) return "otherWs";
  if (socket.encrypted) return "tls";
  return socketReason(socket) ?? optionReason(websocket, options);
}

/** A peer that has gone leaves no remote address; that is for a worker to find. */
function socketReason(socket) {
  if (!(socket instanceof net.Socket) || socket.localFamily === undefined) return "notTcp";
  const handle = socket._handle;
  if (!(handle?.fd >= 0)) return handle && !("fd" in handle) ? "hiddenDescriptor" : "noDescriptor";
  return socket.writableLength > 0 || handle.writeQueueSize > 0 ? "pendingWrite" : null;
}

function optionReason(websocket, options) {
  if (Object.keys(websocket._extensions).length > 0) return "compressed";
  if (options.skipUTF8Validation) return "skipUTF8Validation";
  return options.allowSynchronousEvents ? null : "allowSynchronousEvents";
}

/** Counts a connection that is left to ws, and warns of the first for each reason. */
function reportFallback(reason) {
  stats.countFallback(reason);
  // Without the addon there has been a warning, unless it was switched off on purpose.
  if (reason === "addon" || warned.has(reason)) return;
  warned.add(reason);
  process.emitWarning(`a WebSocket connection is left to ws: ${REASONS[reason]}`, {
    type: "SocketIoTurboWarning",
    code: "TURBO_FALLBACK",
  });
}

module.exports = { REASONS, fallbackReason, reportFallback };
