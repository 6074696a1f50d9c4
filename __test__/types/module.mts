/** The same face from an ES module. */

import { Server } from "socket.io";
import byDefault, {
  createAdapter,
  createSecureServer,
  createServer,
  type DrainOptions,
  drain,
  native,
  nativeError,
  parser,
  type Stats,
  stats,
  type turbo,
  version,
  WebSocketServer,
} from "socket.io-turbo";

const same: typeof turbo = byDefault;
const facts: [boolean, Error | null, string] = [native, nativeError, version];
const decoder: parser.Decoder = new parser.Decoder();
const counted: Stats = stats();
new WebSocketServer({ noServer: true }).close();
void [same, facts, decoder, counted, createAdapter(), createServer(), createSecureServer()];
const draining: DrainOptions = { within: 1000 };
void drain(new Server(), draining);
