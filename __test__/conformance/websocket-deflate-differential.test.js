"use strict";

/**
 * Our WebSocket server against ws, over generated wires with compressed messages: plain ones beside them,
 * fragments, control frames in between, data that is invalid, and cuts anywhere. Same events, same errors,
 * same frames back.
 *
 * SEED=<number> repeats a run.
 */

const assert = require("node:assert/strict");
const { after, before, describe, test } = require("node:test");
const { inspect, isDeepStrictEqual } = require("node:util");
const zlib = require("node:zlib");
const turbo = require("../../index.js");
const { hasEngine } = require("../../lib/addon/index.js");
const { SEED, randomFrom } = require("../support/random.js");
const { WITHOUT_CONTEXT, deflated, offering } = require("../support/websocket/deflate.js");
const {
  BINARY,
  PING,
  PONG,
  RSV1,
  TEXT,
  close,
  fragments,
  frame,
} = require("../support/websocket/frames.js");
const { RecordingServer, SERVERS } = require("../support/websocket/servers.js");

const WIRES = 600;
/** How many wires are played at a time. */
const CONCURRENCY = 8;

const OPTIONS = [{}, { maxPayload: 2000, maxFragments: 6 }];

const { below, pick, chance, times } = randomFrom(SEED);

// --- Payloads

const WORDS = ["you", "žluťoučký", "kůň", "你好", "😀", '{"id":', "1234567890", " ", "\n", "aaaa"];

const words = () => Buffer.from(times(60, () => pick(WORDS)).join(""));
const noise = () => Buffer.from(times(300, () => below(256)));
const repeated = () => Buffer.alloc(below(chance(0.1) ? 300_000 : 3000), pick(WORDS));

const { Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE } = zlib.constants;

/** Returns options of zlib, for blocks of all types. */
const compression = () => ({
  level: pick([0, 1, 6, 9]),
  strategy: pick([0, 0, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE]),
  windowBits: pick([9, 15]),
});

/** Returns a payload with flushes of all kinds in it. */
function compress(payload) {
  if (chance(0.1)) return zlib.deflateRawSync(payload, compression());
  if (chance(0.8)) return deflated(payload, compression());
  const at = below(payload.length + 1);
  const start = { ...compression(), finishFlush: zlib.constants.Z_FULL_FLUSH };
  return Buffer.concat([
    zlib.deflateRawSync(payload.subarray(0, at), start),
    deflated(payload.subarray(at), compression()),
  ]);
}

/** Returns compressed bytes that may be invalid, or too few, or too many. */
function damaged(bytes) {
  const copy = Buffer.from(bytes);
  return pick([
    () => {
      copy[below(copy.length)] ^= 1 << below(8);
      return copy;
    },
    () => copy.subarray(0, below(copy.length)),
    () => Buffer.concat([copy, noise()]),
    noise,
  ])();
}

// --- Wires

/** Cuts a payload into a few pieces; some are empty. */
function cut(bytes, count) {
  const cuts = Array.from({ length: count - 1 }, () => below(bytes.length + 1));
  const ends = [...cuts.sort((a, b) => a - b), bytes.length];
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
}

const control = () =>
  frame({ opcode: chance(0.7) ? PING : PONG, payload: words().subarray(0, 2 * below(20)) });

/** Returns the frames of a message, with control frames in between. */
function message() {
  const isText = chance(0.5);
  const payload = isText ? words() : pick([words, noise, repeated])();
  const isCompressed = chance(0.8);
  // A damaged message need not be UTF-8, which ours refuses early where it is plain.
  const compressed = isCompressed ? compress(payload) : payload;
  const bytes = isCompressed && chance(0.15) ? damaged(compressed) : compressed;
  const pieces = cut(bytes, chance(0.5) ? 1 : 1 + below(6));
  const frames = fragments(isText ? TEXT : BINARY, pieces, isCompressed ? RSV1 : 0);
  return frames.flatMap((each, i) => (i > 0 && chance(0.3) ? [control(), each] : [each]));
}

/** Sets RSV1 of a frame that may not have it. */
function withRsv1(bytes) {
  const copy = Buffer.from(bytes);
  copy[0] |= RSV1;
  return copy;
}

