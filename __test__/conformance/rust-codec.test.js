/**
 * The Rust codec against socket.io-parser's Decoder, over generated texts, valid and
 * mutated. The only differences allowed are those that the documentation of
 * `src/proto/socket_io` lists; there the codec must refuse.
 *
 * SEED=<number> repeats a run.
 */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Decoder } = require("socket.io-parser");
const FRAGMENTS = require("../support/fragments.js");
const { askOracle } = require("../support/oracle.js");
const { SEED, randomFrom } = require("../support/random.js");

const COUNT = 25_000;
const MAX_ATTACHMENTS = 10;
const MAX_ACK_ID = 2n ** 64n - 1n;

const { below, pick, chance, times } = randomFrom(SEED);

const NAMES = [
  "e",
  "message",
  "",
  "connect",
  "disconnecting",
  "newListener",
  "č",
  "😀",
  "__proto__",
];
const NAMESPACES = ["/", "/admin", "/a-b?c=1", "/ž", "/[1]", '/{"x"}'];
const NUMBERS = [
  "0",
  "-0",
  "1",
  "-1.5",
  "1e999",
  "1E-2",
  "123456789012345678901234567890",
  "01",
  "1.",
];
const STRINGS = [
  '""',
  '"a,b-c"',
  '"\\"\\\\"',
  '"\\ud800"',
  '"\\u0063onnect"',
  '"\\u12g4"',
  '"ž"',
  '"\u2028"',
];
const NUMS = ["0", "1", "9", "10", "-1", "-0", "0.0", "0.5", "1e0", '"splice"', "null"];
const COUNTS = [
  "0",
  "1",
  "2",
  "10",
  "11",
  "01",
  "1e0",
  "0x1",
  "+1",
  " 1",
  "1.0",
  "",
  "-1",
  "9".repeat(25),
  "9".repeat(400),
];
const IDS = [
  "0",
  "7",
  "0042",
  "18446744073709551615",
  "18446744073709551616",
  " ",
  "1 ",
  "9".repeat(400),
];

function json(depth) {
  const inner = () => json(depth - 1);
  const kind = below(depth > 0 ? 7 : 4);
  if (kind === 0) return pick(["true", "false", "null"]);
  if (kind === 1) return pick(NUMBERS);
  if (kind === 2) return pick(STRINGS);
  if (kind === 3) return `{"_placeholder":true,"num":${chance(0.7) ? "0" : pick(NUMS)}}`;
  if (kind === 4) return `[${times(4, inner).join(pick([",", " , "]))}]`;
  return `{${times(4, () => `${JSON.stringify(pick(NAMES))}:${inner()}`).join(",")}}`;
}

function payload(type) {
  if (chance(0.1)) return json(3);
  if (type === "0" || type === "4") return pick(["{}", '{"token":"x"}', '"text"', ""]);
  if (type === "1") return "";
  const first = chance(0.8) ? JSON.stringify(pick(NAMES)) : json(1);
  return `[${[first, ...times(4, () => json(3))].join(",")}]${chance(0.05) ? " \n" : ""}`;
}

function mutate(text) {
  const at = below(text.length + 1);
  const rest = text.slice(at);
  switch (below(4)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return text.slice(0, at) + pick(FRAGMENTS) + rest;
    case 2:
      return text.slice(0, at) + rest.slice(1);
    default:
      return text.slice(0, at) + pick(FRAGMENTS) + rest.slice(1);
  }
}

function packetText() {
  const type = chance(0.98) ? String(below(7)) : pick(["7", "9", "a", " ", "", "-"]);
  const isBinary = type === "5" || type === "6";
  const count = chance(0.85) ? String(1 + below(4)) : pick(COUNTS);
  const namespace = chance(0.4) ? pick(NAMESPACES) + (chance(0.95) ? "," : "") : "";
  const id = chance(0.4) ? (chance(0.8) ? String(below(1e6)) : pick(IDS)) : "";
  let text = type + (isBinary ? `${count}-` : "") + namespace + id + payload(type);
  while (chance(0.3)) text = mutate(text);
  return text.toWellFormed(); // UTF-8 has no lone surrogates
}

