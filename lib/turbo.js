"use strict";

const { createAdapter } = require("./adapter.js");
const { InvalidOptionError } = require("./errors.js");
const { ENGINE_OPTIONS, engineOptions } = require("./engine-options.js");
const { binding, error } = require("./native.js");
const { refuse } = require("./options.js");
const { stats } = require("./stats.js");
const { guardUpgrades } = require("./upgrade-guard.js");
const { WebSocketServer, createEngine } = require("./websocket-server.js");
const { version } = require("../package.json");

/** Ours where the addon is loaded, else the official one (rule R8). */
const parser = binding === null ? require("socket.io-parser") : require("./parser.js");

/**
 * The parser with another limit on attachments. Socket.IO constructs its
 * decoders without arguments, so the limit has to come with the class.
 *
 * @param {number} maxAttachments
 * @returns {typeof parser}
 */
function parserWith(maxAttachments) {
  class Decoder extends parser.Decoder {
    constructor() {
      super({ maxAttachments });
    }
  }
  return { ...parser, Decoder };
}

/**
 * @param {Record<string, unknown>} options
 * @returns {unknown} the parser that the caller names, or ours
 * @throws {InvalidOptionError}
 */
function parserFor(options) {
  const { parser: given, maxAttachments } = options;
  if (given !== undefined && given !== null) {
    const accepted = "left out where a parser is given, which has a limit of its own";
    refuse(options, ["maxAttachments"], accepted);
    return given;
  }
  if (maxAttachments === undefined) return parser;
  if (!Number.isSafeInteger(maxAttachments) || maxAttachments < 1) {
    throw new InvalidOptionError("maxAttachments", "an integer of at least 1", maxAttachments);
  }
  return parserWith(maxAttachments);
}

/**
 * @param {Record<string, unknown>} options
 * @returns {unknown} the WebSocket engine that the caller names, or ours
 * @throws {InvalidOptionError}
 */
function wsEngineFor({ wsEngine: given, ...options }) {
  const ours = engineOptions(options);
  if (given === undefined || given === null) return createEngine(ours);
  refuse(ours, Object.keys(ours), "left out where a wsEngine is given");
  return given;
}

/**
 * Socket.IO server options with our parts filled in: `new Server(http, turbo())`.
 * A part that the caller names himself is kept, and every other option goes through, but
 * for `cors`, which becomes a function with the same result (see `upgrade-guard.js`).
 *
 * @param {Record<string, unknown>} [options] own properties count: what `new Server()`
 *   accepts, and
 *   - `maxAttachments`: binary attachments that one packet may have, an integer
 *     of at least 1 (default 10); not together with a `parser` of one's own
 *   - `ioThreads`, `highWaterMark`, `maxBackpressure`, `backpressureTimeout`: see
 *     `WebSocketServer`; not together with a `wsEngine` of one's own
 * @returns {Record<string, unknown>} a new object
 * @throws {InvalidOptionError} with the option's name and the accepted values
 */
function turbo(options = {}) {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new InvalidOptionError("options", "an object or undefined", options);
  }
  const passedThrough = { ...options };
  for (const name of ["maxAttachments", ...ENGINE_OPTIONS]) delete passedThrough[name];
  return {
    ...passedThrough,
    ...guardUpgrades(passedThrough),
    adapter: options.adapter ?? createAdapter(),
    parser: parserFor(options),
    wsEngine: wsEngineFor(options),
  };
}

/**
 * What the engine of this environment (main thread or worker thread) has done.
 *
 * @returns {object} see `Stats` in index.d.ts
 */
turbo.stats = () => stats.read();

turbo.parser = parser;
turbo.WebSocketServer = WebSocketServer;
turbo.createAdapter = createAdapter;
// Loaded by those who need it.
turbo.createRedisAdapter = (options) => require("./redis-adapter.js").createRedisAdapter(options);
turbo.createEngine = createEngine;
turbo.native = binding !== null;
turbo.nativeError = error;
turbo.version = version;

module.exports = turbo;
