"use strict";

/** In characters. What is longer is seldom sent in loops, and would be kept in memory. */
const MAX_LENGTH = 4096;

/**
 * The last event that an encoder has encoded, if nothing in it can change: its arguments are strings,
 * numbers, booleans, `null` or `undefined`. A program that emits the same event to one socket after the other
 * gets the same text, without another `JSON.stringify`: of the time of such a loop, that is 13 %.
 */
class LastEvent {
  #nsp = null;
  #values = [];
  #text = "";

  /**
   * Returns the text of an event if it equals the last one.
   *
   * @param {{ nsp?: unknown, data: unknown }} packet of type `EVENT`
   * @returns {string} empty if the event has to be encoded
   */
  textOf(packet) {
    const { nsp, data } = packet;
    const isSame = nsp === this.#nsp && this.#hasValues(data) && isPlain(packet);
    return isSame ? this.#text : "";
  }

  #hasValues(data) {
    const values = this.#values;
    if (!Array.isArray(data) || data.length !== values.length) return false;
    for (let index = 0; index < values.length; index++) {
      if (data[index] !== values[index]) return false;
    }
    return true;
  }

  /**
   * Keeps an event and its text, if nothing in it can change.
   *
   * @param {{ nsp?: unknown, data: unknown }} packet of type `EVENT`
   * @param {string} text
   */
  keep(packet, text) {
    const { nsp, data } = packet;
    if (typeof nsp !== "string" || text.length > MAX_LENGTH || !Array.isArray(data)) return;
    if (!data.every(isConstant) || !isPlain(packet)) return;
    this.#nsp = nsp;
    this.#values = data.slice();
    this.#text = text;
  }
}

/**
 * Returns whether a packet is no more than its type, namespace and arguments: anything else may be binary
 * data, for socket.io-parser looks for it everywhere.
 */
function isPlain(packet) {
  for (const key in packet) {
    if (key !== "type" && key !== "data" && key !== "nsp") return false;
  }
  return packet.id === undefined && packet.toJSON === undefined && packet.data.toJSON === undefined;
}

/** Returns whether a value has the same JSON for ever. */
function isConstant(value) {
  return value === null || (typeof value !== "object" && typeof value !== "function");
}

module.exports = { LastEvent };
