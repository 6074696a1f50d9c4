"use strict";

/**
 * Generates JSON as other writers than `JSON.stringify` make it: white space, escapes that need not
 * be, numbers in all their forms, keys twice and in any order, lone surrogates.
 */

const { TEXTS } = require("./message-pack.js");
const { randomFrom } = require("../random.js");

const SPACES = ["", "", "", "", " ", "\n", "\t\r\n  "];
const NUMBERS = [
  ..."0 -0 1 1.0 -1.50 1e2 1E+2 5e-324 1e-400 1e300 1e999 -1e999".split(" "),
  ..."9007199254740993 123456789012345678901234567890".split(" "),
];
const LONE_SURROGATES = ["\ud800", "a\udc00b", "\ud83d😀", "\udbff".repeat(3)];
const ESCAPES = new Map(Array.from('\b\t\n\f\r"\\', (it) => [it, JSON.stringify(it).slice(1, -1)]));
ESCAPES.set("/", "\\/");
/** Characters that must be escaped, lone surrogates among them. */
const UNSAFE = /[\p{Cc}\p{Surrogate}"\\]/u;

/** @param {number} seed a 32-bit integer */
function foreignJsonFrom(seed) {
  const { random, below, pick, chance, times } = randomFrom(seed);
  const space = () => pick(SPACES);

  function unitEscape(unit) {
    const digits = unit.charCodeAt(0).toString(16).padStart(4, "0");
    return `\\u${chance(0.5) ? digits : digits.toUpperCase()}`;
  }

  function character(text) {
    if (!UNSAFE.test(text) && chance(0.95)) return text;
    const short = ESCAPES.get(text);
    return short !== undefined && chance(0.8) ? short : text.split("").map(unitEscape).join("");
  }

  /** @param {string} text */
  const string = (text) => `"${Array.from(text, character).join("")}"`;

  const number = () => pick(NUMBERS);

  const list = (open, parts, close) =>
    `${open}${space()}${parts.map((part) => part + space()).join(`,${space()}`)}${close}`;

  /** @param {string[]} items */
  const array = (items) => list("[", items, "]");

  /** @param {[string, string][]} entries pairs of key and value */
  const object = (entries) =>
    list(
      "{",
      entries.map(([key, json]) => `${string(key)}${space()}:${space()}${json}`),
      "}",
    );

  /** Returns a text, at times with a lone surrogate. */
  const anyText = () => (chance(0.95) ? pick(TEXTS) : pick(LONE_SURROGATES));

  /** @param {number} depth how deep arrays and objects may stand in each other */
  function value(depth) {
    const kind = below(depth === 0 ? 6 : 12);
    if (kind < 3) return string(anyText());
    if (kind < 5) return number();
    if (kind === 5) return pick(["null", "true", "false"]);
    const items = () => times(6, () => value(depth - 1));
    if (kind < 9) return array(items());
    const key = () => (chance(0.05) ? "__proto__" : anyText());
    return object(items().map((item) => [key(), item]));
  }

  /** Returns an object with its keys in any order and at times twice; rarely the wrong one last. */
  function shuffledObject(entries) {
    const shuffled = entries.toSorted(() => random() - 0.5);
    const doubled = ([key, json]) => {
      const both = [
        [key, value(2)],
        [key, json],
      ];
      return chance(0.9) ? both : both.reverse();
    };
    return object(shuffled.flatMap((entry) => (chance(0.02) ? doubled(entry) : [entry])));
  }

  return { string, number, array, value, anyText, shuffledObject };
}

module.exports = { foreignJsonFrom };
