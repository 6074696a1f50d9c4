"use strict";

/** The bytes that ws sends for what applications give it, with its checks and the texts of its errors. */

const { isArrayBuffer } = require("node:util/types");

/** RFC 6455 §5.5: control frames carry at most 125 bytes. */
const MAX_CONTROL_PAYLOAD = 125;

/** RFC 6455 §5.5.1: a close frame's reason follows two bytes of code. */
const CODE_LENGTH = 2;

const EMPTY = Buffer.alloc(0);

/**
 * Returns the bytes of `data`, which is not a string.
 *
 * @param {ArrayBuffer | ArrayBufferView | unknown} data anything that `Buffer.from()` takes
 * @returns {Uint8Array} shares the memory of `data` where that is possible
 */
function toBuffer(data) {
  if (data instanceof Uint8Array) return data;
  if (isArrayBuffer(data)) return Buffer.from(data);
  if (ArrayBuffer.isView(data)) return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return Buffer.from(data);
}

/**
 * Returns the payload of a ping or a pong.
 *
 * @throws {RangeError} if it is too long
 */
function controlPayload(data) {
  const payload = typeof data === "string" ? Buffer.from(data) : toBuffer(data);
  if (payload.length > MAX_CONTROL_PAYLOAD) {
    throw new RangeError("The data size must not be greater than 125 bytes");
  }
  return payload;
}

/**
 * Returns the payload of a close frame, RFC 6455 §5.5.1.
 *
 * @param {number} [code]
 * @param {string | Uint8Array} [reason]
 * @throws {TypeError | RangeError} if the code may not be sent, or the reason is too long
 */
function closePayload(code, reason) {
  if (code === undefined) return EMPTY;
  if (typeof code !== "number" || !isCloseCode(code)) {
    throw new TypeError("First argument must be a valid error code number");
  }
  const text = reason?.length ? reasonBytes(reason) : EMPTY;
  if (text.length > MAX_CONTROL_PAYLOAD - CODE_LENGTH) {
    throw new RangeError("The message must not be greater than 123 bytes");
  }
  const payload = Buffer.alloc(CODE_LENGTH + text.length);
  payload.writeUInt16BE(code);
  payload.set(text, CODE_LENGTH);
  return payload;
}

function reasonBytes(reason) {
  if (typeof reason === "string") return Buffer.from(reason);
  if (reason instanceof Uint8Array) return reason;
  throw new TypeError("Second argument must be a string or a Uint8Array");
}

/** RFC 6455 §7.4: as `CloseCode` in src/proto/websocket. */
function isCloseCode(code) {
  const isRegistered = code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code);
  return isRegistered || (code >= 3000 && code <= 4999);
}

module.exports = { closePayload, controlPayload, toBuffer };
