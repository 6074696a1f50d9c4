"use strict";

const net = require("node:net");
const { binding, hasEngine } = require("../addon/index.js");
const { warn } = require("../errors.js");
const { isWithoutContext } = require("./compression.js");
const { isWsThePackage } = require("../ws-package.js");
const { stats } = require("../stats.js");

/**
 * The reasons to leave a connection to ws: names as counted in `stats()`, and the words of the warning. Tests
 * compare the names with index.d.ts and with the guides.
 */
const REASONS = {
  addon: "the native addon is not loaded",
  platform: "the addon serves connections on Linux and macOS only",
  otherWs: "the runtime replaces the package ws with its own implementation",
  tls: "Node.js does its TLS; createSecureServer(), or a reverse proxy in front, can do that instead",
  notTcp: "the server does not listen on TCP",
  noDescriptor: "the socket has no file descriptor",
  hiddenDescriptor: "the runtime does not expose the file descriptors of its sockets",
  pendingWrite: "the response to the upgrade is not written yet",
  contextTakeover: "perMessageDeflate asks for context takeover or a dictionary",
  skipUTF8Validation: "skipUTF8Validation is set",
  allowSynchronousEvents: "allowSynchronousEvents is off",
  customClass: "the option WebSocket names another class",
  resources: "file descriptors or threads have run out",
};

/** Reasons for which a warning has been printed. */
const warned = new Set();

/**
 * Returns why a connection cannot live on a worker.
 *
 * @param {import("ws").WebSocket} websocket
 * @param {import("node:stream").Duplex} socket of the upgrade
 * @param {{ skipUTF8Validation?: boolean }} options
 * @returns {keyof REASONS | null} null if it can
 */
function fallbackReason(websocket, socket, options) {
  const reason = generalReason();
  if (reason !== null) return reason;
  if (!isWsThePackage) return "otherWs";
  if (socket.encrypted) return "tls";
  return socketReason(socket) ?? optionReason(websocket, options);
}

/** Returns why no connection can live on a worker. */
function generalReason() {
  if (binding === null) return "addon";
  return hasEngine ? null : "platform";
}

/** The local address decides: a peer that is gone leaves no remote one, and a worker finds that out. */
function socketReason(socket) {
  if (!(socket instanceof net.Socket) || socket.localFamily === undefined) return "notTcp";
  const handle = socket._handle;
  if (!(handle?.fd >= 0)) return handle && !("fd" in handle) ? "hiddenDescriptor" : "noDescriptor";
  return socket.writableLength > 0 || handle.writeQueueSize > 0 ? "pendingWrite" : null;
}

function optionReason(websocket, options) {
  const { _extensions: extensions, _settings: settings } = websocket;
  const hasExtensions = Object.keys(extensions).length > 0;
  const canInflate = settings.compression !== null && isWithoutContext(extensions);
  if (hasExtensions && !canInflate) return "contextTakeover";
  if (options.skipUTF8Validation) return "skipUTF8Validation";
  return options.allowSynchronousEvents ? null : "allowSynchronousEvents";
}

/** Counts a connection that is left to ws, and prints a warning of the first for each reason. */
function reportFallback(reason) {
  stats.countFallback(reason);
  // Without the addon a warning has been printed, unless it was switched off on purpose.
  if (reason === "addon" || warned.has(reason)) return;
  warned.add(reason);
  warn("TURBO_FALLBACK", `a WebSocket connection is left to ws: ${REASONS[reason]}`);
}

module.exports = { REASONS, fallbackReason, generalReason, reportFallback };
