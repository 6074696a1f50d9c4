"use strict";

/**
 * Binary data inside JavaScript values: finding it, taking it out, putting it
 * back. The order of `toJSON` calls and of attachments is that of socket.io-parser
 * 4.2.7, `lib/is-binary.ts` and `lib/binary.ts`. What is shared instead of copied is
 * read once more by `JSON.stringify`, which only getters could tell.
 */

const { isLongText } = require("./long-text.js");

const { getPrototypeOf } = Object;
const { hasOwnProperty: hasOwn } = Object.prototype;
const { isView } = ArrayBuffer;
const plainPrototype = Object.prototype;

/** What {@link inspect} found. */
const PLAIN = 0;
const LONG_TEXT = 1;
const BINARY = 2;

/**
 * Whether `value` travels as an attachment: an ArrayBuffer, a view of one (a
 * Buffer, say), a Blob or a File.
 *
 * @param {unknown} value
 * @returns {boolean}
 */
function isBinary(value) {
  return (
    isView(value) ||
    value instanceof ArrayBuffer ||
    value instanceof Blob ||
    (typeof File === "function" && value instanceof File)
  );
}

/**
 * Walks `value` until it meets binary data.
 *
 * @param {object} value
 * @param {boolean} [fromToJSON] `value` came from `toJSON`, which is honoured once
 * @returns {0 | 1 | 2} BINARY; else LONG_TEXT if a long string was met; else PLAIN
 * @throws {RangeError} where `value` is too deep for the stack, or cyclic
 */
function inspect(value, fromToJSON = false) {
  let found = PLAIN;
  if (Array.isArray(value)) {
    for (let i = 0, length = value.length; i < length; i++) {
      const inner = inspectItem(value[i]);
      if (inner === BINARY) return BINARY;
      found |= inner;
    }
    return found;
  }
  // `instanceof` looks for prototypes that a plain object does not have.
  if (getPrototypeOf(value) === plainPrototype ? isView(value) : isBinary(value)) return BINARY;
  if (!fromToJSON && typeof value.toJSON === "function") {
    const json = value.toJSON();
    return typeof json === "object" && json !== null ? inspect(json, true) : PLAIN;
  }
  for (const key in value) {
    if (!hasOwn.call(value, key)) continue;
    const inner = inspectItem(value[key]);
    if (inner === BINARY) return BINARY;
    found |= inner;
  }
  return found;
}

/** {@link inspect} for a value of any kind. */
function inspectItem(item) {
  if (typeof item === "string") return isLongText(item) ? LONG_TEXT : PLAIN;
  return typeof item === "object" && item !== null ? inspect(item) : PLAIN;
}

/**
 * `value` with a placeholder for each piece of binary data. What holds none, and
 * serialises the same whether copied or not, is shared; `value` is left alone.
 *
 * @param {unknown} value
 * @param {unknown[]} parts takes the binary data, from index 1 on
 * @param {boolean} isShared false for a copy of everything, which a replacer could
 *   tell from the original
 * @param {boolean} [fromToJSON] `value` came from `toJSON`
 * @returns {unknown}
 */
function deconstruct(value, parts, isShared, fromToJSON = false) {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return deconstructArray(value, parts, isShared);
  const isPlain = getPrototypeOf(value) === plainPrototype;
  if (isPlain ? isView(value) : isBinary(value)) {
    return { _placeholder: true, num: parts.push(value) - 2 };
  }
  if (!isPlain && value instanceof Date) return value;
  const hasToJSON = typeof value.toJSON === "function";
  if (hasToJSON && !fromToJSON) return deconstruct(value.toJSON(), parts, isShared, true);
  // V8 would honour `toJSON` again, and unwrap a boxed primitive.
  let copy = isShared && isPlain && !hasToJSON ? null : copyUntil(value, undefined);
  for (const key in value) {
    if (!hasOwn.call(value, key)) continue;
    const item = value[key];
    // As in socket.io-parser, copying turns an own `__proto__` into a prototype.
    const isPrototype = key === "__proto__";
    const inner = deconstruct(item, parts, isShared && !isPrototype);
    if (copy === null && (inner !== item || isPrototype)) copy = copyUntil(value, key);
    if (copy !== null) copy[key] = inner;
  }
  return copy ?? value;
}

function deconstructArray(array, parts, isShared) {
  const { length } = array;
  let copy = isShared && typeof array.toJSON !== "function" ? null : new Array(length);
  for (let i = 0; i < length; i++) {
    const item = array[i];
    const inner = deconstruct(item, parts, isShared);
    if (copy === null && inner !== item) {
      copy = new Array(length);
      for (let j = 0; j < i; j++) copy[j] = array[j];
    }
    if (copy !== null) copy[i] = inner;
  }
  return copy ?? array;
}

/** A copy of the properties of `value` that come before `end`; none without an `end`. */
function copyUntil(value, end) {
  const copy = {};
  if (end === undefined) return copy;
  for (const key in value) {
    if (key === end) break;
    if (hasOwn.call(value, key)) copy[key] = value[key];
  }
  return copy;
}

/**
 * Puts the attachments where their placeholders stand, in place.
 *
 * @param {unknown} value parsed JSON
 * @param {unknown[]} attachments
 * @returns {unknown} `value`, or the attachment if `value` is a placeholder
 * @throws {Error} "illegal attachments" if a placeholder names none of them
 */
function reconstruct(value, attachments) {
  if (typeof value !== "object" || value === null) return value;
  if (value._placeholder === true) {
    const { num } = value;
    // Neither "splice" nor 10: CVE-2022-2421.
    if (typeof num === "number" && num >= 0 && num < attachments.length) return attachments[num];
    throw new Error("illegal attachments");
  }
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const item = value[i];
      if (typeof item === "object" && item !== null) {
        const inner = reconstruct(item, attachments);
        if (inner !== item) value[i] = inner;
      } else if (item === undefined) {
        value[i] = undefined; // where a reviver left a hole
      }
    }
    return value;
  }
  for (const key in value) {
    if (!hasOwn.call(value, key)) continue;
    const item = value[key];
    if (typeof item === "object" && item !== null) {
      const inner = reconstruct(item, attachments);
      if (inner !== item) value[key] = inner;
    }
  }
  return value;
}

module.exports = {
  BINARY,
  LONG_TEXT,
  deconstruct,
  inspect,
  isBinary,
  reconstruct,
};
