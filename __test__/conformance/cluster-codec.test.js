"use strict";

/**
 * Compares the Rust codec for broadcasts through Redis with the official adapters, notepack.io and
 * socket.io-parser, over generated messages in both directions: text and attachments for the clients
 * must be the same, and so must the bytes for Redis. They may differ only where the documentation of
 * `src/proto/cluster` says so.
 *
 * SEED=<number> repeats a run, of one test or of all.
 */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { inspect, isDeepStrictEqual } = require("node:util");
const { encode } = require("notepack.io");
const { Decoder, Encoder } = require("socket.io-parser");
const { messagesFrom } = require("../support/redis/broadcast-messages.js");
const { NAMESPACES, ROOMS, broadcastsFrom } = require("../support/redis/broadcasts.js");
const { receive } = require("../support/redis/official-node.js");
const { OfficialShardedNode } = require("../support/redis/official-sharded-node.js");
const { askOracle } = require("../support/oracle.js");
const { SEED } = require("../support/random.js");

const COUNT = 50_000;
const SHARDED_COUNT = 10_000;
const BATCH = 10_000;
/** The namespace of the node that receives. */
const NAME = "/ž";
const LONE_SURROGATE = "a\ud800";

/** Runs `compare` for `count` cases, in batches. */
function inBatches(count, make, toLine, compare) {
  for (let done = 0; done < count; done += BATCH) {
    const cases = Array.from({ length: Math.min(count, BATCH) }, () => make());
    const answers = askOracle("convert_broadcasts", cases.map(toLine));
    cases.forEach((it, index) => {
      compare(it, answers[index]);
    });
  }
}

// Decoding

/** Returns whether clients refuse the packet that an official node would send. */
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

/** By error of the codec, whether a message that an official node accepts deserves it. */
const SHARDED_REFUSALS = {
  "unsupported key of a map": ({ isIntact }) => !isIntact,
  "invalid packet type": ({ packet }) => ![2, 3].includes(packet.type),
  "invalid payload": ({ packet, sent }) => !Array.isArray(packet.data) || isRefusedByClients(sent),
};
const REFUSALS = {
  ...SHARDED_REFUSALS,
  "invalid envelope": ({ decoded }) => !(Array.isArray(decoded) && decoded.length >= 3),
  "invalid namespace": ({ packet }) => !/^\/[^,]*$/.test(packet.nsp),
  "invalid ack id": ({ packet }) => !(Number.isSafeInteger(packet.id) && packet.id >= 0),
};

/** Returns whether a broken message that the codec accepts is one that official nodes treat differently. */
function isDeviation({ message, isIntact }, { sent }) {
  return !isIntact && (message.includes("__proto__") || /^[56]0-/.test(sent?.text));
}

test(`a message is sent to clients as by an official node (SEED=${SEED})`, (t) => {
  const seen = { same: 0, refusedByBoth: 0, refusedHere: 0, deviations: 0 };
  const compare = ({ message, isIntact }, ours) => {
    const official = receive(message);
    const context = () => `${message.toString("hex")} ${JSON.stringify(ours)}`;
    if (ours.error === undefined) {
      const isSame = isDeepStrictEqual(comparable(ours), official.sent);
      seen[isSame ? "same" : "deviations"] += 1;
      if (isSame || isDeviation({ message, isIntact }, official)) return;
      assert.deepEqual(ours, official.sent, context());
    } else if (official.error === undefined) {
      seen.refusedHere += 1;
      assert.ok(REFUSALS[ours.error]?.({ ...official, isIntact }), context());
    } else {
      seen.refusedByBoth += 1;
      // The options are null or a plain value, or no list of rooms.
      const isOptionsError = /iterable|propert/.test(official.error.message);
      assert.ok(!isIntact || isOptionsError, context());
    }
  };
  const { anyMessage } = messagesFrom(SEED, NAME);
  inBatches(COUNT, anyMessage, ({ message }) => message.toString("hex"), compare);
  t.diagnostic(`SEED=${SEED} ${JSON.stringify(seen)}`);
  assert.ok(seen.same > COUNT / 2 && seen.refusedByBoth > COUNT / 100, "the generator is balanced");
  assert.ok(seen.refusedHere < COUNT / 10 && seen.deviations < COUNT / 100, "deviations are rare");
});

const isText = (any) => typeof any === "string" && !/\p{Surrogate}/u.test(any);
const isLone = (any) => typeof any === "string" && !isText(any);
const hasLoneRoom = ({ rooms, except }) => [rooms, except].flat().some(isLone);

