"use strict";

const { NotPossibleError } = require("../errors.js");

/** The limits of ws's receiver that workers know. */
const LIMIT = "_maxPayload";

/**
 * What stands for ws's private receiver where a worker decodes frames: `_maxPayload` can be read
 * and set, as for ws: 0 for no limit. All else that applications ask of it is an error that says
 * so.
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

  /** ws sets it together with that of the WebSocket, which is the one that counts. */
  set _binaryType(_value) {}
}

const refusal = (name) =>
  new NotPossibleError(
    `ws._receiver.${name} is not there: an I/O thread decodes this connection's frames. ` +
      `Of ws's receiver there is ${LIMIT} alone; use the events and methods of the WebSocket`,
  );

/** Names that are asked of any object. */
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
 * @param {import("./connection.js").Connection} connection
 * @param {number} maxPayload in bytes; `Infinity` for no limit
 * @returns {ReceiverView}
 */
function receiverView(connection, maxPayload) {
  const limit = Number.isFinite(maxPayload) ? maxPayload : 0;
  return new Proxy(new ReceiverView(connection, limit), traps);
}

module.exports = { receiverView };
