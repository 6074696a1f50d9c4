import turbo from "./lib/turbo.js";

export default turbo;
export { turbo };
export const {
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
