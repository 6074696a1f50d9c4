"use strict";

/**
 * JSON whose long strings go through Rust while V8 makes and reads all the rest.
 * A marker that no peer can know stands for each long string meanwhile. Which
 * texts are worth it is measured; see the constants here and in `binary.js`.
 */

const { randomBytes } = require("node:crypto");
const { LONG_TEXT_LENGTH } = require("./binary.js");
const { binding } = require("./native.js");

const marker = randomBytes(16).toString("hex");

/**
 * Whether `JSON.stringify` of `value` may be replaced by {@link stringify}'s
 * copy: Map, class instances and boxed primitives are left to V8.
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
 * @param {unknown} value JSON data without cycles
 * @returns {string}
 * @throws what `JSON.stringify` throws
 */
function stringify(value) {
  const texts = [];
  const reduced = JSON.stringify(substitute(value, texts));
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

/**
 * Shorter JSON texts are left to V8, and so are shorter strings in a long text.
 */
const PARSE_LENGTH = 4096;

/** The text is looked at in windows of this many characters, one in each PARSE_LENGTH. */
const WINDOW_LENGTH = 256;

/**
 * Whether a window of a JSON text lies within a string that Rust reads faster
 * than V8 does: one with two-byte characters or with escapes.
 *
 * @param {string} json
 * @param {number} start
 * @returns {boolean}
 */
function isWorthwhile(json, start) {
  const window = json.slice(start, start + WINDOW_LENGTH);
  for (let at = window.indexOf('"'); at !== -1; at = window.indexOf('"', at + 1)) {
    if (window.charCodeAt(at - 1) !== 0x5c) return false;
  }
  return window.charCodeAt(0) > 0xff || window.charCodeAt(7) > 0xff || window.includes("\\");
}

/**
 * Puts the long strings where their markers stand, in place.
 *
 * @param {unknown} value parsed JSON
 * @param {string[]} texts index 0 is not a text
 * @returns {unknown} `value`, or the text if `value` is a marker
 */
function restore(value, texts) {
  if (typeof value === "string") {
    return value.startsWith(marker) ? texts[Number(value.slice(marker.length)) + 1] : value;
  }
  if (typeof value !== "object" || value === null) return value;
  // An array's indexes come as keys too.
  for (const key of Object.keys(value)) {
    const item = value[key];
    const restored = restore(item, texts);
    if (restored !== item) value[key] = restored;
  }
  return value;
}

/**
 * `JSON.parse(json)`, whatever it holds.
 *
 * @param {string} json
 * @returns {unknown}
 * @throws {SyntaxError}
 */
function parse(json) {
  for (let at = PARSE_LENGTH >> 1; at + WINDOW_LENGTH <= json.length; at += PARSE_LENGTH) {
    if (!isWorthwhile(json, at)) continue;
    const texts = binding.extractLongLiterals(json, PARSE_LENGTH >> 1, marker);
    return texts === null ? JSON.parse(json) : restore(JSON.parse(texts[0]), texts);
  }
  return JSON.parse(json);
}

module.exports = { PARSE_LENGTH, parse, stringify };
