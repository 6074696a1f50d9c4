"use strict";

/**
 * The option `perMessageDeflate`, RFC 7692. Workers compress without context takeover, so that a message
 * is compressed once for all recipients; ws negotiates it, as its options say.
 */

const { hasEngine } = require("../addon/index.js");
const { InvalidOptionError } = require("../errors.js");
const { optionOf, warnOfNearMisses } = require("../options.js");

const NAME = "permessage-deflate";

/** RFC 7692 §7.1.2: the window of an end that names none. */
const MAX_WINDOW_BITS = 15;

const BOOLEAN = {
  accepted: "a boolean",
  isAccepted: (value) => typeof value === "boolean",
};

const WINDOW_BITS = {
  accepted: "an integer from 8 to 15, or a boolean",
  isAccepted: (value) => typeof value === "boolean" || isInteger(value, 8, 15),
};

const OBJECT = {
  accepted: "an object",
  isAccepted: (value) => typeof value === "object" && value !== null,
};

/**
 * The options of ws. `threshold` is a number of bytes.
 *
 * @type {Record<string, import("../options.js").Option>}
 */
const OPTIONS = {
  threshold: {
    accepted: "a number of bytes, at least 0",
    isAccepted: (value) => typeof value === "number" && value >= 0,
    default: 1024,
  },
  serverNoContextTakeover: BOOLEAN,
  clientNoContextTakeover: BOOLEAN,
  serverMaxWindowBits: WINDOW_BITS,
  clientMaxWindowBits: WINDOW_BITS,
  zlibDeflateOptions: { ...OBJECT, default: {} },
  zlibInflateOptions: { ...OBJECT, default: {} },
};

/**
 * Options of Node's zlib that have an effect on a message.
 *
 * @type {Record<string, import("../options.js").Option>}
 */
const ZLIB_OPTIONS = {
  level: integerOption(-1, 9, -1),
  memLevel: integerOption(1, 9, 8),
  strategy: integerOption(0, 4, 0),
};

function integerOption(least, most, byDefault) {
  return {
    accepted: `an integer from ${least} to ${most}`,
    isAccepted: (value) => isInteger(value, least, most),
    default: byDefault,
  };
}

function isInteger(value, least, most) {
  return Number.isInteger(value) && value >= least && value <= most;
}

/**
 * Reads `perMessageDeflate`.
 *
 * @param {unknown} given option of ws: a boolean, or an object of ws's
 * @returns {{ forWs: object, compression: object } | null} `forWs` has the option for ws, and
 *   `compression` as `NativeCompression` in binding.d.ts, but for the window; null if workers do not
 *   compress: it is off, there are no workers, or it asks for context takeover or a dictionary
 * @throws {InvalidOptionError} if one of its options is invalid
 */
function readPerMessageDeflate(given) {
  if (!given) return null;
  if (given !== true && typeof given !== "object") {
    throw new InvalidOptionError("perMessageDeflate", "a boolean or an object", given);
  }
  const prefixed = withPrefix("perMessageDeflate", given === true ? {} : given);
  warnOfNearMisses(prefixed, prefixedNames("perMessageDeflate", OPTIONS));
  const options = readAll("perMessageDeflate", OPTIONS, prefixed);
  const zlib = withPrefix("perMessageDeflate.zlibDeflateOptions", options.zlibDeflateOptions);
  const zlibOptions = readAll("perMessageDeflate.zlibDeflateOptions", ZLIB_OPTIONS, zlib);
  if (!hasEngine || needsContext(options)) return null;
  return {
    forWs: { perMessageDeflate: withoutContext(given) },
    compression: { ...zlibOptions, threshold: options.threshold },
  };
}

function withoutContext(given) {
  const options = given === true ? {} : given;
  return { ...options, serverNoContextTakeover: true, clientNoContextTakeover: true };
}

/** Returns whether a program asks for what workers do not do: both ends depend on it. */
function needsContext({ zlibDeflateOptions, zlibInflateOptions, ...options }) {
  return (
    options.serverNoContextTakeover === false ||
    options.clientNoContextTakeover === false ||
    zlibDeflateOptions.dictionary !== undefined ||
    zlibInflateOptions.dictionary !== undefined
  );
}

/** Returns the options that are given under the names by which errors and warnings call them. */
function withPrefix(prefix, options) {
  const entries = Object.entries(options).filter(([, value]) => value !== null);
  return Object.fromEntries(entries.map(([name, value]) => [`${prefix}.${name}`, value]));
}

function prefixedNames(prefix, options) {
  return Object.keys(options).map((name) => `${prefix}.${name}`);
}

function readAll(prefix, options, given) {
  const known = withPrefix(prefix, options);
  const names = Object.keys(options);
  return Object.fromEntries(
    names.map((name) => [name, optionOf(known, given, `${prefix}.${name}`)]),
  );
}

/**
 * What the connections of one server share that have negotiated the same parameters, so that one that is
 * idle costs as much as one without compression.
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

module.exports = { NegotiatedCompression, readPerMessageDeflate };
