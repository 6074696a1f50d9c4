"use strict";

/** An option of ours that is wrong. `code` is `TURBO_ERR_INVALID_OPTION`. */
class InvalidOptionError extends TypeError {
  /**
   * @param {string} option its name
   * @param {string} accepted the accepted values, in words
   * @param {unknown} value what was given
   * @param {string} [message] the whole text, where that is not how to say it
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
 * Given to the callback of what was not sent. `code` is the operating system's, such as
 * `ECONNRESET`, or else `TURBO_ERR_CONNECTION_ENDED`.
 */
class ConnectionEndedError extends Error {
  /**
   * @param {string} reason how the connection ended, as counted in `stats()`
   * @param {string} systemError empty if there was none
   */
  constructor(reason, systemError) {
    super(`the connection ended before this was sent: ${systemError || reason}`);
    this.code = systemError || "TURBO_ERR_CONNECTION_ENDED";
    this.reason = reason;
  }
}

/** Why the addon is not loaded. `code` is `TURBO_ERR_NOT_NATIVE`. */
class NativeLoadError extends Error {
  /**
   * @param {string} reason what is missing, and how to mend it
   * @param {ErrorOptions} [options] `cause`: what was thrown
   */
  constructor(reason, options) {
    super(`the native addon is not loaded: ${reason}`, options);
    this.code = "TURBO_ERR_NOT_NATIVE";
  }
}

/** What has gone wrong with Redis. `code` is `TURBO_ERR_REDIS`. */
class RedisError extends Error {
  /** @param {string} reason what the server says, or what has become of the connection */
  constructor(reason) {
    super(`Redis: ${reason}`);
    this.code = "TURBO_ERR_REDIS";
  }
}

/** Thrown where something cannot be done with a connection of an I/O thread. `code` is `TURBO_ERR_NOT_POSSIBLE`. */
class NotPossibleError extends Error {
  /** @param {string} reason why, and what to do instead */
  constructor(reason) {
    super(reason);
    this.code = "TURBO_ERR_NOT_POSSIBLE";
  }
}

/** @returns {string} a short description that cannot throw */
function describe(value) {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "object" && value !== null)
    return Array.isArray(value) ? "an array" : "an object";
  return typeof value === "function" ? "a function" : String(value);
}

module.exports = {
  ConnectionEndedError,
  InvalidOptionError,
  NativeLoadError,
  NotPossibleError,
  RedisError,
};
