"use strict";

/** Encodes and decodes frames of RFC 6455, also invalid ones. */

const OPCODES = { CONTINUATION: 0x0, TEXT: 0x1, BINARY: 0x2, CLOSE: 0x8, PING: 0x9, PONG: 0xa };
const NAMES = new Map(Object.entries(OPCODES).map(([name, code]) => [code, name.toLowerCase()]));

const FIN = 0x80;
const RSV1 = 0x40;
const RSV2 = 0x20;
const RSV3 = 0x10;
const MASKED = 0x80;
/** The key of the examples in RFC 6455 §5.7. */
const MASK_KEY = Buffer.from("37fa213d", "hex");

/** Returns how many bytes the length needs besides the seven bits. */
function minimalLengthBytes(length) {
  if (length < 126) return 0;
  return length < 0x1_0000 ? 2 : 8;
}

/** Returns the seven length bits and the bytes behind them. */
function encodeLength(length, lengthBytes) {
  if (lengthBytes === 0) return [length, Buffer.alloc(0)];
  const extended = Buffer.alloc(8);
  extended.writeBigUInt64BE(BigInt(length));
  return lengthBytes === 2 ? [126, extended.subarray(6)] : [127, extended];
}

/** XORs with a key of four bytes. */
function masked(payload, key) {
  const result = Buffer.from(payload);
  for (let i = 0; i < result.length; i++) result[i] ^= key[i & 3];
  return result;
}

/**
 * Encodes a frame, by default as a client sends it.
 *
 * @param {object} fields
 * @param {number} fields.opcode
 * @param {string | Uint8Array} [fields.payload]
 * @param {boolean} [fields.fin]
 * @param {number} [fields.rsv] RSV1, RSV2 and RSV3, in their places in the first byte
 * @param {Uint8Array | null} [fields.key] masking key; `null` leaves the frame unmasked
 * @param {number | bigint} [fields.length] in the header, if it is to be wrong
 * @param {0 | 2 | 8} [fields.lengthBytes] bytes that the length takes besides the seven bits
 * @returns {Buffer}
 */
function frame({
  opcode,
  payload = "",
  fin = true,
  rsv = 0,
  key = MASK_KEY,
  length = Buffer.byteLength(payload),
  lengthBytes = minimalLengthBytes(length),
}) {
  const [short, extended] = encodeLength(length, lengthBytes);
  const first = (fin ? FIN : 0) | rsv | opcode;
  if (key === null) {
    return Buffer.concat([Buffer.of(first, short), extended, Buffer.from(payload)]);
  }
  const start = [Buffer.of(first, MASKED | short), extended, key];
  return Buffer.concat([...start, masked(payload, key)]);
}

const text = (payload, fields) => frame({ opcode: OPCODES.TEXT, payload, ...fields });
const binary = (payload, fields) => frame({ opcode: OPCODES.BINARY, payload, ...fields });
const continuation = (payload, fields) =>
  frame({ opcode: OPCODES.CONTINUATION, payload, ...fields });
const ping = (payload, fields) => frame({ opcode: OPCODES.PING, payload, ...fields });
const pong = (payload, fields) => frame({ opcode: OPCODES.PONG, payload, ...fields });

/** Encodes a close frame; without a code it has no payload. */
function close(code, reason = "", fields = {}) {
  const payload = code === undefined ? Buffer.alloc(0) : closePayload(code, reason);
  return frame({ opcode: OPCODES.CLOSE, payload, ...fields });
}

function closePayload(code, reason) {
  const encoded = Buffer.alloc(2);
  encoded.writeUInt16BE(code);
  return Buffer.concat([encoded, Buffer.from(reason)]);
}

/**
 * Encodes a message in fragments, one frame for each payload.
 *
 * @param {number} opcode
 * @param {Array<string | Uint8Array>} payloads
 * @param {number} [rsv] of the first frame
 * @returns {Buffer[]}
 */
function fragments(opcode, payloads, rsv = 0) {
  const last = payloads.length - 1;
  return payloads.map((payload, i) =>
    i === 0
      ? frame({ opcode, payload, rsv, fin: last === 0 })
      : frame({ opcode: OPCODES.CONTINUATION, payload, fin: i === last }),
  );
}

/**
 * Cuts bytes into pieces of the given size; the last one may be shorter.
 *
 * @param {Buffer} bytes
 * @param {number} size
 * @returns {Buffer[]} at least one
 */
function piecesOf(bytes, size) {
  const pieces = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
  return pieces.length === 0 ? [bytes] : pieces;
}

/** Returns the length in a header, and how many bytes it takes; `undefined` if it is incomplete. */
function decodeLength(bytes) {
  const short = bytes[1] & 0x7f;
  if (short < 126) return { length: short, lengthBytes: 0 };
  const lengthBytes = short === 126 ? 2 : 8;
  if (bytes.length < 2 + lengthBytes) return undefined;
  const length = short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  return { length, lengthBytes };
}

/**
 * Decodes the header at the start of `bytes`, as far as it is there.
 *
 * @param {Buffer} bytes
 * @returns {object | undefined} `undefined` while fewer than two bytes are there. `length` is
 *   `undefined` until the length is there, `key` until the masking key is.
 */
function decodeHeader(bytes) {
  if (bytes.length < 2) return undefined;
  const isMasked = (bytes[1] & MASKED) !== 0;
  const start = {
    fin: (bytes[0] & FIN) !== 0,
    rsv: bytes[0] & (RSV1 | RSV2 | RSV3),
    opcode: bytes[0] & 0x0f,
    shortLength: bytes[1] & 0x7f,
    isMasked,
  };
  const decoded = decodeLength(bytes);
  if (decoded === undefined) return start;
  const keyAt = 2 + decoded.lengthBytes;
  const headerLength = keyAt + (isMasked ? 4 : 0);
  const isMinimal = decoded.lengthBytes === minimalLengthBytes(decoded.length);
  const key = bytes.length < headerLength ? undefined : bytes.subarray(keyAt, headerLength);
  return { ...start, ...decoded, isMinimal, headerLength, key };
}

module.exports = {
  ...OPCODES,
  NAMES,
  OPCODES,
  RSV1,
  RSV2,
  RSV3,
  binary,
  close,
  continuation,
  decodeHeader,
  fragments,
  frame,
  masked,
  piecesOf,
  ping,
  pong,
  text,
};
