"use strict";

/**
 * The option `perMessageDeflate`, RFC 7692. Workers compress without context takeover, so that a message
 * is compressed once for all recipients; ws negotiates it, as its options say.
 */

const { hasEngine } = require("../addon/index.js");
const { optionOf, warnOfNearMisses } = require("../options.js");

const NAME = "permessage-deflate";

/** In front of the names of options. */
const PREFIX = "perMessageDeflate.";

/** RFC 7692 §7.1.2: the window of an end that names none. */
const MAX_WINDOW_BITS = 15;

/** ws ignores what is not a number, and zlib refuses other numbers. */
const WINDOW_BITS = {
  accepted: "an integer from 8 to 15, or a boolean",
  isAccepted: (value) => typeof value !== "number" || isInteger(value, 8, 15),
};

/** The value is taken as it is. */
const ANY = { accepted: "any value", isAccepted: () => true };

/**
 * The options of ws. What ws understands is accepted; what it would fail on later is not.
 *
 * @type {Record<string, import("../options.js").Option>}
 */
const OPTIONS = {
  threshold: {
    accepted: "a number of bytes",
    isAccepted: (value) => typeof value !== "symbol" && !Number.isNaN(Number(value)),
    default: 1024,
  },
  serverNoContextTakeover: ANY,
  clientNoContextTakeover: ANY,
  serverMaxWindowBits: WINDOW_BITS,
  clientMaxWindowBits: WINDOW_BITS,
  zlibDeflateOptions: ANY,
  zlibInflateOptions: ANY,
};

/**
 * Options of Node's zlib that have an effect on a message. `NaN` stands for the default.
 *
 * @type {Record<string, import("../options.js").Option>}
 */
const ZLIB_OPTIONS = {
  level: numberOption(-1, 9, -1),
  memLevel: numberOption(1, 9, 8),
  strategy: numberOption(0, 4, 0),
};

function numberOption(least, most, byDefault) {
  return {
    accepted: `a number from ${least} to ${most}`,
    isAccepted: (value) =>
      Number.isNaN(value) || (typeof value === "number" && value >= least && value <= most),
    default: byDefault,
  };
}

function isInteger(value, least, most) {
  return Number.isInteger(value) && value >= least && value <= most;
}

/**
 * Reads `perMessageDeflate`.
 *
 * @param {unknown} given option of ws: a boolean, or an object of its options
 * @returns {{ forWs: object, compression: object } | null} `forWs` has the option for ws, and
 *   `compression` as `NativeCompression` in binding.d.ts, but for the window; null if workers do not
 *   compress: it is off, there are no workers, or it asks for context takeover or a dictionary
 * @throws {InvalidOptionError} if one of its options is invalid
 */
function readPerMessageDeflate(given) {
  if (!given) return null;
  // As ws does, which takes any value that is true in a condition.
  const options = { ...(typeof given === "object" ? given : {}) };
  warnOfNearMisses(options, Object.keys(OPTIONS), PREFIX);
  const read = (name) => optionOf(OPTIONS, options, name, PREFIX);
  for (const name of Object.keys(OPTIONS)) read(name);
  const zlibOptions = Object(read("zlibDeflateOptions"));
  const readZlib = (name) => {
    const value = optionOf(ZLIB_OPTIONS, zlibOptions, name, `${PREFIX}zlibDeflateOptions.`);
    return Number.isNaN(value) ? ZLIB_OPTIONS[name].default : Math.trunc(value);
  };
  const names = Object.keys(ZLIB_OPTIONS);
  const compression = Object.fromEntries(names.map((name) => [name, readZlib(name)]));
  if (!hasEngine || needsContext(options)) return null;
  return {
    forWs: { perMessageDeflate: withoutContext(options) },
    compression: { ...compression, threshold: Math.max(0, Number(read("threshold"))) },
  };
}

function withoutContext(options) {
  return { ...options, serverNoContextTakeover: true, clientNoContextTakeover: true };
}

/** Returns whether a program asks for what workers do not do: both ends depend on it. */
function needsContext(options) {
  return (
    options.serverNoContextTakeover === false ||
    options.clientNoContextTakeover === false ||
    Object(options.zlibDeflateOptions).dictionary !== undefined ||
    Object(options.zlibInflateOptions).dictionary !== undefined
  );
}

/**
 * Returns whether a worker can serve a connection that has negotiated extensions. A program may have
 * changed the options of ws, or its negotiation.
 *
 * @param {Record<string, { params: object }>} extensions
 */
function isWithoutContext(extensions) {
  const { params } = Object(extensions[NAME]);
  return Boolean(params?.server_no_context_takeover && params.client_no_context_takeover);
}

/**
 * The objects that connections of one server share if they have negotiated the same parameters, so that an
 * idle one costs as much as one without compression.
 */
class NegotiatedCompression {
  #connection;
  #compression;
  /** By the window's bits in both directions. */
  #shared = new Map();

  /**
   * @param {object} connection the options of all connections of the server
   * @param {object} compression as `readPerMessageDeflate()` returns it
   */
  constructor(connection, compression) {
    this.#connection = connection;
    this.#compression = compression;
  }

  /**
   * @param {Record<string, import("ws").PerMessageDeflate>} extensions of a WebSocket, as negotiated by ws
   * @returns {{ extensions: object, connection: object }} the same extensions for all WebSockets with
   *   these parameters, and options as `NativeConnectionOptions` in binding.d.ts
   */
  share(extensions) {
    const { server_max_window_bits: bits, client_max_window_bits: clientBits } =
      extensions[NAME].params;
    const key = `${bits},${clientBits}`;
    let shared = this.#shared.get(key);
    if (shared === undefined) {
      const compression = { ...this.#compression, windowBits: bits ?? MAX_WINDOW_BITS };
      const connection = { ...this.#connection, compression };
      shared = { extensions: Object.freeze(extensions), connection };
      this.#shared.set(key, shared);
    }
    return shared;
  }
}

module.exports = { NegotiatedCompression, isWithoutContext, readPerMessageDeflate };
