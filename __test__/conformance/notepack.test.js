"use strict";

/**
 * The Rust codec for broadcasts through Redis against notepack.io and socket.io-parser, over
 * generated messages in both directions: the same text and attachments for the clients, and the
 * same bytes for Redis. They may differ only where the documentation of `src/proto/notepack`
 * says so.
 *
 * SEED=<number> repeats a run.
 */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { isDeepStrictEqual } = require("node:util");
const { encode } = require("notepack.io");
const { Decoder, Encoder } = require("socket.io-parser");
const { TEXTS, messagePackFrom } = require("../support/message-pack.js");
const { receive } = require("../support/official-node.js");
const { askOracle } = require("../support/oracle.js");
const { SEED, randomFrom } = require("../support/random.js");

/** `npm test` runs this file under several Node.js versions; the first does most. */
const IS_FIRST = (process.env.npm_node_execpath ?? process.execPath) === process.execPath;
const COUNT = IS_FIRST ? 50_000 : 10_000;
const BATCH = 10_000;
/** notepack.io allocates what an ArrayBuffer announces, whether it is there or not. */
const MAX_ANNOUNCED = 2 ** 16;

const { random, below, pick, chance, times } = randomFrom(SEED);
const { string, array, map, number, value, harmless, mutate } = messagePackFrom(SEED);

const NAMESPACES = ["/", "/admin", "/a-b?c=1", "/ž"];
const ROOMS = ["", "room", "r#1", "ž", "42", 42, -1, 1.5];

/** Runs `compare` for `COUNT` cases, a batch at a time. */
function inBatches(make, toLine, compare) {
  for (let done = 0; done < COUNT; done += BATCH) {
    const cases = Array.from({ length: BATCH }, make);
    const answers = askOracle("convert_broadcasts", cases.map(toLine));
    cases.forEach((it, index) => {
      compare(it, answers[index]);
    });
  }
}

// Decoding

const shuffled = (list) => list.toSorted(() => random() - 0.5);
const some = (probability, make) => (chance(probability) ? [make()] : []);

function packetBytes() {
  const event = () =>
    array([string(chance(0.95) ? "e" : pick(TEXTS)), ...times(4, () => value(4))]);
  return map(
    shuffled([
      [string("type"), Buffer.from([chance(0.98) ? 2 : below(8)])],
      ...some(0.98, () => [string("data"), chance(0.98) ? event() : value(3)]),
      ...some(0.9, () => [string("nsp"), string(pick(NAMESPACES))]),
      ...some(0.1, () => [string("id"), chance(0.9) ? Buffer.from([below(128)]) : number()]),
      ...some(0.1, () => [string("x"), harmless()]),
    ]),
  );
}

function optionsBytes() {
  const rooms = () => array(times(4, () => (chance(0.9) ? string(pick(TEXTS)) : value(1))));
  const bit = () => Buffer.from([pick([0xc0, 0xc2, 0xc3, 0x00, 0x01, 0xa0])]);
  const flags = () =>
    map(shuffled([...some(0.5, () => [string("volatile"), bit()]), [string("compress"), bit()]]));
  return map(
    shuffled([
      ...some(0.95, () => [string("rooms"), rooms()]),
      ...some(0.9, () => [string("except"), rooms()]),
      ...some(0.8, () => [string("flags"), chance(0.9) ? flags() : value(2)]),
      ...some(0.1, () => [string("x"), value(2)]),
    ]),
  );
}

function messageBytes() {
  const uid = chance(0.95) ? string("abcdef") : value(1);
  const extra = some(0.02, () => value(2));
  return array([uid, packetBytes(), optionsBytes(), ...extra]);
}

/** A message, and whether it is still as it was built. */
function anyMessage() {
  let message = messageBytes();
  const isIntact = chance(0.9);
  while (!isIntact && chance(0.7)) message = mutate(message);
  return announcesTooMuch(message) ? anyMessage() : { message, isIntact };
}

/** Whether notepack.io might allocate more than a test should. */
function announcesTooMuch(message) {
  return message.some(
    (byte, at) =>
      byte === 0xc9 && at + 5 <= message.length && message.readUInt32BE(at + 1) > MAX_ANNOUNCED,
  );
}

const isObject = (any) => Object.prototype.toString.call(any) === "[object Object]";
const isListOrMissing = (any) => Array.isArray(any) || any === undefined || any === null;

/** Whether socket.io-parser refuses what an official node would send. */
function isRefusedByClients({ text, attachments }) {
  const decoder = new Decoder({ maxAttachments: Infinity });
  try {
    decoder.add(text);
    for (const attachment of attachments) decoder.add(Buffer.from(attachment, "hex"));
    return false;
  } catch {
    return true;
  }
}

/** By the codec's error: whether a message that an official node takes deserves it. */
const REFUSALS = {
  "unsupported key of a map": ({ isIntact }) => !isIntact,
  "invalid envelope": ({ decoded }) => !(Array.isArray(decoded) && decoded.length >= 3),
  "invalid packet type": ({ packet }) => ![2, 3].includes(packet.type),
  "invalid namespace": ({ packet }) => !/^\/[^,]*$/.test(packet.nsp),
  "invalid ack id": ({ packet }) => !(Number.isSafeInteger(packet.id) && packet.id >= 0),
  "invalid payload": ({ packet, sent }) => !Array.isArray(packet.data) || isRefusedByClients(sent),
  "invalid options": ({ opts }) =>
    !(isObject(opts) && isListOrMissing(opts.rooms) && isListOrMissing(opts.except)),
};

/** Whether an official node differs where a message that the codec takes is no longer intact. */
function isDeviation({ message, isIntact }, { sent }) {
  return !isIntact && (message.includes("__proto__") || sent?.text.startsWith("50-"));
}

