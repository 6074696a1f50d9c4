import turbo from "./lib/turbo.js";

export default turbo;
export { turbo };
export const { native, nativeError, parser, version } = turbo;
