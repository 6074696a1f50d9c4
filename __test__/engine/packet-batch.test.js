"use strict";

/** The packets of a batch, as workers split them: their parts, and the messages they came from. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const official = require("socket.io-parser");
const { PacketBatch, isPacketKind } = require("../../lib/engine/packet-batch.js");
const { EventKind } = require("../../lib/addon/codes.js");
const { hasEngine } = require("../../lib/addon/index.js");
const { SEED, randomFrom } = require("../support/random.js");

const NEEDS_ENGINE = { skip: !hasEngine && "no engine" };

/** The parts that workers find: type, namespace, ack id, arguments. Socket.IO v5, "Packet encoding". */
const MESSAGE = /^4([23])(?:(\/[^,]+),)?(\d*)(\[.*\])$/s;

const ARGUMENTS = ["[]", '["a"]', "[1,[2]]", '["ž😀",{"__proto__":1}]', '["]","["]', '["a" , -0]'];
const MALFORMED = ["[,]", "['a']", '["\n"]', "[1}]"];

/** Returns a batch with the given messages, and calls `next()` for one after the other. */
function* batchOf(messages) {
  const batch = new PacketBatch();
  const split = messages.map((message) => MESSAGE.exec(message));
  batch.load(`[${split.map(([, , , , json]) => json).join(",")}]`);
  for (const [, type, namespace, id, json] of split) {
    batch.next(kindOf(type, namespace), id === "" ? 0 : Number(id) + 1, json.length, namespace);
    yield batch;
  }
  batch.clear();
}

function kindOf(type, namespace) {
  const name = type === "2" ? "Event" : "Ack";
  return EventKind[`${namespace === undefined ? "Packet" : "Namespace"}${name}`];
}

/** Returns what the official decoder gives for a message. */
function decode(message) {
  const { type, nsp, id, data } = new official.Decoder().decodeString(message.slice(1));
  return { type, nsp, id, data };
}

function partsOf({ type, nsp, id, data }) {
  return { type, nsp, id, data };
}

function generateMessage({ pick, below }) {
  const namespace = pick(["", "", "/room,", "/žlu?a=b,"]);
  const id = pick(["", "0", String(below(2 ** 32 - 1))]);
  return `4${pick(["2", "3"])}${namespace}${id}${pick(ARGUMENTS.slice(1))}`;
}

test("the kinds of packets", NEEDS_ENGINE, () => {
  const names = Object.keys(EventKind).filter((name) => isPacketKind(EventKind[name]));
  assert.deepEqual(names, ["PacketEvent", "PacketAck", "NamespaceEvent", "NamespaceAck"]);
});

test("generated packets have their parts and their text", NEEDS_ENGINE, () => {
  const random = randomFrom(SEED);
  for (let round = 0; round < 300; round++) {
    const messages = Array.from({ length: 1 + random.below(20) }, () => generateMessage(random));
    let position = 0;
    for (const batch of batchOf(messages)) {
      const message = messages[position++];
      // Reserved names are left to the receiver, and are not among them.
      assert.deepStrictEqual(partsOf(batch), decodeOf(message), message);
      assert.equal(batch.text, message);
    }
    assert.equal(position, messages.length);
  }
});

/** An event without a valid name is decoded as an acknowledgement is, which takes any array. */
function decodeOf(message) {
  const type = Number(message[1]);
  return { ...decode(message.replace(/^42/, "43")), type };
}

test("with malformed arguments in a batch, all packets have their text alone", NEEDS_ENGINE, () => {
  for (const malformed of MALFORMED) {
    const messages = ['42["a"]', `42/room,7${malformed}`, '437["b"]'];
    const seen = [];
    for (const batch of batchOf(messages)) seen.push([batch.text, batch.nsp, batch.id, batch.data]);
    assert.deepEqual(seen, [
      [messages[0], "/", undefined, undefined],
      [messages[1], "/room", 7, undefined],
      [messages[2], "/", 7, undefined],
    ]);
  }
});

test("the next batch does not see the malformed one", NEEDS_ENGINE, () => {
  const batch = new PacketBatch();
  for (const [json, data] of [
    ["[[1],[,]]", undefined],
    ["[[1],[2]]", [1]],
  ]) {
    batch.load(json);
    batch.next(EventKind.PacketEvent, 0, 3, undefined);
    assert.deepEqual(batch.data, data);
    assert.equal(batch.text, "42[1]");
    batch.clear();
    assert.equal(batch.data, undefined);
  }
});

test("a JSON.parse that is replaced gets the text, also within a batch", NEEDS_ENGINE, (t) => {
  const { parse } = JSON;
  t.after(() => {
    JSON.parse = parse;
  });
  const seen = [];
  const messages = ['42["a"]', '42["b"]', '42["c"]'];
  for (const batch of batchOf(messages)) {
    seen.push([batch.data, batch.text]);
    JSON.parse = batch.text === messages[0] ? () => assert.fail("called") : parse;
  }
  assert.deepEqual(seen, [
    [["a"], messages[0]],
    [undefined, messages[1]],
    [["c"], messages[2]],
  ]);
  JSON.parse = () => assert.fail("called");
  for (const batch of batchOf(messages)) assert.equal(batch.data, undefined);
});
