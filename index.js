"use strict";

const turbo = require("./lib/turbo.js");

const {
  WebSocketServer,
  createAdapter,
  createEngine,
  createRedisAdapter,
  metrics,
  native,
  nativeError,
  openTelemetryMetrics,
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
  metrics,
  native,
  nativeError,
  openTelemetryMetrics,
  parser,
  stats,
  turbo,
  version,
};