/** Prints the payload of a text again, as `JSON.stringify` does. */
function printedAgain(text) {
  const at = text.indexOf("[");
  return at < 0 ? text : text.slice(0, at) + JSON.stringify(JSON.parse(text.slice(at)));
}

/** Returns a broadcast in a form that can be compared. */
function comparable({ text, rooms, except, ...rest }, isForeign = false) {
  const asSets = { rooms: [...new Set(rooms)], except: [...new Set(except)] };
  return { ...rest, ...asSets, text: isForeign ? printedAgain(text) : text };
}

/**
 * @param {{ message: Buffer, isIntact: boolean, isForeign?: boolean }} message `isForeign` if its
 *   JSON may differ from the output of `JSON.stringify`
 * @returns {string} one of `SHARDED_OUTCOMES`, or the kind of failure
 */
function shardedOutcome(
  { message, isIntact, isForeign },
  { error, isOther, nsp, ...ours },
  official,
) {
  const { data } = official.decoded ?? {};
  if (isOther) return official.isOther || hasLoneRoom(data.opts) ? "other" : "left";
  if (error !== undefined) {
    if (official.error !== undefined) return "refusedByBoth";
    if (official.isOther) return isIntact ? "not left" : "refusedHere";
    if (official.sent === undefined) return "ignored";
    return SHARDED_REFUSALS[error]?.({ ...official, ...data, isIntact })
      ? "refusedHere"
      : "refused";
  }
  if (official.isOther || official.error !== undefined) return "not refused";
  if (official.sent === undefined) return nsp === NAME ? "not ignored" : "ignored";
  const { uid } = official.decoded;
  const expected = { ...official.sent, uid: isText(uid) ? uid : null };
  const isSame = isDeepStrictEqual(comparable(ours, isForeign), expected);
  if (isSame) return "same";
  return isDeviation({ message, isIntact }, official) ? "deviation" : "different";
}

const SHARDED_OUTCOMES = ["same", "other", "ignored", "refusedByBoth", "refusedHere", "deviation"];

/** Compares how the codec and an official node decode generated messages. */
function compareSharded(t, make) {
  const node = new OfficialShardedNode(NAME);
  const seen = Object.fromEntries(SHARDED_OUTCOMES.map((outcome) => [outcome, 0]));
  const compare = (made, ours) => {
    const official = node.receive(made.message);
    const outcome = shardedOutcome(made, ours, official);
    seen[outcome] += 1;
    if (SHARDED_OUTCOMES.includes(outcome)) return;
    const { message } = made;
    const shown = [message.toString("hex"), message.toString(), ours, official];
    assert.fail(`${outcome}: ${inspect(shown, { depth: null })}`);
  };
  inBatches(SHARDED_COUNT, make, ({ message }) => `sharded ${message.toString("hex")}`, compare);
  t.diagnostic(`SEED=${SEED} ${JSON.stringify(seen)}`);
  assert.ok(seen.same > SHARDED_COUNT / 2, "the generator is balanced");
  return seen;
}

test(`a message of the sharded protocol is sent to clients as by an official node (SEED=${SEED})`, (t) => {
  const { anyShardedMessage } = messagesFrom(SEED, NAME);
  const seen = compareSharded(t, anyShardedMessage);
  assert.ok(
    seen.refusedByBoth > SHARDED_COUNT / 100 && seen.other > SHARDED_COUNT / 100,
    "there are others",
  );
  assert.ok(
    seen.refusedHere < SHARDED_COUNT / 10 && seen.deviation < SHARDED_COUNT / 100,
    "deviations are rare",
  );
});

test(`JSON of other encoders is decoded as by an official node (SEED=${SEED})`, (t) => {
  const { anyShardedJson } = messagesFrom(SEED, NAME);
  const make = () => ({ ...anyShardedJson(), isForeign: true });
  const seen = compareSharded(t, make);
  assert.ok(
    seen.refusedByBoth > SHARDED_COUNT / 100 && seen.other > SHARDED_COUNT / 100,
    "there are others",
  );
  assert.ok(seen.refusedHere < SHARDED_COUNT / 10 && seen.deviation === 0, "deviations are rare");
});

