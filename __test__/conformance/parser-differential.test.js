"use strict";

/**
 * The parser against socket.io-parser, over generated packets and sequences of messages, valid and
 * mutated: same bytes, same attachments, same packets, same errors.
 *
 * SEED=<number> repeats a run.
 */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { inspect, isDeepStrictEqual, types } = require("node:util");
const vm = require("node:vm");
const official = require("socket.io-parser");
const { LONG_TEXT_LENGTH } = require("../../lib/parser/long-text.js");
const ours = require("../../lib/parser/index.js");
const FRAGMENTS = require("../support/fragments.js");
const { SEED, randomFrom } = require("../support/random.js");

const PACKETS = 50_000;
const SEQUENCES = 50_000;

const { random, below, pick, chance, times } = randomFrom(SEED);

/** Calls one of several functions. */
const oneOf = (...functions) => pick(functions)();

// --- Text

const CONTROLS = Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)).join("");
const ALPHABETS = [
  "abcdefghijklmnopqrstuvwxyz ",
  'He said: "no".\n\\',
  "\"\\\n\t'/<>&",
  CONTROLS,
  "\u007f\u0080\u00a0éžü\u00ff",
  "č你好\u2028\u2029\ufeff\uffff",
  "😀👩‍🚀",
  "ab\ud800\udc00\udfff\ud83d",
];

function textOf(length) {
  const alphabet = pick(ALPHABETS);
  const run = Array.from({ length: Math.min(length, 61) }, () => alphabet[below(alphabet.length)]);
  if (length > 61 && chance(0.3)) run[below(61)] = pick(["\ud800", '"', "ÿ", "Ā", "\0"]);
  return run
    .join("")
    .repeat(Math.ceil(length / 61))
    .slice(0, length);
}

/** Returns a string that may be encoded in Rust: about as long as the threshold, or far longer. */
function longText() {
  const isNear = chance(0.6);
  return textOf(isNear ? LONG_TEXT_LENGTH - 1 + below(3) : LONG_TEXT_LENGTH + below(20 * 1024));
}

const WORDS = "a hello null 1e3 __proto__ _placeholder \u2028 😀 \ud800".split(" ");
WORDS.unshift("");
const text = () =>
  oneOf(
    () => pick(WORDS),
    () => textOf(below(24)),
    () => (chance(0.03) ? longText() : ""),
  );

const KEYS = "a b num _placeholder 0 1 01 -1 1.5 4294967295 toString".split(" ");
const key = () => (chance(0.9) ? pick(KEYS) : chance(0.99) ? text() : longText());

// --- Values to encode

class Point {
  constructor(x) {
    this.x = x;
  }
  get hidden() {
    return 1;
  }
}
class Wrapped extends Point {
  toJSON() {
    return this.x;
  }
}
class List extends Array {}
class BufferWithName extends Uint8Array {}

function bufferSubclass() {
  const bytes = Buffer.from([below(256)]);
  return Object.setPrototypeOf(bytes, Object.create(Buffer.prototype));
}

const ELSEWHERE = vm.runInNewContext(
  "[[1, [2]], { a: { b: 1 } }, new Date(0), new ArrayBuffer(2), new Uint8Array(2), new Map()]",
);

const binary = () =>
  oneOf(
    () => Buffer.from([below(256)]),
    () => Buffer.alloc(0),
    () => new Uint8Array([1, below(256)]),
    () => new Float64Array([random()]),
    () => new DataView(new ArrayBuffer(3)),
    () => new ArrayBuffer(below(4)),
    () => new Uint16Array(new SharedArrayBuffer(2)),
    () => new BufferWithName(2),
    bufferSubclass,
    () => new Blob([text()]),
    () => new File(["x"], "name"),
    () => Object.assign(Buffer.from("own"), { toJSON: () => "never" }),
  );

const BYTES = Buffer.from("bytes");
const thrown = new Error("thrown by the data");
const fail = () => {
  throw thrown;
};

