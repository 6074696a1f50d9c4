"use strict";

/**
 * Every client that the tests drive, behind one interface. What a client does once it is
 * connected is told in `program.js`.
 *
 * @typedef {object} Driver
 * @property {string} name
 * @property {string | false} skip why it is left out
 * @property {boolean} startsOnPolling whether it exchanges events before it has a WebSocket
 * @property {boolean} recovers whether it knows connection state recovery
 * @property {boolean} [missesSilence] whether a server does not notice that it is gone
 * @property {string} [leavingReason] why it left in the eyes of the server, if not for the reason
 *   that others give
 * @property {Record<string, string | string[]>} reasons what it says when it is disconnected
 * @property {unknown} [refusal] what it says when a middleware refuses it, if not what others say
 * @property {() => Promise<void>} start
 * @property {() => Promise<void>} stop
 * @property {(origin: string, options?: { namespace?: string, auth?: object,
 *   reconnection?: boolean }) => Promise<Client>} open
 *
 * @typedef {object} Client
 * @property {Promise<string>} disconnected why it is disconnected
 * @property {Promise<unknown>} refused why it was not let in
 * @property {() => Promise<void>} close
 */

/** @type {Driver[]} */
module.exports = [
  ...require("./in-process.js"),
  ...require("./browser.js"),
  ...require("./python.js"),
];
