"use strict";

/**
 * Our WebSocket server against ws, over generated wires: sequences of frames, valid and mutated, cut
 * anywhere. Same messages, pings and pongs in the same order, same error, same close code and reason,
 * same bytes back. Each does what its model says, in which the few differences are.
 *
 * SEED=<number> repeats a run.
 */

const assert = require("node:assert/strict");
const { before, after, describe, test } = require("node:test");
const { inspect, isDeepStrictEqual } = require("node:util");
const turbo = require("../../index.js");
const { hasEngine } = require("../../lib/addon/index.js");
const { SEED, randomFrom } = require("../support/random.js");
const {
  BINARY,
  CLOSE,
  OPCODES,
  PING,
  PONG,
  TEXT,
  close,
  fragments,
  frame,
} = require("../support/websocket/frames.js");
const { modelOf } = require("../support/websocket/model.js");
const { RecordingServer, SERVERS } = require("../support/websocket/servers.js");

const WIRES = 500;
/** How many wires are played at a time. */
const CONCURRENCY = 8;

const LIMITS = [
  { maxPayload: 100 * 1024 * 1024, maxFragments: 16 * 1024 },
  { maxPayload: 300, maxFragments: 3 },
];

const { below, pick, chance, times } = randomFrom(SEED);

// --- Payloads

const CHARACTERS = [
  "a",
  "\0",
  "\u007f",
  "\u0080",
  "é",
  "\u0800",
  "你",
  "\uffff",
  "😀",
  "\u{10ffff}",
];
const NO_UTF8 = ["80", "ff", "c0af", "eda080", "f4908080", "f888", "e080", "c3", "f09f98"];
/** Lengths at which the header changes, or a limit is exceeded. */
const LENGTHS = [0, 1, 2, 100, 124, 125, 126, 127, 299, 300, 301, 1000];
const LONG_LENGTHS = [65_535, 65_536, 70_000];

const characters = () => Buffer.from(times(40, () => pick(CHARACTERS)).join(""));

/** Returns ASCII of one of these lengths. */
function bytesOfLength() {
  const length = chance(0.03) ? pick(LONG_LENGTHS) : pick(LENGTHS);
  return Buffer.alloc(length, String.fromCharCode(97 + below(26)));
}

/** Returns a text with bytes that are not UTF-8. */
function noText() {
  const bad = Buffer.from(pick(NO_UTF8), "hex");
  return Buffer.concat([characters(), bad, chance(0.5) ? characters() : Buffer.alloc(0)]);
}

const payload = () => (chance(0.5) ? characters() : bytesOfLength());
const controlPayload = () => payload().subarray(0, below(126));
const key = () => Buffer.from([below(256), below(256), below(256), chance(0.1) ? 0 : below(256)]);

// --- Valid frames

/** Cuts a payload into a few pieces, also within characters; some are empty. */
function cut(bytes, count) {
  const cuts = Array.from({ length: count - 1 }, () => below(bytes.length + 1));
  const ends = [...cuts.sort((a, b) => a - b), bytes.length];
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
}

const control = () =>
  frame({ opcode: chance(0.7) ? PING : PONG, payload: controlPayload(), key: key() });

/** Returns the frames of a message, with control frames in between. */
function message() {
  const opcode = chance(0.6) ? TEXT : BINARY;
  const body = chance(0.1) ? noText() : payload();
  const frames = fragments(opcode, cut(body, chance(0.5) ? 1 : 1 + below(5)));
  return frames.flatMap((fragment, i) =>
    i > 0 && chance(0.3) ? [control(), fragment] : [fragment],
  );
}

const CLOSE_CODES = [1000, 1001, 1004, 1005, 1006, 1011, 1014, 1015, 2999, 3000, 4999, 5000, 999];

function closing() {
  if (chance(0.2)) return close();
  const reason = chance(0.15) ? noText().subarray(0, 123) : characters().subarray(0, below(124));
  return close(chance(0.6) ? 1000 : pick(CLOSE_CODES), reason);
}

// --- Invalid frames

const OTHER_OPCODES = [3, 4, 7, 11, 12, 15, ...Object.values(OPCODES)];

/** Returns a frame that breaks a rule, or several. */
const brokenFrame = () =>
  pick([
    () =>
      frame({
        opcode: pick([TEXT, BINARY, PING, CLOSE]),
        payload: "",
        rsv: pick([16, 32, 64, 112]),
      }),
    () => frame({ opcode: pick(OTHER_OPCODES), payload: payload(), fin: chance(0.5) }),
    () => frame({ opcode: pick([TEXT, PING]), payload: characters(), key: null }),
    () => frame({ opcode: pick([PING, PONG, CLOSE]), payload: Buffer.alloc(126 + below(3)) }),
    () => frame({ opcode: pick([PING, PONG, CLOSE]), payload: "ab", lengthBytes: pick([2, 8]) }),
    () => frame({ opcode: CLOSE, payload: "x" }),
    () => frame({ opcode: pick([TEXT, BINARY]), payload: "ab", lengthBytes: pick([2, 8]) }),
    () =>
      frame({ opcode: BINARY, payload: "", length: 2n ** BigInt(20 + below(44)), lengthBytes: 8 }),
    () => frame({ opcode: TEXT, payload: noText(), fin: chance(0.5) }),
  ])();

