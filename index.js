"use strict";

const turbo = require("./lib/turbo.js");

const {
  WebSocketServer,
  createAdapter,
  createEngine,
  createRedisAdapter,
  drain,
  latest,
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
  drain,
  latest,
  metrics,
  native,
  nativeError,
  openTelemetryMetrics,
  parser,
  stats,
  turbo,
  version,
};
