/** The same face from an ES module. */

import byDefault, { native, nativeError, parser, type turbo, version } from "socket.io-turbo";

const same: typeof turbo = byDefault;
const facts: [boolean, Error | null, string] = [native, nativeError, version];
const decoder: parser.Decoder = new parser.Decoder();
void [same, facts, decoder];