/** Returns the bytes of a client. */
function session() {
  const frames = Array.from({ length: 1 + below(6) }, () => (chance(0.2) ? control() : message()));
  const list = [...frames.flat(), close(1000, "the end")];
  const at = below(list.length);
  if (chance(0.9) || !isControlOrContinuation(list[at])) return Buffer.concat(list);
  // The last: ws may go on decoding behind it, if it still had to decompress.
  return Buffer.concat([...list.slice(0, at), withRsv1(list[at])]);
}

const isControlOrContinuation = ([first]) => (first & 0x0f) === 0 || (first & 0x08) !== 0;

/** Cuts anywhere: not at all, in a few places, or in very small pieces. */
function piecesAnywhere(bytes) {
  if (chance(0.3)) return [bytes];
  return cut(bytes, 1 + below(chance(0.3) ? 100 : 10)).filter((piece) => piece.length > 0);
}

function makeWire() {
  const bytes = session();
  return { bytes, pieces: piecesAnywhere(bytes), options: below(OPTIONS.length) };
}

// --- Comparisons

/** Returns the application's events and errors, and the bytes back. */
async function play(server, { pieces }) {
  const { client, application } = await server.connect(offering(["client_max_window_bits"]));
  await client.write(pieces);
  // A FIN before that overtakes what ws decompresses.
  const wire = await client.wire();
  client.finish();
  const events = await application.closed();
  client.destroy();
  const errors = application.errors.map(({ name, message, code, errno }) => {
    return { name, what: reported(message), code, errno };
  });
  return { events, wire, errors };
}

/** Messages of zlib that zlib-rs cannot tell from the last where it inflates fast. */
const LOST = ["invalid distance code", "invalid literal/length code"];
const REPORTED = "invalid distance too far back";

function reported(message) {
  return LOST.includes(message) ? REPORTED : message;
}

/** Calls a function for each item, a few at a time. */
async function forEachOf(items, run) {
  const waiting = [...items];
  const runner = async () => {
    for (let item = waiting.pop(); item !== undefined; item = waiting.pop()) await run(item);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, runner));
}

describe(`generated wires with compressed messages, SEED=${SEED}`, () => {
  /** By kind, a server for each of `OPTIONS`. */
  const servers = new Map();
  const wires = Array.from({ length: WIRES }, makeWire);
  const outcomes = [];

  before(async () => {
    for (const kind of SERVERS) {
      const started = OPTIONS.map(
        (options) => new RecordingServer(kind, { ...options, perMessageDeflate: WITHOUT_CONTEXT }),
      );
      await Promise.all(started.map((server) => server.listening()));
      servers.set(kind, started);
    }
  });
  after(() => Promise.all([...servers.values()].flat().map((server) => server.stop())));

  test("our server does what ws does", () =>
    forEachOf(wires, async (wire) => {
      const [official, ours] = await Promise.all(
        SERVERS.map((kind) => play(servers.get(kind)[wire.options], wire)),
      );
      outcomes.push(official);
      if (isDeepStrictEqual(ours, official)) return;
      const bytes = wire.bytes.length < 2000 ? wire.bytes.toString("hex") : wire.bytes.length;
      const cuts = wire.pieces.map((piece) => piece.length).join(",");
      assert.fail(
        `SEED=${SEED}, options ${inspect(OPTIONS[wire.options])}\nwire ${bytes}\ncut ${cuts}\n` +
          `ours ${inspect(ours, { depth: 4 })}\nws ${inspect(official, { depth: 4 })}`,
      );
    }));

  test("the wires cover refusals of all kinds, and many messages", () => {
    const errors = new Set(outcomes.flatMap(({ errors: each }) => each.map(({ what }) => what)));
    assert.ok(errors.size >= 6, inspect(errors));
    const clean = outcomes.filter((outcome) => outcome.errors.length === 0);
    assert.ok(clean.length > WIRES / 3, `${clean.length} wires without an error`);
  });

  test("our connections are native", { skip: !hasEngine }, () => {
    const { opened, fallback } = turbo.stats().connections;
    assert.deepEqual(fallback, {});
    assert.ok(opened >= WIRES);
  });
});
