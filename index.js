"use strict";

const turbo = require("./lib/turbo.js");

const {
  WebSocketServer,
  createAdapter,
  createEngine,
  createRedisAdapter,
  createSecureServer,
  createServer,
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
  createSecureServer,
  createServer,
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