const CALLABLE = Object.assign(() => 1, { toJSON: () => "called" });

const primitive = () =>
  oneOf(
    text,
    text,
    () => below(1000),
    () => pick([0, -0, -1, 1.5, 1e21, 1e-7, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]),
    () => pick([null, true, false, undefined]),
    () => (chance(0.05) ? 10n : pick([Symbol("s"), () => 1, CALLABLE])),
  );

/** Nests `inner` in arrays, or objects. */
function nested(levels, inner, isArray) {
  let value = inner;
  for (let i = 0; i < levels; i++) value = isArray ? [value] : { a: value };
  return value;
}
const TOO_DEEP = [nested(50_000, 1, true), nested(50_000, Buffer.of(1), false)];
const DEEP = [
  nested(500, 1, true),
  nested(500, Buffer.of(1), false),
  nested(500, { a: "č".repeat(LONG_TEXT_LENGTH), b: ["x".repeat(LONG_TEXT_LENGTH)] }, false),
];

const CYCLIC = ["event"];
CYCLIC.push({ a: CYCLIC });

/** Returns an object that is neither plain nor binary. */
function oddity(depth, ancestors) {
  const inner = () => value(depth - 1, ancestors);
  return oneOf(
    () => new Map([["a", inner()]]),
    () => new Set([inner()]),
    () => new Date(pick([0, 1e12, Number.NaN])),
    () => Object.assign(new Date(0), { toJSON: () => BYTES }),
    () => Object(pick([1, "text", "x".repeat(LONG_TEXT_LENGTH), true, Symbol("boxed")])),
    () => new Point(inner()),
    () => new Wrapped(inner()),
    () => List.from([inner(), inner()]),
    () => Object.assign(Object.create(null), { a: inner(), [key()]: inner() }),
    () =>
      Object.create({ inherited: inner() }, { own: { value: inner(), enumerable: chance(0.5) } }),
    () => new SharedArrayBuffer(2),
    () => pick([/x/g, new Error("data"), new WeakMap(), Promise.resolve(), new URL("http://a/b")]),
    () => new Proxy({ a: inner() }, {}),
    () => new Proxy([inner()], {}),
    () => pick(ELSEWHERE),
    () => (chance(0.05) ? pick(TOO_DEEP) : pick(DEEP)),
    () => (chance(0.1) && ancestors.length > 0 ? pick(ancestors) : inner()),
  );
}

/** Returns an object or array with a `toJSON`. */
function withToJSON(depth, ancestors) {
  const result = value(depth - 1, ancestors);
  return oneOf(
    () => ({ a: 1, toJSON: () => result }),
    () => ({ toJSON: () => ({ a: result, toJSON: () => 7 }) }),
    () => ({ toJSON: () => ({ toJSON: () => ({ toJSON: () => result }) }) }),
    () => ({ a: result, toJSON: (name) => `called with ${typeof name} ${name}` }),
    () => ({ a: result, toJSON: pick([1, null, "toJSON", {}]) }),
    () => Object.assign([result, 1], { toJSON: () => result }),
    () => Object.defineProperty({ a: result }, "toJSON", { value: () => [result] }),
    () => ({
      a: chance(0.9) ? 1 : result,
      toJSON() {
        return this;
      },
    }),
    () => (chance(0.2) ? { a: result, toJSON: fail } : { b: result }),
    () => ({ a: result, toJSON: pick([() => BYTES, () => undefined, () => null, () => "text"]) }),
  );
}

function array(depth, ancestors) {
  const list = [];
  const inside = [...ancestors, list];
  const length = below(5);
  for (let i = 0; i < length; i++) list.push(value(depth - 1, inside));
  if (chance(0.05)) list.length += below(3);
  if (chance(0.02)) delete list[0];
  if (chance(0.02)) list.extra = value(depth - 1, inside);
  return list;
}

