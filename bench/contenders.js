"use strict";

/**
 * The servers that are compared, by name. Each is a function that returns the options of
 * `new Server(http, options)`; it runs in the server's own process, so that `ws` never
 * loads our addon.
 */
const contenders = {
  /** Socket.IO as it comes. */
  ws: () => ({}),
  /** Everything of ours. */
  turbo: () => turboOptions(),
  /** Our WebSocket engine alone, with what it needs beside itself. */
  engine: () => {
    const { parser, adapter, ...engine } = turboOptions();
    return engine;
  },
  /** Our adapter alone, on connections of ws: no faster, and no slower. */
  adapter: () => ({ adapter: turboOptions().adapter }),
};

/**
 * @returns {Record<string, unknown>} what `turbo()` plugs in
 * @throws {Error} if that is not native, for then there is nothing to measure
 */
function turboOptions() {
  const { turbo } = require("..");
  if (!turbo.native) throw new Error(`the addon is not loaded: ${turbo.nativeError.message}`);
  const options = turbo({});
  for (const part of ["wsEngine", "parser", "adapter"]) {
    if (options[part] === undefined) throw new Error(`turbo() plugs in no ${part}`);
  }
  return options;
}

/** The contender that the others are compared with. */
const BASELINE = "ws";

/**
 * No servers of Socket.IO, and no contenders: what sending alone costs, where that matters;
 * by one `send(2)` for each recipient, and by io_uring.
 */
const FLOORS = ["send", "io-uring"];

/** The floor that the others are compared with. */
const FLOOR = "send";

/** Those that are compared unless others are named. */
const DEFAULTS = [BASELINE, "turbo", FLOOR];

/** @returns {boolean} whether a name is that of a floor */
const isFloor = (name) => FLOORS.includes(name);

module.exports = { BASELINE, DEFAULTS, FLOOR, FLOORS, contenders, isFloor };
