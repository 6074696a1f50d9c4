"use strict";

const turbo = require("./lib/turbo.js");

const {
  WebSocketServer,
  createAdapter,
  createEngine,
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
  default: turbo,
  native,
  nativeError,
  parser,
  stats,
  turbo,
  version,
};