function object(depth, ancestors) {
  const result = {};
  const inside = [...ancestors, result];
  const count = below(5);
  for (let i = 0; i < count; i++) {
    const item = value(depth - 1, inside);
    const name = chance(0.03) ? "__proto__" : key();
    const kind = chance(0.9) ? "own" : pick(["getter", "setter", "hidden", "symbol", "throwing"]);
    const isOften = chance(0.1);
    if (kind === "own") define(result, name, { value: item, writable: true, enumerable: true });
    else if (kind === "getter") define(result, name, { get: () => item, enumerable: true });
    else if (kind === "setter") define(result, name, { set() {}, enumerable: true });
    else if (kind === "hidden") define(result, name, { value: item });
    else if (kind === "symbol") result[Symbol.iterator] = item;
    else if (isOften) define(result, name, { get: fail, enumerable: true });
  }
  return result;
}

function define(target, name, descriptor) {
  Object.defineProperty(target, name, { configurable: true, ...descriptor });
}

/** Returns a value with about `depth` levels. */
function value(depth, ancestors) {
  if (depth <= 0 || chance(0.4)) return primitive();
  if (chance(0.1)) return binary();
  if (chance(0.03)) return oddity(depth, ancestors);
  if (chance(0.04)) return withToJSON(depth, ancestors);
  return chance(0.5) ? array(depth, ancestors) : object(depth, ancestors);
}

// --- Packets to encode

const NAMESPACES = ["/", "/admin", "/a?b=c,d", "", "admin", "/č\ud800", undefined, null, 0, 5];
const IDS = [0, 1, 17, -1, 1.5, 1e21, "7", "", Number.NaN, null, undefined, true];
const COERCED = [["list"], { toString: () => "8" }, { valueOf: () => 9 }, Symbol("no text"), 3n];
const STRANGE_TYPES = [7, -1, 2.5, Number.NaN, "2", "5", null, undefined, -0];

const extra = () =>
  oneOf(
    () => ({ options: { compress: true, volatile: true } }),
    () => ({ attachments: pick([0, 2, undefined, "many", { valueOf: () => 3 }]) }),
    () => ({ more: value(2, []) }),
    () => ({ more: longText() }),
    () => ({ nsp: `/${longText()}` }),
    () => ({ more: binary() }),
    () => ({ data: CYCLIC, toJSON: () => "x".repeat(LONG_TEXT_LENGTH) }),
    () => ({ data: CYCLIC, toJSON: () => ["x".repeat(LONG_TEXT_LENGTH)] }),
    () => {
      const result = value(2, []);
      return { toJSON: () => result };
    },
    () => ({ [pick(["nsp", "id", "attachments", "type"])]: pick(COERCED) }),
    () => ({ data: value(1, []) }),
  );

function packet() {
  const result = { type: chance(0.9) ? pick([2, 2, 3]) : pick([0, 1, 4, 5, 6]) };
  if (chance(0.01)) result.type = pick(STRANGE_TYPES);
  if (chance(0.95)) result.nsp = chance(0.5) ? "/" : pick(NAMESPACES);
  if (chance(0.97)) result.data = chance(0.95) ? ["event", ...array(4, [])] : value(4, []);
  if (chance(0.4)) result.id = pick(IDS);
  if (chance(0.1)) Object.assign(result, extra());
  return chance(0.97) ? result : disguised(result);
}

/** Returns a packet that is not a plain object. */
function disguised(fields) {
  return oneOf(
    () => Object.assign(new Point(1), fields),
    () => Object.assign(new Wrapped(value(1, [])), fields),
    () => Object.assign(Object.create(null), fields),
    () => Object.assign(Object.create(fields), { more: value(1, []) }),
    () => Object.assign([value(1, [])], fields),
    () => Object.assign(Buffer.of(1), fields),
    () => new Proxy(fields, {}),
    () => Object.defineProperty({ ...fields }, "data", { get: () => fields.data }),
    () => pick([null, undefined, 5, "text", Symbol("packet")]),
  );
}

