"use strict";

/**
 * Generates MessagePack in all its forms, the shortest or not, with the values that notepack.io
 * treats in its own way: dates, legacy extensions, keys of all kinds, strings that are not UTF-8.
 */

const { randomFrom } = require("../random.js");

const TEXTS = [
  "",
  ..."e message connect toJSON length constructor _placeholder num".split(" "),
  ..."0 1 10 01 -1 1.5 4294967294 4294967295 9007199254740993".split(" "),
  "é",
  "😀\u2028",
  'a"b\\c\0\x1f\b\f\n\r\t/\x7f',
  "x".repeat(31),
  "ž".repeat(33),
  "x".repeat(300),
];
/** Not UTF-8: cut, overlong, a surrogate, beyond U+10FFFF, a BOM before a bare byte. */
const BROKEN = ["ff", "e282", "c080", "eda080", "f4908080", "61e28261", "efbbbf80", "f09f9861"];
const DOUBLES = [0, -0, 0.1, 1e21, 1e-7, 123456789.125, 5e-324, 2 ** 53, 1.7e308];
DOUBLES.push(Infinity, -Infinity, NaN);
const EXTENSION_TYPES = [-1, 0, 1, 5, 127, -128, -2];
const FIXED_LENGTHS = [1, 2, 4, 8, 16];
/** First bytes with the width of the length that follows. */
// biome-ignore format: a table
const FORMS = {
  string: [[0xd9, 1], [0xda, 2], [0xdb, 4]],
  binary: [[0xc4, 1], [0xc5, 2], [0xc6, 4]],
  array: [[0xdc, 2], [0xdd, 4]],
  map: [[0xde, 2], [0xdf, 4]],
};
const MAX_SECONDS = 8_640_000_000_000;

/** Returns a first byte, and a length or count of `width` bytes. */
function header(first, width, length) {
  const bytes = Buffer.alloc(1 + width);
  bytes[0] = first;
  bytes.writeUIntBE(length, 1, width);
  return bytes;
}

/** @param {number} seed a 32-bit integer */
function messagePackFrom(seed) {
  const { random, below, pick, chance, times } = randomFrom(seed);
  const bytes = (length) => Buffer.from(Array.from({ length }, () => below(256)));

  /** Returns a header in one of the forms that hold the length: [first byte, limit or width]. */
  function anyHeader(length, [base, limit], forms) {
    const fitting = forms.filter(([, width]) => length < 2 ** (8 * width));
    if (length < limit && chance(0.8)) return Buffer.from([base + length]);
    const [first, width] = chance(0.8) ? fitting[0] : pick(fitting);
    return header(first, width, length);
  }

  function string(text) {
    const content = Buffer.from(text);
    const header = anyHeader(content.length, [0xa0, 32], FORMS.string);
    return Buffer.concat([header, content]);
  }

  const binary = (content) =>
    Buffer.concat([anyHeader(content.length, [0, 0], FORMS.binary), content]);

  const array = (items) =>
    Buffer.concat([anyHeader(items.length, [0x90, 16], FORMS.array), ...items]);

  /** @param {Buffer[][]} entries pairs of key and value */
  const map = (entries) =>
    Buffer.concat([anyHeader(entries.length, [0x80, 16], FORMS.map), ...entries.flat()]);

  function double(number) {
    const message = Buffer.alloc(9, 0xcb);
    message.writeDoubleBE(number, 1);
    return message;
  }

  const anyString = () => string(chance(0.9) ? pick(TEXTS) : Buffer.from(pick(BROKEN), "hex"));

  function number() {
    const kind = below(6);
    if (kind === 0) return double(pick(DOUBLES));
    if (kind === 1) return double(random() * 10 ** (below(40) - 15));
    if (kind === 2) return Buffer.from([0xca, ...bytes(4)]);
    if (kind === 3) return Buffer.from([0xcb, ...bytes(8)]);
    if (kind === 4) return Buffer.from([chance(0.5) ? below(0x80) : 0xe0 + below(0x20)]);
    const first = 0xcc + below(8);
    return Buffer.from([first, ...bytes(2 ** (first & 3))]);
  }

  /** Returns a date within the range of JavaScript, and at times beyond. */
  function date() {
    const kind = below(5);
    if (kind === 0) return Buffer.from([0xd6, 0xff, ...bytes(4)]);
    if (kind === 1) return Buffer.from([0xd7, 0xff, ...bytes(8)]);
    const message = Buffer.from([0xc7, pick([12, 0, 255]), 0xff, ...bytes(12)]);
    const seconds = Math.floor((random() - 0.5) * 2.1 * MAX_SECONDS);
    if (kind === 2) message.writeBigInt64BE(BigInt(seconds), 7);
    if (kind < 4) return message;
    const legacy = Buffer.from([0xd7, 0x00, ...bytes(8)]);
    if (chance(0.8)) legacy.writeBigInt64BE(BigInt(seconds * 1000 + below(1000)), 2);
    return legacy;
  }

  function extension() {
    const [type] = Buffer.from([pick(EXTENSION_TYPES)]);
    const index = below(FIXED_LENGTHS.length);
    const isDate = type === 0xff && (index === 2 || index === 3);
    if (chance(0.5) && !isDate) {
      return Buffer.from([0xd4 + index, type, ...bytes(FIXED_LENGTHS[index])]);
    }
    const content = bytes(below(20));
    const width = type === 0xff ? pick([2, 4]) : pick([1, 2, 4]);
    const head = header(0xc7 + Math.log2(width), width, content.length);
    return Buffer.concat([head, Buffer.from([type]), content]);
  }

  function scalar() {
    const kind = below(12);
    if (kind < 4) return anyString();
    if (kind < 7) return number();
    if (kind === 7) return Buffer.from([pick([0xc0, 0xc2, 0xc3])]);
    if (kind === 8) return Buffer.from([0xd4, 0x00, below(256)]); // undefined
    if (kind === 9) return date();
    return kind === 10 ? extension() : binary(bytes(below(12)));
  }

  /** Returns a value that may be a prototype without consequences: neither a date nor binary. */
  const harmless = () => pick([anyString, number, () => map([]), () => array([anyString()])])();

  function entry(inner) {
    const kind = below(30);
    if (kind === 0) return [string("__proto__"), harmless()];
    if (kind === 1) return [number(), inner()];
    if (kind === 2) return [Buffer.from([pick([0xc0, 0xc2, 0xc3])]), inner()];
    if (kind === 3) return [binary(Buffer.from(pick(TEXTS))), inner()];
    return [anyString(), inner()];
  }

  /** @param {number} depth how deep arrays and maps may stand in each other */
  function value(depth) {
    if (depth === 0 || chance(0.5)) return scalar();
    const inner = () => value(depth - 1);
    const limit = chance(0.02) ? 60 : 6;
    return chance(0.5) ? array(times(limit, inner)) : map(times(limit, () => entry(inner)));
  }

  /** Returns a message with some bytes changed, added or left out. */
  function mutate(message) {
    const at = below(message.length + 1);
    const replaced = below(3);
    const parts = [message.subarray(0, at), bytes(below(3)), message.subarray(at + replaced)];
    return chance(0.2) ? message.subarray(0, at) : Buffer.concat(parts);
  }

  return { string, array, map, number, value, harmless, mutate };
}

module.exports = { TEXTS, messagePackFrom };
