"use strict";

/**
 * Generates messages of broadcasts between nodes, in MessagePack or JSON, as all kinds of publishers
 * may write them, and some that are broken.
 */

const { NAMESPACES } = require("./broadcasts.js");
const { foreignJsonFrom } = require("./foreign-json.js");
const { TEXTS, messagePackFrom } = require("./message-pack.js");
const { randomFrom } = require("../random.js");

/** notepack.io allocates the announced length of an ArrayBuffer, whether the bytes are there or not. */
const MAX_ANNOUNCED = 2 ** 16;

/** Returns whether notepack.io might allocate too much. */
function announcesTooMuch(message) {
  return message.some(
    (byte, at) =>
      byte === 0xc9 && at + 5 <= message.length && message.readUInt32BE(at + 1) > MAX_ANNOUNCED,
  );
}

/**
 * @param {number} seed a 32-bit integer
 * @param {string} name of the namespace that most messages of the sharded protocol are for
 */
function messagesFrom(seed, name) {
  const { random, below, pick, chance, times } = randomFrom(seed);
  const { string, array, map, number, value, harmless, mutate } = messagePackFrom(seed);
  const json = foreignJsonFrom(seed);
  const shuffled = (list) => list.toSorted(() => random() - 0.5);
  const some = (probability, make) => (chance(probability) ? [make()] : []);
  const byte = (any) => Buffer.from([any]);

  /** Returns a value that is neither a map nor a list with items. */
  const plain = () => pick([array([]), string(pick(TEXTS)), byte(pick([0xc0, 0xc2, 0xc3, 5]))]);

  function type() {
    if (chance(0.95)) return byte(2);
    return chance(0.5) ? string(String(below(8))) : byte(below(8));
  }

  /** @param {() => Buffer} nsp makes its namespace */
  function packet(nsp) {
    const event = () =>
      array([string(chance(0.95) ? "e" : pick(TEXTS)), ...times(4, () => value(4))]);
    return map(
      shuffled([
        [string("type"), type()],
        ...some(0.98, () => [string("data"), chance(0.98) ? event() : value(3)]),
        ...some(0.9, () => [string("nsp"), nsp()]),
        ...some(0.1, () => [string("id"), chance(0.9) ? byte(below(128)) : number()]),
        ...some(0.1, () => [string("x"), harmless()]),
      ]),
    );
  }

  function options() {
    const list = () => array(times(4, () => (chance(0.9) ? string(pick(TEXTS)) : value(1))));
    const rooms = () => (chance(0.95) ? list() : plain());
    const bit = () => byte(pick([0xc0, 0xc2, 0xc3, 0x00, 0x01, 0xa0]));
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

  const uid = () => (chance(0.95) ? string("abcdef") : value(1));

  function classic() {
    const nsp = () => string(pick(NAMESPACES));
    const opts = chance(0.98) ? options() : plain();
    return array([uid(), packet(nsp), opts, ...some(0.02, () => value(2))]);
  }

  function sharded() {
    const nsp = () => (chance(0.9) ? string(pick(TEXTS)) : value(1));
    const data = map(
      shuffled([
        [string("packet"), packet(nsp)],
        ...some(0.99, () => [string("opts"), chance(0.98) ? options() : plain()]),
        ...some(0.05, () => [string("requestId"), chance(0.5) ? string("ghijkl") : value(1)]),
      ]),
    );
    return map(
      shuffled([
        [string("type"), byte(chance(0.95) ? 3 : below(14))],
        [string("data"), data],
        [string("uid"), uid()],
        [string("nsp"), string(chance(0.95) ? name : pick(NAMESPACES))],
        ...some(0.1, () => [string("x"), harmless()]),
      ]),
    );
  }

  function jsonPacket() {
    const event = () =>
      json.array([
        json.string(chance(0.95) ? "e" : json.anyText()),
        ...times(4, () => json.value(4)),
      ]);
    const type = chance(0.95)
      ? pick(["2", "2.0", "20e-1"])
      : pick(["3", "5", "0", '"2"', '"5"', '"\\u0032"', "null"]);
    return json.shuffledObject([
      ["type", type],
      ...some(0.98, () => ["data", chance(0.98) ? event() : json.value(1)]),
      ...some(0.05, () => ["id", pick(["null", "0", "7", '"7"', "-1", "{}"])]),
      ...some(0.1, () => [pick(["nsp", "x", "__proto__"]), json.value(2)]),
    ]);
  }

  function jsonOptions() {
    const room = () => (chance(0.7) ? json.string(json.anyText()) : json.value(1));
    const rooms = () => (chance(0.97) ? json.array(times(4, room)) : json.value(1));
    const bit = () => (chance(0.5) ? pick(["true", "false", "null", '""']) : json.value(1));
    const flags = () =>
      json.shuffledObject([["volatile", bit()], ...some(0.5, () => ["compress", bit()])]);
    return json.shuffledObject([
      ...some(0.95, () => ["rooms", rooms()]),
      ...some(0.9, () => ["except", rooms()]),
      ...some(0.8, () => ["flags", chance(0.9) ? flags() : json.value(2)]),
      ...some(0.1, () => [pick(["x", "__proto__"]), json.value(2)]),
    ]);
  }

  function shardedJson() {
    const data = json.shuffledObject([
      ["packet", chance(0.98) ? jsonPacket() : json.value(1)],
      ...some(0.99, () => ["opts", chance(0.98) ? jsonOptions() : json.value(1)]),
      ...some(0.03, () => ["requestId", pick(["null", '"ghijkl"', "0", "[]"])]),
    ]);
    const text = json.shuffledObject([
      ["type", chance(0.95) ? pick(["3", "3.0", "30e-1"]) : pick(["1", "4", "9", '"3"', "null"])],
      ["data", chance(0.99) ? data : json.value(1)],
      ["uid", chance(0.95) ? '"abcdef"' : json.value(1)],
      ["nsp", json.string(chance(0.95) ? name : pick(NAMESPACES))],
      ...some(0.1, () => [pick(["x", "__proto__"]), json.value(2)]),
    ]);
    return Buffer.from(chance(0.9) ? text : `${text}\n`);
  }

  /** Returns a message, and whether it is still as it was built. */
  function perhapsBroken(build) {
    let message = build();
    const isIntact = chance(0.9);
    while (!isIntact && chance(0.7)) message = mutate(message);
    return announcesTooMuch(message) ? perhapsBroken(build) : { message, isIntact };
  }

  return {
    anyMessage: () => perhapsBroken(classic),
    anyShardedMessage: () => perhapsBroken(sharded),
    anyShardedJson: () => perhapsBroken(shardedJson),
  };
}

module.exports = { messagesFrom };
