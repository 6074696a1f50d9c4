"use strict";

const { createAdapter } = require("./adapter/index.js");
const { InvalidOptionError } = require("./errors.js");
const { ENGINE_OPTIONS, engineOptions } = require("./engine/options.js");
const { binding, error } = require("./addon/index.js");
const { warnOfNearMisses } = require("./option-names.js");
const { optionsObject, refuse } = require("./options.js");
const { Placement } = require("./placement.js");
const { stats } = require("./stats.js");
const { WebSocketServer, createEngine } = require("./engine/websocket-server.js");
const { version } = require("../package.json");

/** Ours where the addon is loaded, else the official one (rule R8). */
const parser = binding === null ? require("socket.io-parser") : require("./parser/index.js");

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
    if (typeof given.Encoder !== "function" || typeof given.Decoder !== "function") {
      throw new InvalidOptionError(
        "parser",
        "an object with the classes Encoder and Decoder",
        given,
      );
    }
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
 * @param {Placement} placement
 * @returns {unknown} the WebSocket engine that the caller names, or ours
 * @throws {InvalidOptionError}
 */
function wsEngineFor({ wsEngine: given, ...options }, placement) {
  const ours = engineOptions(options);
  if (given === undefined || given === null) return placement.observeEngine(createEngine(ours));
  refuse(ours, Object.keys(ours), "left out where a wsEngine is given");
  return classFor("wsEngine", given, "a class like ws's WebSocketServer");
}

/** @throws {InvalidOptionError} if `given` cannot be constructed or called */
function classFor(option, given, accepted) {
  if (typeof given !== "function") throw new InvalidOptionError(option, accepted, given);
  return given;
}

/**
 * Makes the parts for some options and puts them in.
 *
 * @param {object} target what `new Server()` is to be given; it gets `adapter`, `parser` and
 *   `wsEngine`
 * @param {Record<string, unknown>} options as the caller has given them
 * @throws {InvalidOptionError}
 */
function fillIn(target, options) {
  const adapter = options.adapter ?? createAdapter();
  classFor("adapter", adapter, "a class or a factory of adapters");
  const placement = new Placement(target);
  target.parser = parserFor(options);
  target.wsEngine = wsEngineFor(options, placement);
  target.adapter = placement.observeAdapter(adapter);
  placement.begin();
}

/**
 * Socket.IO server options with our parts filled in: `new Server(http, turbo())`.
 * A part that the caller names himself is kept, and every other option goes through; names that are
 * nearly ours print a warning of code `TURBO_UNKNOWN_OPTION`.
 *
 * `turbo` itself has the parts for no options: `new Server(http, turbo)` works, too.
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
  const target = { ...optionsObject(options) };
  const ours = ["maxAttachments", ...ENGINE_OPTIONS];
  warnOfNearMisses(target, ours);
  for (const name of ours) delete target[name];
  fillIn(target, options);
  return target;
}

/**
 * What the engine of this environment (main thread or worker thread) has done.
 *
 * @returns {object} see `Stats` in index.d.ts
 */
turbo.stats = () => stats.read();

turbo.WebSocketServer = WebSocketServer;
turbo.createAdapter = createAdapter;
// Loaded by those who need it.
turbo.createRedisAdapter = (options) =>
  require("./redis/redis-adapter.js").createRedisAdapter(options);
turbo.createEngine = createEngine;
turbo.native = binding !== null;
turbo.nativeError = error;
turbo.version = version;
fillIn(turbo, {});

module.exports = turbo;
