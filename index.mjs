import turbo from "./lib/turbo.js";

export default turbo;
export { turbo };
export const { WebSocketServer, createEngine, native, nativeError, parser, stats, version } = turbo;
