"use strict";

/** Errors of TLS between a client and a server, as Node.js reports them. */

const net = require("node:net");
const { beginTls } = require("./tls-socket.js");

const OF_OPENSSL = /^ERR_SSL_(.*)$/;

/** The texts of errors that are not OpenSSL's. */
const TEXTS = {
  ECONNRESET: "socket hang up",
  EPIPE: "write EPIPE",
  ERR_TLS_HANDSHAKE_TIMEOUT: "TLS handshake timeout",
};

/** @param {string} code @returns {Error} */
function tlsError(code) {
  const [, name] = OF_OPENSSL.exec(code) ?? [];
  if (name === undefined) return Object.assign(new Error(TEXTS[code] ?? code), { code });
  const reason = name.toLowerCase().replaceAll("_", " ");
  const error = new Error(`error:0A000000:SSL routines::${reason}`);
  return Object.assign(error, { library: "SSL routines", reason, code });
}

/**
 * Reports that a client and a server do not agree about TLS, if the program has listeners for that.
 *
 * @param {import("node:https").Server} server
 * @param {string} code of the error
 * @param {string} address of the client
 */
function reportTlsFailure(server, code, address) {
  // Node.js's own listener reports it as a `clientError`, or ends the connection, which is over.
  const isObserved = server.listenerCount("tlsClientError") > 1;
  if (!isObserved && server.listenerCount("clientError") === 0) return;
  server.emit("tlsClientError", tlsError(code), endedSocket(server, address));
}

/** Returns a socket of a connection that is over. */
function endedSocket(server, address) {
  const socket = new net.Socket();
  beginTls(socket, server, { isAuthorized: false, authorizationError: null, certificates: [] });
  const family = net.isIPv6(address) ? "IPv6" : "IPv4";
  if (address !== "") socket._peername = { address, family };
  // As on Node.js's own: a listener may destroy it with an error, which is no other one.
  socket.on("error", () => {});
  return socket.destroy();
}

module.exports = { reportTlsFailure };
