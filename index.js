"use strict";

const turbo = require("./lib/turbo.js");

const {
  WebSocketServer,
  createAdapter,
  createEngine,
  createRedisAdapter,
  drain,
  native,
  nativeError,
  parser,
  stats,
  version,
} = turbo;

module.exports = {
  WebSocketServer,
  createAdapter,
  createEngine,
  createRedisAdapter,
  default: turbo,
  drain,
  native,
  nativeError,
  parser,
  stats,
  turbo,
  version,
};
