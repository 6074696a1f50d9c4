"use strict";

/**
 * `JSON.stringify` for values that hold long strings: Rust quotes these strings, V8 encodes the rest.
 * Meanwhile a marker, which no peer can know, stands for each of them.
 */

const { randomBytes } = require("node:crypto");
const v8 = require("node:v8");
const { binding } = require("../addon/index.js");

const marker = randomBytes(16).toString("hex");

/**
 * The length from which a string is worth a call into Rust. `JSON.stringify` against `quote`, prose
 * with quotation marks, Node 20: 512 characters 1.4 to 0.8 µs, 1,024 2.4 to 1.1 µs, 64 Ki 179 to
 * 49 µs; Node 22 and 24 are alike. Below, the copy with markers costs what is gained. A text of nothing
 * but quotation marks loses at every length: 1,024 characters 5.3 to 6.1 µs.
 */
const LONG_TEXT_LENGTH = 1024;

/**
 * True if V8 quotes one-byte strings faster than Rust does, copies included: since V8 13.8. Node 26,
 * 64 Ki characters: prose 36 to 42 µs, plain ASCII 12 to 17 µs, but two-byte text 65 to 24 µs.
 */
const isFastForOneByte = (() => {
  const [major, minor] = process.versions.v8.split(".").map(Number);
  return major > 13 || (major === 13 && minor >= 8);
})();

/**
 * Returns whether V8 stores a string in one byte per character. Deno has no such function, so V8 quotes
 * everything there: 15 µs, 4 and 61, where Rust needs 26, 40 and 22.
 */
const isOneByte = v8.isStringOneByteRepresentation ?? (() => true);

/**
 * Returns whether Rust quotes `text` faster than V8.
 *
 * @param {string} text
 * @returns {boolean}
 */
function isLongText(text) {
  if (text.length < LONG_TEXT_LENGTH) return false;
  return !(isFastForOneByte && isOneByte(text));
}

/**
 * Returns a copy of `value` in which markers stand for long strings.
 *
 * @param {unknown} value
 * @param {string[]} texts receives the long strings, in the order of serialisation
 * @returns {unknown}
 */
function substitute(value, texts) {
  if (typeof value === "string") {
    return isLongText(value) ? marker + (texts.push(value) - 1) : value;
  }
  if (typeof value !== "object" || value === null) return value;
  if (typeof value.toJSON === "function") return value;
  if (Array.isArray(value)) {
    const copy = new Array(value.length);
    for (let i = 0; i < value.length; i++) copy[i] = substitute(value[i], texts);
    return copy;
  }
  // Class instances, boxed primitives and JSON.rawJSON() are left to V8.
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  const copy = {};
  for (const key of Object.keys(value)) {
    const item = substitute(value[key], texts);
    if (key === "__proto__") {
      Object.defineProperty(copy, key, { value: item, enumerable: true });
    } else {
      copy[key] = item;
    }
  }
  return copy;
}

/** Returns the JSON literal of `text`. */
function quote(text) {
  try {
    return binding.quote(text) ?? `"${text}"`;
  } catch {
    // The literal exceeds V8's maximum string length: V8 throws the right error for it.
    return JSON.stringify(text);
  }
}

/**
 * Returns `JSON.stringify(value)`, faster if `value` holds long strings.
 *
 * @param {unknown} value
 * @returns {string | undefined}
 * @throws whatever `JSON.stringify` throws
 */
function stringify(value) {
  const texts = [];
  let reduced;
  try {
    reduced = JSON.stringify(substitute(value, texts));
  } catch (error) {
    // Too deep to substitute, or cyclic behind a `toJSON` of the packet: V8 decides.
    if (error instanceof RangeError) return JSON.stringify(value);
    throw error;
  }
  if (texts.length === 0) return reduced;
  let json = "";
  let position = 0;
  for (const [index, text] of texts.entries()) {
    const placeholder = `"${marker}${index}"`;
    const found = reduced.indexOf(placeholder, position);
    // A `toJSON` that was not there before has removed it.
    if (found === -1) return JSON.stringify(value);
    json += reduced.slice(position, found) + quote(text);
    position = found + placeholder.length;
  }
  return json + reduced.slice(position);
}

module.exports = { LONG_TEXT_LENGTH, isLongText, stringify };
