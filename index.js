"use strict";

const turbo = require("./lib/turbo.js");

const {
  WebSocketServer,
  createAdapter,
  createEngine,
  createRedisAdapter,
  latest,
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
  latest,
  native,
  nativeError,
  parser,
  stats,
  turbo,
  version,
};
