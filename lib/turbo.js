"use strict";

/** `turbo()`, with the exports of the package as its properties. */

const { createAdapter } = require("./adapter/index.js");
const { latest } = require("./adapter/latest.js");
const { binding, error } = require("./addon/index.js");
const { drain } = require("./drain.js");
const { readPerMessageDeflate } = require("./engine/compression.js");
const { ENGINE_OPTIONS, engineOptions } = require("./engine/options.js");
const { Placement } = require("./engine/placement.js");
const { readRateLimit } = require("./engine/rate-limit.js");
const { WebSocketServer, createEngine } = require("./engine/websocket-server.js");
const { InvalidOptionError } = require("./errors.js");
const { optionsObject, refuse, warnOfNearMisses } = require("./options.js");
const { stats } = require("./stats.js");
const { version } = require("../package.json");

/** Our parser where the addon is loaded, else the official one. */
const parser = binding === null ? require("socket.io-parser") : require("./parser/index.js");

/**
 * Returns the parser with another limit on attachments. Socket.IO constructs its
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
 * Returns the parser that the caller names, or ours.
 *
 * @param {Record<string, unknown>} options
 * @returns {unknown}
 * @throws {InvalidOptionError}
 */
function parserFor(options) {
  const { parser: given, maxAttachments } = options;
  if (given !== undefined && given !== null) {
    const accepted = "left out when a parser is given, which has its own limit";
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
 * Returns the WebSocket engine that the caller names, or ours.
 *
 * @param {Record<string, unknown>} options
 * @param {Placement} placement
 * @returns {unknown}
 * @throws {InvalidOptionError}
 */
function wsEngineFor({ wsEngine: given, ...options }, placement) {
  const ours = engineOptions(options);
  if (given === undefined || given === null) {
    readPerMessageDeflate(options.perMessageDeflate);
    placement.rateLimit = readRateLimit(ours.rateLimit, true);
    return placement.observeEngine(createEngine(ours));
  }
  refuse(ours, Object.keys(ours), "left out when a wsEngine is given");
  return classFor("wsEngine", given, "a class like ws's WebSocketServer");
}

/**
 * Returns the class or factory that the caller names.
 *
 * @throws {InvalidOptionError} if it cannot be constructed or called
 */
function classFor(option, given, accepted) {
  if (typeof given !== "function") throw new InvalidOptionError(option, accepted, given);
  return given;
}

/**
 * Makes the parts for some options.
 *
 * @param {object} target options for `new Server()`; `adapter`, `parser` and `wsEngine` are added
 * @param {Record<string, unknown>} options of the caller
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
 * Returns Socket.IO server options with our parts filled in: `new Server(http, turbo())`. Parts that
 * the caller names are kept; every other option is passed on.
 *
 * `turbo` itself has the parts for no options: `new Server(http, turbo)` works, too.
 *
 * @param {Record<string, unknown>} [options] what `new Server()` accepts, and `TurboOptions` of
 *   index.d.ts; own properties count
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

/** @returns {object} counters of this environment (main thread or worker thread); see index.d.ts */
turbo.stats = () => stats.read();

// Loaded only where they are used.
turbo.metrics = (register) => require("./metrics/prometheus.js").registerMetrics(register);
turbo.openTelemetryMetrics = (meterProvider) =>
  require("./metrics/open-telemetry.js").observeMetrics(meterProvider);

turbo.WebSocketServer = WebSocketServer;
turbo.createAdapter = createAdapter;
// Loaded only where it is used.
turbo.createRedisAdapter = (options) =>
  require("./redis/redis-adapter.js").createRedisAdapter(options);
turbo.createEngine = createEngine;
// Loaded only where it is used.
turbo.createSecureServer = (...args) => require("./server/index.js").createSecureServer(...args);
turbo.createServer = (...args) => require("./server/index.js").createServer(...args);
turbo.drain = drain;
turbo.latest = latest;
turbo.native = binding !== null;
turbo.nativeError = error;
turbo.version = version;
fillIn(turbo, {});

module.exports = turbo;
