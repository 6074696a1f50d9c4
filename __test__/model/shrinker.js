"use strict";

/** Makes a program smaller as long as it still shows what it was found for. */

/** Members of turns and operations that are lists of which parts can go. */
const LISTS = new Set([
  "turns",
  "scripts",
  "steps",
  "ops",
  "inMiddleware",
  "onConnection",
  "onDisconnecting",
  "onDisconnect",
  "to",
  "except",
  "rooms",
  "args",
  "silent",
]);

/** Members that have a plainer value, in the order in which they are tried. */
const PLAINER = {
  server: "plain",
  protocol: "pattern",
  hearsRooms: false,
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

/** The steps to every list and every other member in a program. */
function* paths(value, path = []) {
  for (const [key, inner] of Object.entries(value)) {
    const here = [...path, key];
    yield here;
    const isData = key === "args" || typeof inner !== "object" || inner === null;
    if (!isData) yield* paths(inner, here);
  }
}

const at = (value, path) => path.reduce((inner, key) => inner[key], value);

/** A copy with another value at the end of a path; what it does not touch is shared. */
function withValue(value, [key, ...rest], replacement) {
  const inner = rest.length === 0 ? replacement : withValue(value[key], rest, replacement);
  if (Array.isArray(value)) return value.with(Number(key), inner);
  return { ...value, [key]: inner };
}

/** The list without a part: halves first, single elements last. */
function* shorter(list) {
  for (let size = list.length; size >= 1; size = Math.floor(size / 2)) {
    for (let start = 0; start < list.length; start += size) {
      yield list.toSpliced(start, size);
    }
  }
}

/** The list with an operation's own operations in its place. */
function* flatter(list) {
  for (const [index, { ops = [] }] of list.entries()) {
    if (ops.length > 0) yield list.toSpliced(index, 1, ...ops);
  }
}

function* plainer(key, value) {
  if (key in PLAINER && value !== PLAINER[key]) yield PLAINER[key];
}

function* replacements(key, value) {
  if (!LISTS.has(key) || !Array.isArray(value)) {
    yield* plainer(key, value);
    return;
  }
  yield* shorter(value);
  if (key === "ops") yield* flatter(value);
}

/** All programs that are a step smaller. */
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
 * @param {number} patience how long to go on, in milliseconds
 * @returns {Promise<import("./program.js").Program>} of which no part can go, if there was
 *   time enough
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

module.exports = { shrink };
