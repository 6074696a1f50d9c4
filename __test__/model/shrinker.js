"use strict";

/** Makes a program smaller as long as it still shows the difference for which it was found. */

/** Members of turns and operations that are lists of which parts can be removed. */
const LISTS = new Set(
  `turns scripts steps ops inMiddleware onConnection onDisconnecting onDisconnect
   to except rooms args silent`.split(/\s+/),
);

/** The plainest value of a member, in the order in which they are tried. */
const PLAINEST = {
  server: "plain",
  protocol: "pattern",
  hasRoomListeners: false,
  version: 4,
  transport: "websocket",
  offersDeflate: false,
  isReturning: false,
  door: "open",
  isVolatile: false,
  isLocal: false,
  compress: undefined,
  asPromise: false,
  wantsAck: false,
  ack: undefined,
  namespace: "/",
};

/** Yields the path to every list and every other member of a program. */
function* paths(value, path = []) {
  for (const [key, inner] of Object.entries(value)) {
    const here = [...path, key];
    yield here;
    const isData = key === "args" || typeof inner !== "object" || inner === null;
    if (!isData) yield* paths(inner, here);
  }
}

const at = (value, path) => path.reduce((inner, key) => inner[key], value);

/** Returns a copy with another value at the end of a path; the rest is shared. */
function withValue(value, [key, ...rest], replacement) {
  const inner = rest.length === 0 ? replacement : withValue(value[key], rest, replacement);
  if (Array.isArray(value)) return value.with(Number(key), inner);
  return { ...value, [key]: inner };
}

/** Yields smaller values of a member: of lists, the list without a half first, without an element last. */
function* replacements(key, value) {
  if (!LISTS.has(key) || !Array.isArray(value)) {
    if (key in PLAINEST && value !== PLAINEST[key]) yield PLAINEST[key];
    return;
  }
  for (let size = value.length; size >= 1; size = Math.floor(size / 2)) {
    for (let start = 0; start < value.length; start += size) yield value.toSpliced(start, size);
  }
  if (key !== "ops") return;
  // An operation's own operations take its place.
  for (const [index, { ops = [] }] of value.entries()) {
    if (ops.length > 0) yield value.toSpliced(index, 1, ...ops);
  }
}

/** Yields all programs that are a step smaller. */
function* smaller(program) {
  for (const path of paths(program)) {
    for (const replacement of replacements(path.at(-1), at(program, path))) {
      yield withValue(program, path, replacement);
    }
  }
}

/**
 * @param {import("./program.js").Program} program
 * @param {(program: object) => Promise<boolean>} isStillWrong
 * @param {number} patience in milliseconds
 * @returns {Promise<import("./program.js").Program>} a program that no step makes smaller, if there
 *   was time enough
 */
async function shrink(program, isStillWrong, patience) {
  const deadline = Date.now() + patience;
  let best = program;
  let candidates = smaller(best);
  for (let next = candidates.next(); !next.done; next = candidates.next()) {
    if (Date.now() > deadline) return best;
    if (!(await isStillWrong(next.value))) continue;
    best = next.value;
    candidates = smaller(best);
  }
  return best;
}

module.exports = { PLAINEST, shrink };
