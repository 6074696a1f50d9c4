"use strict";

const { warnOnce } = require("../errors.js");
const { ATTACH } = require("./attaching.js");
const { limitClients } = require("./limited-clients.js");
const { guardEngine, observeEngines } = require("./upgrade-guard.js");

const NOT_IN_USE =
  "the adapter and the parser of turbo() are not used: Socket.IO accepts them in its constructor " +
  "only. Give the options to it, new Server(turbo()), before attach() or listen()";

/**
 * Observes what a program does with the options that `turbo()` returns. A Socket.IO server constructs
 * the adapter before anything else, and its engines construct the `wsEngine`. An engine without a
 * server before it means that the options were given to `attach()` or `listen()` alone.
 */
class Placement {
  #options;
  /** The number of options before Socket.IO adds its own to those of `attach()`. */
  #size = 0;
  /** Set once a server has been constructed with the options. */
  #isConstructed = false;
  /** The limit of each client. @type {import("./rate-limit.js").Limit | undefined} */
  rateLimit;

  /** @param {object} options for Socket.IO */
  constructor(options) {
    this.#options = options;
  }

  /** Begins to observe. To be called when all options have been set. */
  begin() {
    this.#size = Object.keys(this.#options).length;
  }

  /**
   * Returns an adapter that reports the server for which it is constructed.
   *
   * @param {Function} adapter a class or factory
   * @returns {Function} behaves as `adapter` in every other respect
   */
  observeAdapter(adapter) {
    const observed = new Proxy(adapter, {
      apply: (target, self, args) => {
        this.#handleServer(args[0]?.server);
        return Reflect.apply(target, self, args);
      },
      construct: (target, args, newTarget) => {
        this.#handleServer(args[0]?.server);
        return Reflect.construct(target, args, newTarget === observed ? target : newTarget);
      },
    });
    return observed;
  }

  /**
   * Returns a subclass that reports its construction.
   *
   * @param {typeof import("./websocket-server.js").WebSocketServer} Engine
   * @returns {typeof Engine}
   */
  observeEngine(Engine) {
    const handleEngine = () => this.#handleEngine();
    return class extends Engine {
      constructor(...args) {
        handleEngine();
        super(...args);
      }
    };
  }

  #handleServer(io) {
    this.#isConstructed = true;
    observeEngines(io, (engine) => {
      guardEngine(engine);
      limitClients(engine, this.rateLimit);
      // `bind()` is called for engines that are attached to no server, too.
      if (io.eio === engine) io.httpServer?.[ATTACH]?.(engine);
    });
  }

  /** Without a change of the options, the engine may be used alone on purpose: `attach()` adds to them. */
  #handleEngine() {
    const isChanged = Object.keys(this.#options).length !== this.#size;
    if (isChanged && !this.#isConstructed) warnOnce("TURBO_NOT_IN_USE", NOT_IN_USE);
  }
}

module.exports = { Placement };
