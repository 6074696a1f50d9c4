import turbo from "./lib/turbo.js";

export default turbo;
export { turbo };
export const {
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
