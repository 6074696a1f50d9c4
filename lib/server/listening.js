"use strict";

const { ATTACH } = require("../engine/attaching.js");
const { reportFallback } = require("./fallback.js");
const { readListenerOptions } = require("./listener-options.js");
const { ServerState } = require("./server-state.js");

/** The state of a server, which the constructors of Node.js use before ours has begun. */
const STATE = Symbol("state");

/** The properties of a server that I/O threads have to know. */
const PROPERTIES = [
  "blockList",
  "headersTimeout",
  "httpAllowHalfOpen",
  "keepAlive",
  "keepAliveInitialDelay",
  "keepAliveTimeout",
  "maxConnections",
  "maxHeaderSize",
  "maxHeadersCount",
  "maxRequestsPerSocket",
  "noDelay",
  "pauseOnConnect",
  "requestTimeout",
  "timeout",
];

/** The methods that add or remove a listener. All others of an `EventEmitter` call these. */
const LISTENER_METHODS = [
  "addListener",
  "off",
  "on",
  "prependListener",
  "removeListener",
  "removeAllListeners",
];

/** @returns {ServerState} */
function stateOf(server) {
  if (server[STATE] === undefined) {
    Object.defineProperty(server, STATE, { value: new ServerState(server) });
  }
  return server[STATE];
}

/**
 * Returns a subclass of a server whose connections I/O threads accept.
 *
 * Node.js makes and binds the handle in all forms of `listen()`, and sets it as `_handle`, which is an
 * accessor here; see `ServerState`. Node.js counts and closes its own connections; the methods here add those
 * of I/O threads.
 *
 * @template {typeof import("node:http").Server | typeof import("node:https").Server} Base
 * @param {Base} Base
 * @returns {Base}
 */
function withListener(Base) {
  class Server extends Base {
    constructor(options, listener) {
      const ours = readListenerOptions(options);
      super(options, listener);
      inheritProperties(this);
      stateOf(this).handleConstructed(typeof options === "object" ? options : null, ours);
    }

    get _handle() {
      return stateOf(this).handle;
    }
    set _handle(handle) {
      stateOf(this).setHandle(handle);
    }

    listen(...args) {
      if (this._handle === undefined) reportFallback("noDescriptor");
      return super.listen(...args);
    }

    [ATTACH](engine) {
      stateOf(this).engines.add(engine);
    }

    getConnections(callback) {
      return super.getConnections((error, count) => {
        if (error) callback(error);
        else callback(error, count + stateOf(this).httpConnections);
      });
    }

    closeAllConnections() {
      super.closeAllConnections();
      stateOf(this).closeHttpConnections(false);
    }

    closeIdleConnections() {
      super.closeIdleConnections();
      stateOf(this).closeHttpConnections(true);
    }

    _emitCloseIfDrained() {
      if (!stateOf(this).holdClose()) super._emitCloseIfDrained();
    }
  }
  for (const name of PROPERTIES) observeProperty(Server.prototype, name);
  for (const name of LISTENER_METHODS) observeListeners(Server.prototype, Base, name);
  return Server;
}

/** Removes what hides the accessors of a server: constructors may define properties, as that of Bun does. */
function inheritProperties(server) {
  for (const name of PROPERTIES) {
    if (!Object.hasOwn(server, name)) continue;
    const value = server[name];
    if (Reflect.deleteProperty(server, name)) server[name] = value;
  }
}

function observeProperty(prototype, name) {
  Object.defineProperty(prototype, name, {
    get() {
      return stateOf(this).properties[name];
    },
    set(value) {
      stateOf(this).setProperty(name, value);
    },
    configurable: true,
    enumerable: true,
  });
}

function observeListeners(prototype, Base, name) {
  const isRemovingAll = name === "removeAllListeners";
  const value = function (...args) {
    const state = stateOf(this);
    if (isRemovingAll) state.engines.handleRemoval(args[0]);
    const result = Base.prototype[name].apply(this, args);
    state.handleListeners(args[0]);
    return result;
  };
  Object.defineProperty(value, "name", { value: name });
  Object.defineProperty(prototype, name, { value, configurable: true, writable: true });
}

module.exports = { stateOf, withListener };