test(`a message of an official node is sent to clients as by an official node (SEED=${SEED})`, (t) => {
  const { anyBroadcast } = broadcastsFrom(SEED);
  const publisher = new OfficialShardedNode(NAME);
  const make = () => {
    const { packet, opts } = anyBroadcast([...ROOMS, LONE_SURROGATE]);
    return { message: publisher.publish(withoutNamespace(packet), opts), isIntact: true };
  };
  const seen = compareSharded(t, make);
  assert.equal(seen.same + seen.other, SHARDED_COUNT);
});

// Encoding

const encoder = new Encoder();

/** Returns a packet as clients get it. */
function textAndAttachments(packet) {
  const [text, ...attachments] = encoder.encode(packet);
  return { text, attachments: attachments.map((it) => Buffer.from(it).toString("hex")) };
}

/** Returns a line for `convert_broadcasts` to encode; with a namespace, by the sharded protocol. */
function lineOf(uid, nsp, packet, opts) {
  const options = JSON.stringify(opts);
  return JSON.stringify({ uid, nsp, ...textAndAttachments(packet), options });
}

const isJson = (message) => message[0] === 0x7b;

/** Returns a packet as socket.io gives it to the adapter. */
function withoutNamespace({ nsp: _, ...packet }) {
  return packet;
}

test(`a published message has the bytes that notepack.io writes (SEED=${SEED})`, (t) => {
  const { anyBroadcast } = broadcastsFrom(SEED);
  const seen = { same: 0, lossy: 0 };
  const toLine = ({ packet, opts }) => lineOf("abcdef", undefined, packet, opts);
  inBatches(COUNT, anyBroadcast, toLine, ({ isLossy, packet, opts }, { message, error }) => {
    assert.equal(error, undefined);
    const official = encode(["abcdef", packet, opts]);
    const isSame = official.toString("hex") === message;
    seen[isSame ? "same" : "lossy"] += 1;
    if (isSame) return;
    assert.ok(isLossy, `${official.toString("hex")} ${message}`);
    assert.deepEqual(receive(Buffer.from(message, "hex")).sent, receive(official).sent);
  });
  t.diagnostic(`SEED=${SEED} ${JSON.stringify(seen)}`);
  assert.ok(seen.lossy > COUNT / 100, "the generator is balanced");
});

test(`a published message of the sharded protocol has the bytes of an official node (SEED=${SEED})`, (t) => {
  const { anyBroadcast } = broadcastsFrom(SEED);
  const seen = { json: 0, messagePack: 0, lossy: 0, hidden: 0 };
  const nodes = new Map(NAMESPACES.map((name) => [name, new OfficialShardedNode(name)]));
  const receivers = new Map(NAMESPACES.map((name) => [name, new OfficialShardedNode(name)]));
  const make = () => {
    const { opts, ...broadcast } = anyBroadcast([...ROOMS, LONE_SURROGATE]);
    const [rooms, except] = [new Set(opts.rooms), new Set(opts.except)];
    return { ...broadcast, opts: { rooms: [...rooms], except: [...except], flags: opts.flags } };
  };
  const toLine = ({ packet, opts }) => lineOf(nodes.get(packet.nsp).uid, packet.nsp, packet, opts);
  const compare = ({ isLossy, packet, opts }, { message, error }) => {
    assert.equal(error, undefined);
    const ours = Buffer.from(message, "hex");
    const official = nodes.get(packet.nsp).publish(withoutNamespace(packet), opts);
    if (official.equals(ours)) {
      seen[isJson(ours) ? "json" : "messagePack"] += 1;
      return;
    }
    assert.ok(isLossy && !isJson(official), `${official.toString("hex")} ${message}`);
    seen[isJson(ours) ? "hidden" : "lossy"] += 1;
    const receiver = receivers.get(packet.nsp);
    const [received, expected] = [receiver.receive(ours), receiver.receive(official)];
    assert.equal(received.isOther, expected.isOther);
    // JSON preserves what notepack.io changes.
    const { rooms, except } = opts;
    const unchanged = isJson(ours) && { ...textAndAttachments(packet), rooms, except };
    assert.deepEqual(received.sent, expected.sent && { ...expected.sent, ...unchanged });
  };
  inBatches(SHARDED_COUNT, make, toLine, compare);
  t.diagnostic(`SEED=${SEED} ${JSON.stringify(seen)}`);
  assert.ok(
    seen.json > SHARDED_COUNT / 10 && seen.messagePack > SHARDED_COUNT / 10,
    "the generator is balanced",
  );
  assert.ok(seen.lossy + seen.hidden > SHARDED_COUNT / 1000, "deviations are there");
});