/** Makes any change to the packet an error. */
function freeze(target, seen = new Set()) {
  if (typeof target !== "object" || target === null || seen.has(target)) return;
  if (Object.isFrozen(target) || ArrayBuffer.isView(target) || seen.size > 200) return;
  seen.add(target);
  for (const { value } of Object.values(Object.getOwnPropertyDescriptors(target))) {
    freeze(value, seen);
  }
  Object.freeze(target);
}

const REPLACERS = [
  (_key, item) => item,
  (name, item) => (name === "a" ? undefined : item),
  (_key, item) => (typeof item === "bigint" ? `${item}n` : item),
  (_key, item) => (item instanceof Map ? [...item] : item),
  function (name) {
    return this[name];
  },
  function (name, item) {
    return Array.isArray(this) ? [name, typeof item] : item;
  },
  (name, item) => (name === "num" ? fail() : item),
  ["a", "0", "num"],
  ["_placeholder", 1, "b"],
  null,
  "not a replacer",
];
const ENCODERS = REPLACERS.map((replacer) => [
  new ours.Encoder(replacer),
  new official.Encoder(replacer),
]);
const PLAIN_ENCODERS = [new ours.Encoder(), new official.Encoder()];

// --- Outcomes

/** Returns the result of a call, or its error. */
function attempt(call) {
  try {
    return { result: call() };
  } catch (error) {
    return { error };
  }
}

/** Errors are the same by name: a stack that ends in another realm throws the RangeError of that realm. */
const isSameError = (a, b) =>
  a === b ||
  (types.isNativeError(a) &&
    types.isNativeError(b) &&
    a.constructor.name === b.constructor.name &&
    a.message === b.message);

function isSameEncoding(a, b) {
  if (a.result === undefined || b.result === undefined) return isSameError(a.error, b.error);
  return a.result.length === b.result.length && a.result.every((part, i) => part === b.result[i]);
}

const show = (subject) => inspect(subject, { depth: 12, maxStringLength: 400, breakLength: 100 });

// --- Messages to decode

const VARIANTS = ["e", "message", "", "connect", "newListener", "č", "😀", "__proto__", "a", "b"];
const LITERALS = "true null -0 1E-2 01 1. 123456789012345678901234567890".split(" ");
LITERALS.push('"\\u0063onnect"', '"\\ud800"', '"\u2028"', '"\n"');
const NUMS = ["0", "1", "9", "10", "-1", "-0", "0.5", "1e0", '"splice"', '"0"', "null", "{}"];
const COUNTS = ["0", "1", "2", "3", "10", "11", "01", "1e0", "1e1", "0x1", "0x5", "0b1", "+1"];
COUNTS.push(" 1", "1 ", "\u00a01", "1.0", "1.5", "", " ", "-", "-1", "1_0", "Infinity");
COUNTS.push("9".repeat(400));
const DIGITS = ["0", "7", "0042", "18446744073709551616", " ", "1 ", " 1", "1 2", "\u20281", "٣"];
DIGITS.push("9".repeat(400), "1e1", "-1", "\t\n\u00a0\ufeff");
const TYPES = ["7", "9", "a", " ", "\u00a0", "\ufeff", "\u2003", "", "-", "/", "[", "٣", "\ud835"];
const PATHS = ["/", "/admin", "/a-b?c=1", "/ž", "/[1]", '/{"x"}', "/ 1", "//", "/,", "admin", "/1"];

function json(depth) {
  const inner = () => json(depth - 1);
  const kind = below(depth > 0 ? 7 : 4);
  if (kind === 0) return pick(LITERALS);
  if (kind === 1) return String(below(1000));
  if (kind === 2) return JSON.stringify(text());
  if (kind === 3) return `{"_placeholder":true,"num":${chance(0.7) ? "0" : pick(NUMS)}}`;
  if (kind === 4) return `[${times(4, inner).join(pick([",", " , "]))}]`;
  return `{${times(4, () => `${JSON.stringify(pick(VARIANTS))}:${inner()}`).join(",")}}`;
}

