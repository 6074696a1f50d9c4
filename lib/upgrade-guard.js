"use strict";

/**
 * Keeps a client that resets its connection from ending the process while a middleware or
 * `allowRequest` decides on its upgrade: until the WebSocket engine gets the socket,
 * nobody listens for its errors (as of engine.io 6.6.12).
 *
 * engine.io calls the CORS options, where they are a function, for every request before
 * any middleware; that is where the socket gets its listener. WebTransport is refused
 * while there are middlewares, so that servers with it are guarded from `allowRequest`
 * on.
 *
 * @param {Record<string, unknown>} options of Socket.IO
 * @returns {Record<string, unknown>} `cors` or `allowRequest`, to be merged into them
 */
function guardUpgrades(options) {
  if (options.cors || !usesWebTransport(options)) return { cors: guardedCors(options.cors) };
  return options.allowRequest ? { allowRequest: guardedCheck(options.allowRequest) } : {};
}

function usesWebTransport({ transports }) {
  return Array.isArray(transports) && transports.includes("webtransport");
}

/** With `origin: false`, the cors package passes requests on untouched. */
function guardedCors(cors) {
  const decide = typeof cors === "function" ? cors : (_req, next) => next(null, cors);
  return (req, next) => {
    guard(req);
    if (cors) decide(req, next);
    else next(null, { origin: false });
  };
}

function guardedCheck(allowRequest) {
  return function (req, callback) {
    guard(req);
    return allowRequest.call(this, req, callback);
  };
}

/** The HTTP server listens for errors itself, but not after an upgrade; uWebSockets.js has no socket. */
function guard({ socket }) {
  if (socket?.listenerCount?.("error") === 0) socket.on("error", ignoreError);
}

/** The `close` event follows, and whoever uses the socket finds it destroyed. */
function ignoreError() {}

module.exports = { guardUpgrades, ignoreError };
