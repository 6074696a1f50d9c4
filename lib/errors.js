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

/** @returns {string} a short description that cannot throw */
function describe(value) {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "object" && value !== null)
    return Array.isArray(value) ? "an array" : "an object";
  return typeof value === "function" ? "a function" : String(value);
}

module.exports = { InvalidOptionError };
