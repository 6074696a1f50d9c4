"use strict";

/**
 * Loads the addon, once, and says what came of it. The only file that does.
 *
 * TURBO_NATIVE=0 leaves the addon out; everything then runs on the official
 * JavaScript packages.
 *
 * @returns {{ binding: object | null, error: Error | null }} exactly one is null
 */
function load() {
  if (process.env.TURBO_NATIVE === "0") {
    return { binding: null, error: new Error("the addon is switched off by TURBO_NATIVE=0") };
  }
  try {
    return { binding: require("../binding.js"), error: null };
  } catch (loaderError) {
    const error = rootCause(loaderError);
    process.emitWarning(
      `the native addon could not be loaded, so nothing is accelerated: ${error.message}`,
      { type: "SocketIoTurboWarning", code: "TURBO_NOT_NATIVE" },
    );
    return { binding: null, error };
  }
}

/**
 * The generated loader tries one file after another, and hangs each failure to the next
 * as its cause; what it says itself guesses at npm. The first failure is the addon's own.
 */
function rootCause(error) {
  let root = error;
  while (root.cause instanceof Error) root = root.cause;
  return root;
}

module.exports = load();
