"use strict";

/**
 * The package ws, by whose private members our classes work. Some runtimes, such as Bun, have a ws of their own in
 * its place, and leave the files of the package where they are.
 */

const { createRequire } = require("node:module");
const path = require("node:path");
const { Writable } = require("node:stream");
const found = require("ws");

/** Returns whether it is the package: other receivers are no streams. */
function isPackage({ Receiver }) {
  return Receiver?.prototype instanceof Writable;
}

function load() {
  if (isPackage(found)) return found;
  try {
    // Bundlers leave this alone.
    const requireHere = createRequire(__filename);
    const directory = path.dirname(requireHere.resolve("ws/package.json"));
    const loaded = requireHere(path.join(directory, "index.js"));
    return isPackage(loaded) ? loaded : found;
  } catch {
    // A bundle has no such file beside it.
    return found;
  }
}

const ws = load();

module.exports = {
  /** The package; the runtime's own ws if there is no package. */
  ws,
  /** The ws that the runtime has in place of the package; `null` if it has none. */
  runtimeWs: isPackage(found) ? null : found,
  isWsThePackage: isPackage(ws),
};
