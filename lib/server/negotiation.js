"use strict";

const { ws } = require("../ws-package.js");
const { NO_EXTENSIONS } = require("../engine/websocket.js");

const { PerMessageDeflate, extension } = ws;
const { extensionName: NAME } = PerMessageDeflate;

/** More offers than the clients of one application make. Made-up ones cannot fill the memory. */
const MAX_KNOWN = 64;

/**
 * The extensions of WebSockets, negotiated by ws's own code: once for each text that clients offer.
 *
 * @typedef {{ extensions: object, connection: object, header: string }} Negotiated `connection` as
 *   `NativeConnectionOptions` in binding.d.ts
 */
class Negotiation {
  #options;
  #heartbeat;
  #known = new Map();
  /** @type {Negotiated} */
  #none;

  /**
   * @param {object} options of the WebSocket server
   * @param {object} heartbeat
   */
  constructor(options, heartbeat) {
    this.#options = options;
    this.#heartbeat = heartbeat;
    const connection = this.#with(options.turbo.connection);
    this.#none = { extensions: NO_EXTENSIONS, connection, header: "" };
  }

  #with(connection) {
    return { ...connection, heartbeat: this.#heartbeat };
  }

  /**
   * @param {string | undefined} offers the header `Sec-WebSocket-Extensions`
   * @returns {Negotiated | null} `null` if ws refuses the handshake
   */
  negotiate(offers) {
    if (!this.#options.perMessageDeflate || offers === undefined) return this.#none;
    let result = this.#known.get(offers);
    if (result !== undefined) return result;
    result = this.#negotiate(offers);
    if (this.#known.size === MAX_KNOWN) this.#known.clear();
    this.#known.set(offers, result);
    return result;
  }

  #negotiate(offers) {
    const { perMessageDeflate, maxPayload, turbo } = this.#options;
    const options = { ...perMessageDeflate, isServer: true, maxPayload };
    const deflate = new PerMessageDeflate(options);
    try {
      const { [NAME]: offer } = extension.parse(offers);
      if (offer === undefined) return this.#none;
      deflate.accept(offer);
    } catch {
      return null;
    }
    const header = `Sec-WebSocket-Extensions: ${extension.format({ [NAME]: [deflate.params] })}\r\n`;
    const { extensions, connection } = turbo.compression.share({ [NAME]: deflate });
    return { extensions, connection: this.#with(connection), header };
  }
}

module.exports = { Negotiation };
