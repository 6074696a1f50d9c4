"use strict";

/** Where a program puts the options that `turbo()` returns. */

const { guardUpgrades } = require("./engine/upgrade-guard.js");
const { warnOnce } = require("./warnings.js");

const NOT_IN_USE =
  "the adapter and the parser of turbo() are not in use: Socket.IO takes them in its constructor " +
  "only. Write new Server(turbo()) before attach() or listen()";

/**
 * Observes what becomes of one set of options. A Socket.IO server constructs the adapter before
 * anything else, and its engines construct the `wsEngine`.
 */
class Placement {
  /** @param {object} options those for Socket.IO */
  constructor(options) {
    this.options = options;
    /** How many options there are before Socket.IO adds its own to those of `attach()`. */
    this.size = 0;
    /** Whether a server has been constructed with them. */
    this.isConstructed = false;
  }

  /** To be called when all options have been set. */
  begin() {
    this.size = Object.keys(this.options).length;
  }

  /**
   * @param {Function} adapter a class or factory
   * @returns {Function} the same, whatever is done with it
   */
  observeAdapter(adapter) {
    const observed = new Proxy(adapter, {
      apply: (target, self, args) => {
        this.handleServer(args[0]?.server);
        return Reflect.apply(target, self, args);
      },
      construct: (target, args, newTarget) => {
        this.handleServer(args[0]?.server);
        return Reflect.construct(target, args, newTarget === observed ? target : newTarget);
      },
    });
    return observed;
  }

  /**
   * @param {typeof import("./engine/websocket-server.js").WebSocketServer} Engine
   * @returns {typeof Engine}
   */
  observeEngine(Engine) {
    const placement = this;
    return class extends Engine {
      constructor(...args) {
        placement.handleEngine();
        super(...args);
      }
    };
  }

  handleServer(io) {
    this.isConstructed = true;
    guardUpgrades(io);
  }

  /** Parts may have been taken out on purpose; `attach()` changes the options that it is given. */
  handleEngine() {
    const isChanged = Object.keys(this.options).length !== this.size;
    if (isChanged && !this.isConstructed) warnOnce("TURBO_NOT_IN_USE", NOT_IN_USE);
  }
}

module.exports = { Placement };
