export {
  native,
  nativeError,
  parser,
  TurboOptions,
  turbo,
  turbo as default,
  version,
} from "./index.js";
