"use strict";

/**
 * All clients that the tests drive, behind one interface. `program.js` has what a client does once
 * it is connected.
 *
 * @typedef {object} Driver
 * @property {string} name
 * @property {string | false} skip the reason to skip its tests
 * @property {boolean} startsOnPolling true if it exchanges events before it has a WebSocket
 * @property {boolean} recovers true if it supports connection state recovery
 * @property {boolean} [missesSilence] true if a server does not notice that it has fallen silent
 * @property {string} [leavingReason] the reason of the server when it leaves, where others have
 *   another
 * @property {Record<string, string | string[]>} reasons its own reasons of a disconnection
 * @property {unknown} [refusal] its error when a middleware refuses it, where others have another
 * @property {() => Promise<void>} start
 * @property {() => Promise<void>} stop
 * @property {(origin: string, options?: { namespace?: string, auth?: object,
 *   reconnection?: boolean }) => Promise<Client>} open
 *
 * @typedef {object} Client
 * @property {Promise<string>} disconnected the reason of its disconnection
 * @property {Promise<unknown>} refused the error of a middleware
 * @property {() => Promise<void>} close
 */

/** @type {Driver[]} */
module.exports = [
  ...require("./in-process.js"),
  ...require("./browser.js"),
  ...require("./python.js").drivers,
];
