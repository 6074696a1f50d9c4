"use strict";

const { NotPossibleError } = require("../errors.js");

/**
 * Stands in for ws's private receiver where a worker decodes frames: `_maxPayload` can be read and set
 * as in ws, with 0 for no limit. Any other member throws.
 */
class ReceiverView {
  #connection;
  #maxPayload;

  constructor(connection, maxPayload) {
    this.#connection = connection;
    this.#maxPayload = maxPayload;
  }

  get _maxPayload() {
    return this.#maxPayload;
  }

  set _maxPayload(value) {
    this.#maxPayload = value | 0;
    this.#connection.command("limitPayload", this.#maxPayload > 0 ? this.#maxPayload : Infinity);
  }

  /** Set by ws together with the WebSocket's, which is the one that is used. */
  set _binaryType(_value) {}
}

const refusal = (name) =>
  new NotPossibleError(
    `ws._receiver.${name} does not exist: an I/O thread decodes the frames of this connection. ` +
      "Only _maxPayload is available; use the events and methods of the WebSocket instead",
  );

/** Returns whether a member is one that JavaScript itself looks up in any object. */
const isCommon = (name) => typeof name === "symbol" || name === "then" || name === "toJSON";

const traps = {
  get(target, name) {
    if (name in target) return Reflect.get(target, name, target);
    if (isCommon(name)) return undefined;
    throw refusal(name);
  },
  set(target, name, value) {
    if (name in target) return Reflect.set(target, name, value, target);
    throw refusal(String(name));
  },
};

/**
 * Returns the receiver that a WebSocket shows.
 *
 * @param {import("./connection.js").Connection} connection
 * @param {number} maxPayload in bytes; `Infinity` for no limit
 * @returns {ReceiverView}
 */
function receiverView(connection, maxPayload) {
  const limit = Number.isFinite(maxPayload) ? maxPayload : 0;
  return new Proxy(new ReceiverView(connection, limit), traps);
}

module.exports = { receiverView };
