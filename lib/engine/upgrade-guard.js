"use strict";

/**
 * Keeps a client that resets its connection from ending the process while a middleware or
 * `allowRequest` decides on its upgrade: until the WebSocket engine gets the socket,
 * nobody listens for its errors (as of engine.io 6.6.12).
 *
 * engine.io reads no option before the first middleware runs but `cors`, and a `cors` of ours would
 * hide that of `attach()`. So each engine of a server is given a listener for the sockets itself.
 */

/**
 * Guards the engine of a Socket.IO server, and those that `attach()` and `listen()` bind.
 *
 * @param {import("socket.io").Server | undefined} io or what adapters are tested with
 */
function guardUpgrades(io) {
  if (typeof io?.bind !== "function" || Object.hasOwn(io, "bind")) return;
  if (io.engine) guardEngine(io.engine);
  override(io, "bind", (engine) => guardEngine(engine));
}

/** @param {import("engine.io").Server} engine or another one's, which may upgrade otherwise */
function guardEngine(engine) {
  if (typeof engine.handleUpgrade !== "function" || Object.hasOwn(engine, "handleUpgrade")) return;
  override(engine, "handleUpgrade", (_request, socket) => guard(socket));
}

/** Has `first` called with the arguments of a method, before it. */
function override(object, name, first) {
  const value = function (...args) {
    first(...args);
    return Object.getPrototypeOf(object)[name].apply(this, args);
  };
  Object.defineProperty(object, name, { value, configurable: true, writable: true });
}

/** The HTTP server listens for errors itself, but not after an upgrade; uWebSockets.js has no socket. */
function guard(socket) {
  if (socket?.listenerCount?.("error") === 0) socket.on("error", ignoreError);
}

/** The `close` event follows, and whoever uses the socket finds it destroyed. */
function ignoreError() {}

module.exports = { guardUpgrades, ignoreError };
