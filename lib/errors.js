"use strict";

/** Errors and process warnings with a `code`, which docs/errors.md lists. Texts may change, codes may not. */

/** An invalid option of ours. `code` is `TURBO_ERR_INVALID_OPTION`. */
class InvalidOptionError extends TypeError {
  /**
   * @param {string} option its name
   * @param {string} accepted the accepted values, in words that follow "must be"
   * @param {unknown} value what was given
   * @param {string} [message] the whole text, where that wording does not fit
   */
  constructor(
    option,
    accepted,
    value,
    message = `${option} must be ${accepted}, got ${describe(value)}`,
  ) {
    super(message);
    this.code = "TURBO_ERR_INVALID_OPTION";
    this.option = option;
  }
}

/**
 * Passed to the callback of a message that was not sent. `code` is the operating system's, such as
 * `ECONNRESET`, or else `TURBO_ERR_CONNECTION_ENDED`.
 */
class ConnectionEndedError extends Error {
  /**
   * @param {string} reason how the connection ended, as counted in `stats()`
   * @param {string} systemError empty if there was no system error
   */
  constructor(reason, systemError) {
    super(`the connection ended before the message was sent: ${systemError || reason}`);
    this.code = systemError || "TURBO_ERR_CONNECTION_ENDED";
    this.reason = reason;
  }
}

/** The reason why the addon is not loaded. `code` is `TURBO_ERR_NOT_NATIVE`. */
class NativeLoadError extends Error {
  /**
   * @param {string} reason what is missing, and what to do about it
   * @param {ErrorOptions} [options] `cause`: what was thrown
   */
  constructor(reason, options) {
    super(`the native addon is not loaded: ${reason}`, options);
    this.code = "TURBO_ERR_NOT_NATIVE";
  }
}

/** An error of Redis or of the connection to it. `code` is `TURBO_ERR_REDIS`. */
class RedisError extends Error {
  /** @param {string} reason the server's message, or what happened to the connection */
  constructor(reason) {
    super(`Redis: ${reason}`);
    this.code = "TURBO_ERR_REDIS";
  }
}

/**
 * Thrown when an application does something with a socket that is not possible while an I/O thread
 * serves its connection. `code` is `TURBO_ERR_NOT_POSSIBLE`.
 */
class NotPossibleError extends Error {
  /** @param {string} reason why, and what to do instead */
  constructor(reason) {
    super(reason);
    this.code = "TURBO_ERR_NOT_POSSIBLE";
  }
}

/** Returns a short description of a value. It does not call the value's methods, which may throw. */
function describe(value) {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "object" && value !== null)
    return Array.isArray(value) ? "an array" : "an object";
  return typeof value === "function" ? "a function" : String(value);
}

/** The texts that `warnOnce()` has printed. */
const printed = new Set();

/**
 * Prints a process warning of type `SocketIoTurboWarning`.
 *
 * @param {string} code
 * @param {string} text
 */
function warn(code, text) {
  process.emitWarning(text, { type: "SocketIoTurboWarning", code });
}

/** As `warn()`, but does nothing if the text has been printed. */
function warnOnce(code, text) {
  if (printed.has(text)) return;
  printed.add(text);
  warn(code, text);
}

module.exports = {
  ConnectionEndedError,
  InvalidOptionError,
  NativeLoadError,
  NotPossibleError,
  RedisError,
  warn,
  warnOnce,
};