/** Decodes a text and as many attachments as it announces by socket.io-parser. */
function decodeUpstream(text) {
  const decoder = new Decoder({ maxAttachments: MAX_ATTACHMENTS });
  try {
    const { type, nsp, id, attachments, data } = decoder.decodeString(text);
    decoder.add(text);
    while (decoder.reconstructor) decoder.add(Buffer.alloc(0));
    return { type, nsp, id, attachments, data };
  } catch (error) {
    return { error: error.message };
  }
}

function decodeInRust(texts) {
  const lines = texts.map((text) => Buffer.from(text).toString("hex"));
  return askOracle("decode_packets", lines).map(({ payload, ...packet }) => {
    if (packet.error !== undefined) return packet;
    const data = payload === null ? undefined : JSON.parse(payload);
    return {
      ...packet,
      id: packet.id ?? undefined,
      attachments: packet.attachments ?? undefined,
      data,
    };
  });
}

/**
 * Returns the refusal that the codec documents for a header that socket.io-parser coerces, or
 * undefined.
 */
function headerDeviation(text, upstream) {
  if (/^\s/.test(text)) return "unknown packet type NaN";
  let rest = text.slice(1);
  if (/^[56]/.test(text)) {
    const count = /^([^-]*)-/.exec(rest)?.[1];
    if (count === undefined) return undefined;
    // biome-ignore lint/suspicious/noDoubleEquals: the coercion in question
    if (!/^\d*$/.test(count) && count == Number(count)) return "Illegal attachments";
    if (/^\d{309,}$/.test(count)) return "too many attachments";
    rest = rest.slice(count.length + 1);
  }
  if (/^(unknown packet type|Illegal attachments|too many)/.test(upstream.error)) return undefined;
  const [, id, space] = /^(?:\/[^,]*,?)?(\d*)(\s?)/.exec(rest);
  if (id !== "" && BigInt(id) > MAX_ACK_ID) return "invalid ack id";
  return space === "" ? undefined : "invalid payload";
}

/** Returns whether a payload has a placeholder that only the codec reads, or refuses. */
function hasDeviantPlaceholder(text, { data, attachments }) {
  if (attachments === undefined) return false;
  const count = (json) => json.split('"_placeholder"').length;
  return (
    /"num"\s*:\s*(-0|\d+[.eE])/.test(text) ||
    count(text) > count(JSON.stringify(data)) ||
    hasBadPlaceholder(data, attachments)
  );
}

function hasBadPlaceholder(data, attachments) {
  if (typeof data !== "object" || data === null) return false;
  const isBad = data._placeholder === true && !(data.num >= 0 && data.num < attachments);
  return isBad || Object.values(data).some((value) => hasBadPlaceholder(value, attachments));
}

test(`the Rust codec agrees with socket.io-parser (SEED=${SEED})`, (t) => {
  const texts = Array.from({ length: COUNT }, packetText);
  const decoded = decodeInRust(texts);
  const seen = { packets: 0, errors: 0, deviations: 0 };
  texts.forEach((text, index) => {
    const actual = decoded[index];
    const upstream = decodeUpstream(text);
    const refusal = headerDeviation(text, upstream);
    if (refusal !== undefined && upstream.error !== refusal) {
      seen.deviations += 1;
      assert.deepEqual(actual, { error: refusal }, JSON.stringify(text));
    } else if (actual.error === "illegal attachments" && hasDeviantPlaceholder(text, upstream)) {
      seen.deviations += 1;
    } else {
      seen[upstream.error === undefined ? "packets" : "errors"] += 1;
      assert.deepEqual(actual, upstream, JSON.stringify(text));
    }
  });
  t.diagnostic(`SEED=${SEED} ${JSON.stringify(seen)}`);
  assert.ok(seen.packets > COUNT / 4 && seen.errors > COUNT / 10, "the generator is balanced");
  assert.ok(seen.deviations < COUNT / 10, "deviations are rare");
});