test(`what comes through Redis is sent as by an official node (SEED=${SEED})`, (t) => {
  const seen = { same: 0, refusedByBoth: 0, refusedHere: 0, deviations: 0 };
  const compare = ({ message, isIntact }, ours) => {
    const official = receive(message);
    const context = () => `${message.toString("hex")} ${JSON.stringify(ours)}`;
    if (ours.error === undefined) {
      const isSame = isDeepStrictEqual(ours, official.sent);
      seen[isSame ? "same" : "deviations"] += 1;
      if (isSame || isDeviation({ message, isIntact }, official)) return;
      assert.deepEqual(ours, official.sent, context());
    } else if (official.error === undefined) {
      seen.refusedHere += 1;
      assert.ok(REFUSALS[ours.error]?.({ ...official, isIntact }), context());
    } else {
      seen.refusedByBoth += 1;
      assert.ok(!isIntact, context());
    }
  };
  inBatches(anyMessage, ({ message }) => message.toString("hex"), compare);
  t.diagnostic(`SEED=${SEED} ${JSON.stringify(seen)}`);
  assert.ok(seen.same > COUNT / 2 && seen.refusedByBoth > COUNT / 100, "the generator is balanced");
  assert.ok(seen.refusedHere < COUNT / 10 && seen.deviations < COUNT / 100, "deviations are rare");
});

// Encoding

const SURROGATES = [
  "\ud800",
  "a\udc00b",
  "\ud83d😀",
  `${"x".repeat(32)}\ud800y`,
  "\udbff".repeat(3),
];
const KEYS = [...TEXTS.filter((text) => !["toJSON", "_placeholder"].includes(text)), "\ud800a"];
const LENGTHS = [0, 1, 31, 32, 33, 255, 256, 300];

function anyNumber() {
  const kind = below(5);
  if (kind === 0) return (random() - 0.5) * 10 ** (below(600) - 300);
  if (kind === 1) return Math.round((random() - 0.5) * 2 ** (1 + below(80)));
  if (kind === 2) return pick([0, -0, 2 ** 53, 2 ** 64, -(2 ** 63), 1e300, -1e300, 5e-324]);
  return pick([1, -1]) * (2 ** below(66) + below(3) - 1);
}

function anyBinary() {
  const bytes = Uint8Array.from({ length: pick(LENGTHS) }, () => below(256));
  return pick([Buffer.from(bytes), bytes, bytes.buffer, new Uint8Array(bytes.buffer, 0)]);
}

/** What the JSON of a packet does not hold as it was. */
const lossy = () =>
  pick([NaN, Infinity, -Infinity, new Date(Math.round((random() - 0.5) * 1.6e16))]);

/** @param {boolean} isLossy whether there may be dates and numbers that JSON does not have */
function anyScalar(isLossy) {
  const kind = below(10);
  if (kind < 3) return pick(TEXTS);
  if (kind < 6) return anyNumber();
  if (kind === 6) return pick([null, true, false, undefined]);
  if (kind === 7) return chance(0.5) ? pick(SURROGATES) : "ž".repeat(pick(LENGTHS));
  return isLossy && kind === 8 ? lossy() : anyBinary();
}

const withToJSON = (json) => ({ toJSON: () => json });

function anyValue(depth, isLossy) {
  if (depth === 0 || chance(0.5)) return anyScalar(isLossy);
  const inner = () => anyValue(depth - 1, isLossy);
  const limit = chance(0.02) ? 60 : 6;
  // Of objects with a toJSON() of their own and of undefined, notepack.io and JSON differ.
  const json = () => pick([anyNumber, anyBinary, () => pick(TEXTS), () => [inner()]])();
  if (chance(0.05)) return withToJSON(json());
  if (chance(0.5)) return times(limit, inner);
  return Object.fromEntries(times(limit, () => [pick(KEYS) + pick(["", "1", "x"]), inner()]));
}

function anyBroadcast() {
  const isLossy = chance(0.1);
  const packet = {
    type: 2,
    data: ["e", ...times(4, () => anyValue(4, isLossy))],
    nsp: pick(NAMESPACES),
  };
  if (chance(0.1)) packet.id = below(1e6);
  const flags = pick([
    {},
    { volatile: true },
    { compress: false, volatile: true },
    { timeout: 500 },
  ]);
  const opts = { rooms: times(4, () => pick(ROOMS)), except: times(3, () => pick(ROOMS)), flags };
  return { isLossy, uid: "abcdef", packet, opts };
}

const encoder = new Encoder();

/** A packet as its clients get it. */
function textAndAttachments(packet) {
  const [text, ...attachments] = encoder.encode(packet);
  return { text, attachments: attachments.map((it) => Buffer.from(it).toString("hex")) };
}

/** What `convert_broadcasts` encodes. */
function toLine({ uid, packet, opts }) {
  return JSON.stringify({ uid, ...textAndAttachments(packet), options: JSON.stringify(opts) });
}

test(`what goes through Redis is what notepack.io writes (SEED=${SEED})`, (t) => {
  const seen = { same: 0, lossy: 0 };
  inBatches(anyBroadcast, toLine, ({ isLossy, uid, packet, opts }, { message, error }) => {
    assert.equal(error, undefined);
    const official = encode([uid, packet, opts]);
    const isSame = official.toString("hex") === message;
    seen[isSame ? "same" : "lossy"] += 1;
    if (isSame) return;
    assert.ok(isLossy, `${official.toString("hex")} ${message}`);
    assert.deepEqual(receive(Buffer.from(message, "hex")).sent, receive(official).sent);
  });
  t.diagnostic(`SEED=${SEED} ${JSON.stringify(seen)}`);
  assert.ok(seen.lossy > COUNT / 100, "the generator is balanced");
});