function payload(type) {
  if (chance(0.1)) return json(3);
  if (type === "0" || type === "4") return pick(["{}", '{"token":"x"}', '"text"', ""]);
  if (type === "1") return "";
  const first = chance(0.9) ? JSON.stringify(pick(VARIANTS)) : json(1);
  const more = times(4, () => (chance(0.9) ? json(3) : JSON.stringify(text())));
  return `[${[first, ...more].join(",")}]${chance(0.05) ? " \n" : ""}`;
}

function mutated(original) {
  const at = below(original.length + 1);
  const head = original.slice(0, at);
  const rest = original.slice(at);
  return oneOf(
    () => head,
    () => head + pick(FRAGMENTS) + rest,
    () => head + rest.slice(1),
    () => head + pick(FRAGMENTS) + rest.slice(1),
    () => head + rest.slice(0, 3) + rest,
  );
}

const DEEP_TEXTS = [
  `2["e",${"[".repeat(500)}${"]".repeat(500)}]`,
  `51-["e",${"[".repeat(500)}{"_placeholder":true,"num":0}${"]".repeat(500)}]`,
  `2["e"${"[".repeat(50_000)}`,
  `51-["e",${"[".repeat(50_000)}${"]".repeat(50_000)}]`,
];

function packetText() {
  if (chance(0.001)) return pick(DEEP_TEXTS);
  const type = chance(0.98) ? String(below(7)) : pick(TYPES);
  const isBinary = type === "5" || type === "6";
  const count = chance(0.9) ? String(1 + below(3)) : pick(COUNTS);
  const namespace = chance(0.4) ? pick(PATHS) + (chance(0.95) ? "," : "") : "";
  const id = chance(0.4) ? (chance(0.8) ? String(below(1e6)) : pick(DIGITS)) : "";
  let result = type + (isBinary ? `${count}-` : "") + namespace + id + payload(type);
  while (chance(0.25)) result = mutated(result);
  return result;
}

const STRANGE_INPUTS = [null, undefined, 0, 5, true, {}, [], { base64: "AQ==" }, { base64: "" }];
STRANGE_INPUTS.push(Symbol("input"), { valueOf: () => 5 }, Object.create(null), 7n, new Date(0));
STRANGE_INPUTS.push(Object("2[]"), () => 1, new SharedArrayBuffer(1), { base64: { length: 1 } });

/** Returns messages for one decoder, mostly with all attachments. */
function messages() {
  const list = [];
  for (let i = 1 + below(3); i > 0; i--) {
    const next = packetText();
    list.push(next);
    const awaited = Number(/^[56](\d)-/.exec(next)?.[1] ?? 0);
    const sent = chance(0.9) ? awaited : below(4);
    for (let n = 0; n < sent; n++) list.push(binary());
    if (chance(0.05)) list.splice(below(list.length + 1), 0, pick(STRANGE_INPUTS));
    if (chance(0.03)) list.splice(below(list.length + 1), 0, "destroy()");
  }
  return list;
}

const REVIVERS = [
  (_key, item) => item,
  (name, item) => (name === "a" || name === "1" ? undefined : item),
  (name) => (name === "" ? undefined : 1),
  (name, item) => (name === "" ? ["replaced", item] : item),
  (name, item) => (name === "" ? {} : item),
  (_key, item) => (typeof item === "string" ? item.toUpperCase() : item),
  function (name) {
    return this[name];
  },
  (name, item) => (name === "b" ? fail() : item),
];

const decoderOptions = () =>
  chance(0.7)
    ? undefined
    : oneOf(
        () => pick(REVIVERS),
        () => ({ reviver: pick(REVIVERS) }),
        () => ({ maxAttachments: pick([0, 1, 2, 100, Number.POSITIVE_INFINITY, "2", undefined]) }),
        () => ({ reviver: pick(REVIVERS), maxAttachments: 1 }),
        () => pick([null, {}, "options"]),
      );

