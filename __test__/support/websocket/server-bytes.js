"use strict";

/** Splits the bytes that a WebSocket server sends: its response to the upgrade, then its frames. */

const { decodeHeader } = require("./frames.js");

const SWITCHING_PROTOCOLS = 101;

/**
 * @typedef {object} Handler
 * @property {(status: number, head: string) => void} handleResponse `head` without the empty line
 * @property {(bytes: Buffer) => void} [handleBody] called with all bytes so far, if not upgraded
 * @property {(header: object, payload: Buffer) => void} handleFrame `header` as `decodeHeader()`
 *   returns it
 */

class ServerBytes {
  #handler;
  #status;
  /** Bytes that are not decoded yet, in pieces. */
  #pieces = [];
  #length = 0;
  /** The length at which the next part can be complete. */
  #needed = 1;

  /** @param {Handler} handler what it throws, `push()` throws */
  constructor(handler) {
    this.#handler = handler;
  }

  /** @param {Buffer} bytes */
  push(bytes) {
    this.#pieces.push(bytes);
    this.#length += bytes.length;
    if (this.#length >= this.#needed) this.#decode();
  }

  #decode() {
    let rest = this.#pieces.length === 1 ? this.#pieces[0] : Buffer.concat(this.#pieces);
    for (let taken; taken !== 0; rest = rest.subarray(taken)) taken = this.#take(rest);
    this.#pieces = rest.length === 0 ? [] : [rest];
    this.#length = rest.length;
  }

  /** @returns {number} the length of the part that was complete, or 0 */
  #take(bytes) {
    this.#needed = bytes.length + 1;
    if (this.#status === undefined) return this.#takeResponse(bytes);
    if (this.#status === SWITCHING_PROTOCOLS) return this.#takeFrame(bytes);
    this.#handler.handleBody?.(bytes);
    return 0;
  }

  #takeResponse(bytes) {
    const end = bytes.indexOf("\r\n\r\n");
    if (end === -1) return 0;
    const head = bytes.toString("latin1", 0, end);
    this.#status = Number(head.split(" ", 2)[1]);
    this.#handler.handleResponse(this.#status, head);
    return end + 4;
  }

  #takeFrame(bytes) {
    const header = decodeHeader(bytes);
    if (header?.length === undefined) return 0;
    const end = header.headerLength + header.length;
    if (bytes.length < end) {
      this.#needed = end;
      return 0;
    }
    this.#handler.handleFrame(header, bytes.subarray(header.headerLength, end));
    return end;
  }
}

module.exports = { ServerBytes };
