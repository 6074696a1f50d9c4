"use strict";

/** An option of ours that is wrong. `code` is `TURBO_ERR_INVALID_OPTION`. */
class InvalidOptionError extends TypeError {
  /**
   * @param {string} option its name
   * @param {string} accepted the accepted values, in words
   * @param {unknown} value what was given
   */
  constructor(option, accepted, value) {
    super(`${option} must be ${accepted}, got ${describe(value)}`);
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

/** @returns {string} a short description that cannot throw */
function describe(value) {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "object" && value !== null)
    return Array.isArray(value) ? "an array" : "an object";
  return typeof value === "function" ? "a function" : String(value);
}

module.exports = { ConnectionEndedError, InvalidOptionError };
