"use strict";

/**
 * Keeps the process alive when a client resets its connection while a middleware or `allowRequest`
 * decides on its upgrade: until the WebSocket engine gets the socket, it has no listener for errors
 * (as of engine.io 6.6.12), and an `error` event without one ends the process.
 *
 * No option can do that: before the first middleware runs, engine.io reads `cors` only, and a `cors` of
 * ours would hide the one of `attach()`. So the engines of a server are overridden.
 */

const { beginUpgrade } = require("./response-headers.js");

/**
 * Handles the engine of a Socket.IO server, and those that `attach()` and `listen()` bind later. Does so once
 * for a server, however often it is called.
 *
 * @param {import("socket.io").Server | undefined} io or a stand-in from a test of adapters
 * @param {(engine: import("engine.io").Server) => void} handle called before Socket.IO uses the engine
 */
function observeEngines(io, handle) {
  if (typeof io?.bind !== "function" || Object.hasOwn(io, "bind")) return;
  if (io.engine) handle(io.engine);
  override(io, "bind", handle);
}

/** The method that guards upgrades, by the engine. */
const guards = new WeakMap();

/** Returns whether the upgrades of an engine are handled by the method of its class. */
function isUpgradeUntouched(engine) {
  return !Object.hasOwn(engine, "handleUpgrade") || engine.handleUpgrade === guards.get(engine);
}

/** @param {import("engine.io").Server} engine or another engine, which may have no such method */
function guardEngine(engine) {
  if (typeof engine.handleUpgrade !== "function" || Object.hasOwn(engine, "handleUpgrade")) return;
  override(engine, "handleUpgrade", (request, socket) => {
    beginUpgrade(request);
    introduce(engine);
    guard(socket);
  });
  guards.set(engine, engine.handleUpgrade);
}

/** Overrides a method of an object by one that calls `first` with the same arguments before it. */
function override(object, name, first) {
  const value = function (...args) {
    first(...args);
    return Object.getPrototypeOf(object)[name].apply(this, args);
  };
  Object.defineProperty(object, name, { value, configurable: true, writable: true });
}

/**
 * Tells the WebSocket server of an engine where to emit `rate_limit`. To be called at each upgrade: when the
 * HTTP server begins to listen, the engine makes another one.
 */
function introduce(engine) {
  const settings = engine.ws?.options?.turbo;
  if (settings) settings.engine = engine;
}

/** The HTTP server's own listener is removed at an upgrade; uWebSockets.js has no socket. */
function guard(socket) {
  if (socket?.listenerCount?.("error") === 0) socket.on("error", ignoreError);
}

/** Does nothing: the `close` event follows, and code that uses the socket finds it destroyed. */
function ignoreError() {}

module.exports = { guardEngine, ignoreError, introduce, isUpgradeUntouched, observeEngines };
