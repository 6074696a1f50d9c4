"use strict";

/**
 * The settings of the race's sliders, for both servers at once.
 *
 * @typedef {object} Settings
 * @property {number} clients how many are connected to each server
 * @property {number} rate broadcasts per second, each to all clients
 * @property {number} payload bytes of the Socket.IO packet of a broadcast
 */

/**
 * The bounds of each; all are integers. The two broadcasts of a server that may be under
 * way take no more than 80 MiB of the kernel's memory, with the most clients and payload.
 */
const LIMITS = {
  clients: { min: 100, max: 5_000 },
  rate: { min: 1, max: 50 },
  payload: { min: 64, max: 8_192 },
};

/** The settings at the start. @type {Settings} */
const DEFAULTS = { clients: 1_000, rate: 10, payload: 128 };

/**
 * Reads what somebody sent as settings.
 *
 * @param {unknown} input one or more of the {@link Settings}
 * @returns {Partial<Settings>} those that it has
 * @throws {TypeError} if it is no object, is empty, or has something else or no integer
 * @throws {RangeError} if one is out of its bounds
 */
function readSettings(input) {
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    throw new TypeError(`The settings must be an object with ${Object.keys(LIMITS).join(", ")}`);
  }
  const entries = Object.entries(input);
  if (entries.length === 0) throw new TypeError("The settings are empty");
  return Object.fromEntries(entries.map(([name, value]) => [name, readSetting(name, value)]));
}

/** @returns {number} the value, if the setting may have it */
function readSetting(name, value) {
  if (!Object.hasOwn(LIMITS, name)) throw new TypeError(`There is no setting ${quote(name)}`);
  if (!Number.isInteger(value)) throw new TypeError(`${name} must be an integer`);
  const { min, max } = LIMITS[name];
  if (value < min || value > max) {
    throw new RangeError(`${name} must be from ${min} to ${max}, and is ${value}`);
  }
  return value;
}

/** A name that somebody sent, short enough to be said. */
function quote(name) {
  return JSON.stringify(name.slice(0, 20));
}

module.exports = { DEFAULTS, LIMITS, readSettings };
