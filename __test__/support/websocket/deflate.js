"use strict";

/** permessage-deflate, RFC 7692, for the clients of tests: zlib is Node.js's own. */

const zlib = require("node:zlib");
const { RSV1, fragments, frame } = require("./frames.js");

const NAME = "permessage-deflate";

/** RFC 7692 §7.2.1: the end of a flush, which a message is sent without. */
const TAIL = Buffer.from("0000ffff", "hex");

/** RFC 7692 §7.1.2.1: the bits of a window that no parameter limits. */
const MOST_WINDOW_BITS = 15;

/**
 * The options for servers of which both ends keep no context between messages; ours does so in any case.
 *
 * @type {import("ws").PerMessageDeflateOptions}
 */
const WITHOUT_CONTEXT = { serverNoContextTakeover: true, clientNoContextTakeover: true };

/**
 * Compresses the payload of a message.
 *
 * @param {string | Uint8Array} payload
 * @param {import("node:zlib").ZlibOptions} [options]
 * @returns {Buffer}
 */
function deflated(payload, options) {
  const flush = { finishFlush: zlib.constants.Z_SYNC_FLUSH };
  return zlib.deflateRawSync(payload, { ...options, ...flush }).subarray(0, -TAIL.length);
}

/**
 * Decompresses the payload of a message, with a window of exactly the given bits.
 *
 * @param {Buffer} payload
 * @param {number} [windowBits] 8 to 15
 * @returns {Buffer}
 * @throws if a distance is beyond the window
 */
function inflated(payload, windowBits = MOST_WINDOW_BITS) {
  // zlib looks for distances in its own output, too: with the least of that, it forgets the rest.
  const chunkSize = windowBits === MOST_WINDOW_BITS ? undefined : zlib.constants.Z_MIN_CHUNK;
  const finishFlush = zlib.constants.Z_SYNC_FLUSH;
  return zlib.inflateRawSync(Buffer.concat([payload, TAIL]), {
    windowBits,
    chunkSize,
    finishFlush,
  });
}

/**
 * Encodes a compressed message.
 *
 * @param {number} opcode
 * @param {string | Uint8Array} payload
 * @returns {Buffer}
 */
function compressed(opcode, payload) {
  return frame({ opcode, payload: deflated(payload), rsv: RSV1 });
}

/**
 * Encodes a compressed message in fragments: its compressed bytes are in the given pieces.
 *
 * @param {number} opcode
 * @param {Buffer[]} pieces
 * @returns {Buffer[]}
 */
const compressedFragments = (opcode, pieces) => fragments(opcode, pieces, RSV1);

/**
 * Returns the parameters of the permessage-deflate that a server has accepted.
 *
 * @param {string | undefined} header `Sec-WebSocket-Extensions` of a response
 * @returns {Record<string, true | number> | undefined}
 */
function decodeExtension(header) {
  const [name, ...parameters] = (header ?? "").split(";").map((part) => part.trim());
  if (name !== NAME) return undefined;
  const decode = ([key, value]) => [key, value === undefined ? true : Number(value)];
  return Object.fromEntries(parameters.map((parameter) => decode(parameter.split("="))));
}

/** Returns a request that offers permessage-deflate with these parameters. */
function offering(...offers) {
  const header = offers.map((parameters) => [NAME, ...parameters].join("; ")).join(", ");
  return { headers: { "Sec-WebSocket-Extensions": header } };
}

/**
 * Returns a server on which each connection of a test offers permessage-deflate.
 *
 * @param {object} server of `recordingServer()`
 * @param {...string[]} offers the parameters of each offer
 */
function deflating(server, ...offers) {
  return Object.create(server, { connect: { value: () => server.connect(offering(...offers)) } });
}

module.exports = {
  WITHOUT_CONTEXT,
  compressed,
  compressedFragments,
  decodeExtension,
  deflated,
  deflating,
  inflated,
  offering,
};
