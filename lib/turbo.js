"use strict";

const { InvalidOptionError } = require("./errors.js");
const { binding, error } = require("./native.js");
const { version } = require("../package.json");

/** Ours where the addon is loaded, else the official one (rule R8). */
const parser = binding === null ? require("socket.io-parser") : require("./parser.js");

/**
 * The parser with another limit on attachments. Socket.IO constructs its
 * decoders without arguments, so the limit has to come with the class.
 *
 * @param {number} maxAttachments
 * @returns {typeof parser}
 */
function parserWith(maxAttachments) {
  class Decoder extends parser.Decoder {
    constructor() {
      super({ maxAttachments });
    }
  }
  return { ...parser, Decoder };
}

/**
 * @param {Record<string, unknown>} options
 * @returns {typeof parser} the parser for a server that names none itself
 * @throws {InvalidOptionError}
 */
function parserFor({ maxAttachments }) {
  if (maxAttachments === undefined) return parser;
  if (!Number.isSafeInteger(maxAttachments) || maxAttachments < 1) {
    throw new InvalidOptionError("maxAttachments", "an integer of at least 1", maxAttachments);
  }
  return parserWith(maxAttachments);
}

/**
 * Socket.IO server options with our parts filled in: `new Server(http, turbo())`.
 * A part that the caller names himself is kept, and every other option goes
 * through untouched.
 *
 * @param {Record<string, unknown>} [options] own properties count: what `new Server()`
 *   accepts, and
 *   - `maxAttachments`: binary attachments that one packet may have, an integer
 *     of at least 1 (default 10); not together with a `parser` of one's own
 * @returns {Record<string, unknown>} a new object
 * @throws {InvalidOptionError} with the option's name and the accepted values
 */
function turbo(options = {}) {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new InvalidOptionError("options", "an object or undefined", options);
  }
  const { maxAttachments, ...passedThrough } = options;
  if (passedThrough.parser === undefined || passedThrough.parser === null) {
    return { ...passedThrough, parser: parserFor(options) };
  }
  if (maxAttachments !== undefined) {
    throw new InvalidOptionError(
      "maxAttachments",
      "left out where a parser is given, which has a limit of its own",
      maxAttachments,
    );
  }
  return passedThrough;
}

turbo.parser = parser;
turbo.native = binding !== null;
turbo.nativeError = error;
turbo.version = version;

module.exports = turbo;
