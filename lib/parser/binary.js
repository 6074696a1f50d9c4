"use strict";

/**
 * Finds binary data in JavaScript values, replaces it by placeholders, and puts it back. `toJSON` is
 * called, and attachments are numbered, in the order of socket.io-parser 4.2.7, `lib/is-binary.ts` and
 * `lib/binary.ts`. Values that are shared instead of copied are read once more by `JSON.stringify`,
 * which only a getter can notice.
 */

const { isLongText } = require("./long-text.js");

const { getPrototypeOf } = Object;
const { hasOwnProperty: hasOwn } = Object.prototype;
const { isView } = ArrayBuffer;
const plainPrototype = Object.prototype;

/** The results of {@link inspect}. */
const PLAIN = 0;
const LONG_TEXT = 1;
const BINARY = 2;

/**
 * Returns whether `value` becomes an attachment: an ArrayBuffer, a view of one such as a Buffer, a Blob
 * or a File.
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
 * Searches `value` for binary data.
 *
 * @param {object} value
 * @param {boolean} [fromToJSON] true if `value` came from `toJSON`, which is called once only
 * @returns {0 | 1 | 2} BINARY; else LONG_TEXT if there was a long string; else PLAIN
 * @throws {RangeError} if `value` is too deep for the stack, or cyclic
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
  // A plain object needs no `instanceof`, which walks the prototype chain.
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

/** Does what {@link inspect} does, for a value of any type. */
function inspectItem(item) {
  if (typeof item === "string") return isLongText(item) ? LONG_TEXT : PLAIN;
  return typeof item === "object" && item !== null ? inspect(item) : PLAIN;
}

/**
 * Returns `value` with a placeholder for each piece of binary data. Parts that hold none, and serialise
 * the same whether copied or not, are shared. `value` is not modified.
 *
 * @param {unknown} value
 * @param {unknown[]} parts receives the binary data, from index 1 on
 * @param {boolean} isShared false to copy everything, for a replacer, which can distinguish a copy
 * @param {boolean} [fromToJSON] true if `value` came from `toJSON`
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
  // V8 would call `toJSON` again, and unwrap a boxed primitive.
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

/** Returns a copy of the properties of `value` before the key `end`; `{}` if `end` is undefined. */
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
 * Replaces the placeholders in `value` by their attachments, in place.
 *
 * @param {unknown} value parsed JSON
 * @param {unknown[]} attachments
 * @returns {unknown} `value`, or the attachment if `value` is a placeholder
 * @throws {Error} "illegal attachments" if a placeholder has no valid index
 */
function reconstruct(value, attachments) {
  if (typeof value !== "object" || value === null) return value;
  if (value._placeholder === true) {
    const { num } = value;
    // "splice" or 10 would be accepted otherwise: CVE-2022-2421.
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
        value[i] = undefined; // a reviver may have left a hole
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
