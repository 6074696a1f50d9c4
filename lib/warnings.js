"use strict";

/** The texts of warnings that have been printed. */
const printed = new Set();

/**
 * Prints a process warning of type `SocketIoTurboWarning`, unless this text has been printed.
 *
 * @param {string} code see docs/errors.md
 * @param {string} text
 */
function warnOnce(code, text) {
  if (printed.has(text)) return;
  printed.add(text);
  process.emitWarning(text, { type: "SocketIoTurboWarning", code });
}

module.exports = { warnOnce };
