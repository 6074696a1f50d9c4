import turbo from "./lib/turbo.js";

export default turbo;
export { turbo };
export const {
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
