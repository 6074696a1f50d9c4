export { default, native, nativeError, parser, TurboOptions, turbo, version } from "./index.js";
