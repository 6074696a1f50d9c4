"use strict";

/**
 * The name of the method by which a server of `createServer()` learns of an Engine.IO server: `Placement`
 * calls it for each engine that Socket.IO has attached to the server.
 *
 * @type {unique symbol}
 */
const ATTACH = Symbol("attach");

module.exports = { ATTACH };
