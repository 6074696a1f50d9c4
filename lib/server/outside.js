"use strict";

const { AsyncResource } = require("node:async_hooks");

/** Made when the module is loaded: by the main program, in general. */
const none = new AsyncResource("socket.io-turbo");

/**
 * Calls a function in the asynchronous context of no request, server or connection.
 *
 * @template Argument, Result
 * @param {(argument: Argument) => Result} fn
 * @param {Argument} [argument]
 * @returns {Result}
 */
function outside(fn, argument) {
  return none.runInAsyncScope(fn, null, argument);
}

module.exports = { outside };
