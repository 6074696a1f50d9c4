"use strict";

/**
 * `JSON.stringify` for values that hold long strings: Rust quotes those, V8 makes
 * all the rest. A marker that no peer can know stands for each one meanwhile.
 */

const { randomBytes } = require("node:crypto");
const { LONG_TEXT_LENGTH } = require("./binary.js");
const { binding } = require("./native.js");

const marker = randomBytes(16).toString("hex");

/**
 * Whether a copy of the properties of `value` serialises as `value` does. Class
 * instances and boxed primitives are left to V8.
 *
 * @param {object} value
 * @returns {boolean}
 */
function isPlain(value) {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/**
 * A copy of `value` in which markers stand for long strings.
 *
 * @param {unknown} value
 * @param {string[]} texts takes the long strings, in the order of serialisation
 * @returns {unknown}
 */
function substitute(value, texts) {
  if (typeof value === "string") {
    return value.length < LONG_TEXT_LENGTH ? value : marker + (texts.push(value) - 1);
  }
  if (typeof value !== "object" || value === null) return value;
  if (typeof value.toJSON === "function") return value;
  if (Array.isArray(value)) {
    const copy = new Array(value.length);
    for (let i = 0; i < value.length; i++) copy[i] = substitute(value[i], texts);
    return copy;
  }
  if (!isPlain(value)) return value;
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

/**
 * `JSON.stringify(value)` for a value that holds long strings.
 *
 * @param {unknown} value
 * @returns {string | undefined}
 * @throws what `JSON.stringify` throws
 */
function stringify(value) {
  const texts = [];
  let reduced;
  try {
    reduced = JSON.stringify(substitute(value, texts));
  } catch (error) {
    // Too deep to substitute, or cyclic behind a `toJSON` of the packet's: V8 has the last word.
    if (error instanceof RangeError) return JSON.stringify(value);
    throw error;
  }
  if (texts.length === 0) return reduced;
  let json = "";
  let position = 0;
  for (const [index, text] of texts.entries()) {
    const placeholder = `"${marker}${index}"`;
    const found = reduced.indexOf(placeholder, position);
    json += reduced.slice(position, found) + (binding.quote(text) ?? `"${text}"`);
    position = found + placeholder.length;
  }
  return json + reduced.slice(position);
}

module.exports = { stringify };
