"use strict";

/** Generates broadcasts as an application makes them, with values of all kinds. */

const { TEXTS } = require("./message-pack.js");
const { randomFrom } = require("../random.js");

const NAMESPACES = ["/", "/admin", "/a-b?c=1", "/ž"];
const ROOMS = ["", "room", "r#1", "ž", "42", 42, -1, 1.5, null, true, false];
const FLAGS = [{}, { volatile: true }, { compress: false, volatile: true }, { timeout: 500 }];
const SURROGATES = ["\ud800", "a\udc00b", "\ud83d😀", `${"x".repeat(32)}\ud800y`];
SURROGATES.push("\udbff".repeat(3));
const KEYS = [...TEXTS.filter((text) => !["toJSON", "_placeholder"].includes(text)), "\ud800a"];
const LENGTHS = [0, 1, 31, 32, 33, 255, 256, 300];

/** Looks like the place of an attachment: beside attachments, clients put one of them there. */
const PLACEHOLDER = { _placeholder: true, num: 0 };

const withToJSON = (json) => ({ toJSON: () => json });

/** @param {number} seed a 32-bit integer */
function broadcastsFrom(seed) {
  const { random, below, pick, chance, times } = randomFrom(seed);

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

  /** Returns a value that the JSON of a packet changes or hides. */
  function lossy() {
    const date = new Date(Math.round((random() - 0.5) * 1.6e16));
    const hidden = { ...withToJSON("json"), binary: anyBinary() };
    return pick([NaN, Infinity, -Infinity, date, hidden, { ...PLACEHOLDER }]);
  }

  /** @param {boolean} isLossy true to allow values that JSON changes */
  function anyScalar(isLossy) {
    const kind = below(10);
    if (kind < 3) return pick(TEXTS);
    if (kind < 6) return anyNumber();
    if (kind === 6) return pick([null, true, false, undefined]);
    if (kind === 7) return chance(0.5) ? pick(SURROGATES) : "ž".repeat(pick(LENGTHS));
    return isLossy && kind === 8 ? lossy() : anyBinary();
  }

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

  /**
   * @param {(string | number | boolean | null)[]} [rooms] that it may name
   * @returns {object} a packet and its options, as adapters get them, and whether notepack.io
   *   knows more of the packet than its JSON
   */
  function anyBroadcast(rooms = ROOMS) {
    const isLossy = chance(0.1);
    const data = ["e", ...times(4, () => anyValue(4, isLossy))];
    const packet = { type: 2, data, nsp: pick(NAMESPACES) };
    if (chance(0.1)) packet.id = below(1e6);
    const some = (limit) => times(limit, () => pick(rooms));
    return { isLossy, packet, opts: { rooms: some(4), except: some(3), flags: pick(FLAGS) } };
  }

  return { anyBroadcast };
}

module.exports = { NAMESPACES, ROOMS, broadcastsFrom };
