"use strict";

const { AsyncResource } = require("node:async_hooks");

/** Made when the package is loaded: in no context of a request or of a server's start. */
const root = new AsyncResource("socket.io-turbo");

const make = () => new AsyncResource("socket.io-turbo");

/**
 * Returns an asynchronous context that has nothing of the one in which it is made, as that of a connection
 * that Node.js accepts.
 *
 * @returns {AsyncResource}
 */
function newContext() {
  return root.runInAsyncScope(make);
}

module.exports = { newContext };