/** Side effects of a listener. */
const LISTENING = {
  usual() {},
  throwing() {
    throw thrown;
  },
  destroying(decoder) {
    decoder.destroy();
  },
  reentrant(decoder) {
    if (decoder.reentered) return;
    decoder.reentered = true;
    decoder.add('51-["inner",{"_placeholder":true,"num":0}]');
  },
  unsubscribing(decoder) {
    decoder.off("decoded");
  },
};

/** Returns all events and errors of a decoder. */
function decodeAll({ Decoder }, options, list, listening) {
  const decoder = new Decoder(options);
  const events = [];
  decoder.on("decoded", (decoded) => {
    events.push({ keys: Object.keys(decoded).join(), decoded });
    LISTENING[listening](decoder);
  });
  for (const message of list) {
    try {
      if (message === "destroy()") decoder.destroy();
      else decoder.add(message);
      events.push("accepted");
    } catch (error) {
      events.push({ error });
    }
  }
  return events;
}

const isSameEvent = (a, b) =>
  a === b ||
  (a?.error !== undefined && b?.error !== undefined
    ? isSameError(a.error, b.error)
    : isDeepStrictEqual(a, b));

// --- Tests

test(`encodes ${PACKETS} packets as socket.io-parser does (SEED=${SEED})`, (t) => {
  const seen = { text: 0, binary: 0, long: 0, error: 0, overflow: 0, frozen: 0 };
  for (let index = 0; index < PACKETS; index++) {
    const subject = packet();
    const isFrozen = chance(0.3);
    if (isFrozen) freeze(subject);
    const [mine, theirs] = chance(0.8) ? PLAIN_ENCODERS : pick(ENCODERS);
    const actual = attempt(() => mine.encode(subject));
    const expected = attempt(() => theirs.encode(subject));
    if (!isSameEncoding(actual, expected)) {
      assert.fail(
        `packet ${index}, SEED=${SEED}, replacer ${mine.replacer}\n${show(subject)}\n` +
          `ours: ${show(actual)}\nsocket.io-parser: ${show(expected)}`,
      );
    }
    if (isFrozen) seen.frozen++;
    if (expected.error?.name === "RangeError") seen.overflow++;
    else if (expected.error !== undefined) seen.error++;
    else if (expected.result.length > 1) seen.binary++;
    else if (expected.result[0].length > LONG_TEXT_LENGTH) seen.long++;
    else seen.text++;
  }
  t.diagnostic(`SEED=${SEED} ${JSON.stringify(seen)}`);
  for (const kind of ["text", "binary", "frozen"]) assert.ok(seen[kind] > PACKETS / 10, kind);
  for (const kind of ["long", "error", "overflow"]) assert.ok(seen[kind] > PACKETS / 1000, kind);
});

test(`decodes ${SEQUENCES} sequences as socket.io-parser does (SEED=${SEED})`, (t) => {
  const seen = { decoded: 0, accepted: 0, error: 0 };
  for (let index = 0; index < SEQUENCES; index++) {
    const list = messages();
    const options = decoderOptions();
    const listening = chance(0.95) ? "usual" : pick(Object.keys(LISTENING));
    const actual = decodeAll(ours, options, list, listening);
    const expected = decodeAll(official, options, list, listening);
    if (
      actual.length !== expected.length ||
      !actual.every((event, i) => isSameEvent(event, expected[i]))
    ) {
      assert.fail(
        `sequence ${index}, SEED=${SEED}, options ${show(options)}, a ${listening} listener\n` +
          `${show(list)}\nours: ${show(actual)}\nsocket.io-parser: ${show(expected)}`,
      );
    }
    for (const event of expected) {
      seen[event === "accepted" ? event : event.error === undefined ? "decoded" : "error"]++;
    }
  }
  t.diagnostic(`SEED=${SEED} ${JSON.stringify(seen)}`);
  assert.ok(seen.decoded > SEQUENCES / 2, "most packets are decoded");
  assert.ok(seen.error > SEQUENCES / 5, "many texts are refused");
});