/** Inverts a bit near the start of a frame, where the header is. */
function mutated(bytes) {
  const copy = Buffer.from(bytes);
  copy[below(Math.min(copy.length, 16))] ^= 1 << below(8);
  return copy;
}

// --- Wires

/** Returns the bytes that a client sends until its FIN. */
function session() {
  const frames = Array.from({ length: 1 + below(8) }, () => (chance(0.3) ? control() : message()));
  const list = frames.flat();
  if (chance(0.25)) list.splice(below(list.length + 1), 0, brokenFrame());
  if (chance(0.15)) {
    const at = below(list.length);
    list[at] = mutated(list[at]);
  }
  if (chance(0.1)) list.splice(below(list.length), 1);
  if (chance(0.7)) list.push(closing());
  if (chance(0.2)) list.push(...message());
  return Buffer.concat(list);
}

/** Cuts anywhere: not at all, in a few places, or in very small pieces. */
function piecesAnywhere(bytes) {
  if (chance(0.2)) return [bytes];
  const most = chance(0.2) ? 4 : Math.max(2, bytes.length);
  const pieces = [];
  for (let at = 0; at < bytes.length && pieces.length < 200; ) {
    const end = pieces.length === 199 ? bytes.length : at + 1 + below(most);
    pieces.push(bytes.subarray(at, end));
    at = end;
  }
  return pieces;
}

/** Returns a wire with its cuts. Some end within a frame. */
function makeWire() {
  const whole = session();
  const bytes = chance(0.15) ? whole.subarray(0, below(whole.length + 1)) : whole;
  return { bytes, pieces: piecesAnywhere(bytes), limits: below(LIMITS.length) };
}

// --- Comparisons

/** Sends the pieces, then FIN; returns the application's events and errors, and the bytes back. */
async function play(server, pieces) {
  const { client, application } = await server.connect();
  await client.write(pieces);
  client.finish();
  const wire = await client.wire();
  const events = await application.closed();
  client.destroy();
  const errors = application.errors.map(({ name, message, code }) => ({ name, message, code }));
  return { events, wire, errors };
}

/** Asserts equality; the error names the wire, and how to repeat it. */
function assertSame(actual, expected, what, { bytes, pieces, limits }) {
  if (isDeepStrictEqual(actual, expected)) return;
  const wire = bytes.length < 2000 ? bytes.toString("hex") : `${bytes.length} bytes`;
  const cuts = pieces.map((piece) => piece.length).join(",");
  assert.fail(
    `${what}; SEED=${SEED}, limits ${inspect(LIMITS[limits])}\nwire ${wire}\ncut ${cuts}\n` +
      `actual ${inspect(actual, { depth: 4 })}\nexpected ${inspect(expected, { depth: 4 })}`,
  );
}

/** Calls a function for each item, a few at a time. */
async function forEachOf(items, run) {
  const waiting = [...items];
  const runner = async () => {
    for (let item = waiting.pop(); item !== undefined; item = waiting.pop()) await run(item);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, runner));
}

describe(`generated wires, SEED=${SEED}`, () => {
  /** By kind, a server for each of `LIMITS`. */
  const servers = new Map();
  const wires = Array.from({ length: WIRES }, makeWire);
  /** The outcome of each wire, by kind. */
  const outcomes = new Map();

  before(async () => {
    for (const kind of SERVERS) {
      const started = LIMITS.map((limits) => new RecordingServer(kind, limits));
      for (const server of started) await server.listening();
      servers.set(kind, started);
    }
  });
  after(() => Promise.all([...servers.values()].flat().map((server) => server.stop())));

  const serverOf = (kind, { limits }) => servers.get(kind)[limits];
  const expected = (kind, { bytes, limits }) => modelOf(bytes, kind, LIMITS[limits]);

  for (const kind of SERVERS) {
    test(`${kind.name} does what its model says`, () =>
      forEachOf(wires, async (wire) => {
        const played = await play(serverOf(kind, wire), wire.pieces);
        outcomes.set(wire, { ...outcomes.get(wire), [kind.name]: played });
        const { events, wire: frames } = played;
        assertSame(
          { events, wire: frames },
          expected(kind, wire),
          `${kind.name} and its model`,
          wire,
        );
      }));
  }

  test("our connections are native", { skip: !hasEngine }, () => {
    assert.ok(turbo.stats().connections.opened >= WIRES);
  });

  test("both have the same outcomes, including the texts of errors", () => {
    const [official, ours] = SERVERS;
    const same = wires.filter((wire) =>
      isDeepStrictEqual(expected(official, wire), expected(ours, wire)),
    );
    assert.ok(same.length > WIRES / 2);
    for (const wire of same) {
      const { [ours.name]: played, [official.name]: oracle } = outcomes.get(wire) ?? {};
      assertSame(played, oracle, "our server and ws", wire);
    }
  });

  test("the wires cover refusals of all kinds", () => {
    const counts = new Map();
    for (const wire of wires) {
      const { events } = expected(SERVERS[0], wire);
      const outcome = String(events.find(([name]) => name === "error")?.[1] ?? events.at(-1)[1]);
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    }
    assert.ok(counts.size >= 12, inspect(counts));
  });
});
