"use strict";

const turbo = require("./lib/turbo.js");

const { WebSocketServer, createEngine, native, nativeError, parser, stats, version } = turbo;

module.exports = {
  WebSocketServer,
  createEngine,
  default: turbo,
  native,
  nativeError,
  parser,
  stats,
  turbo,
  version,
};
