"use strict";

const { AsyncResource } = require("node:async_hooks");

/** Made when the package is loaded: in no context of a request or of a server's start. */
const root = new AsyncResource("socket.io-turbo");

const make = () => new AsyncResource("socket.io-turbo");

/**
 * Calls a function outside of all asynchronous contexts of the program: Node.js makes the handles of accepted
 * connections there.
 *
 * @template A, R
 * @param {(argument: A) => R} call
 * @param {A} [argument]
 * @returns {R}
 */
function outside(call, argument) {
  return root.runInAsyncScope(call, null, argument);
}

/**
 * Returns an asynchronous context that has nothing of the one in which it is made, as that of a connection
 * that Node.js accepts.
 *
 * @returns {AsyncResource}
 */
function newContext() {
  return outside(make);
}

module.exports = { newContext, outside };
