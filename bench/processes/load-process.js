"use strict";

const { cargoBuild } = require("./cargo.js");
const { LIFETIME_MILLISECONDS, LineProcess } = require("./line-process.js");

/** The status with which bench/load says that the kernel does not let it do what it should. */
const UNAVAILABLE_STATUS = 69;

let executable;

/**
 * Builds bench/load, once.
 *
 * @returns {string} the path of the executable
 * @throws {Error} if there is no cargo, or if it fails, which has then said why
 */
function build() {
  executable ??= cargoBuild("load", ["--release"]);
  return executable;
}

/** A running bench/load. */
class LoadProcess extends LineProcess {
  /**
   * @param {string} name what an error calls it
   * @param {string} subcommand
   * @param {Record<string, string | number | boolean | undefined>} options by their names in
   *   camelCase; those that are undefined or false are left out
   * @param {number} [lifetime] after how many milliseconds it is stuck and killed; 0: never
   */
  constructor(name, subcommand, options, lifetime = LIFETIME_MILLISECONDS) {
    super(name, build(), [subcommand, ...flags(options)], lifetime);
  }

  /**
   * @returns {Promise<object>} the next line
   * @throws {Error} if it ends instead; why stands on standard error. If the kernel lacks
   *   what it needs, then with the `code` `"UNAVAILABLE"`
   */
  async nextLine() {
    try {
      return await super.nextLine();
    } catch (error) {
      if (error.status !== UNAVAILABLE_STATUS) throw error;
      throw Object.assign(new Error(`${this.name} is not available`), { code: "UNAVAILABLE" });
    }
  }
}

function flags(options) {
  const kebab = (name) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return Object.entries(options)
    .filter(([, value]) => value !== undefined && value !== false)
    .flatMap(([name, value]) => [`--${kebab(name)}`, ...(value === true ? [] : [String(value)])]);
}

module.exports = { LoadProcess, build };
