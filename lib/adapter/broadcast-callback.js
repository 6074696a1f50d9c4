"use strict";

/**
 * Recognises broadcasts in `apply()`. socket.io-adapter's `broadcast()` encodes a packet and calls
 * `apply()` with a callback that writes it to one socket; other methods call `apply()` with other
 * callbacks, and only the callback distinguishes them. A note left by `_encode()` would survive an
 * exception between the two calls, and its packet would be sent in place of the next call's. So the
 * callback is recognised by its source text, and called once to get the packet.
 */

/** The methods of an adapter that call `apply()`, with arguments that suffice for that. */
const CALLERS = {
  broadcast: [{}, {}],
  broadcastWithAck: [{}, {}, () => {}],
  sockets: [new Set()],
  fetchSockets: [{}],
  addSockets: [{}, []],
  delSockets: [{}, []],
  disconnectSockets: [{}, false],
};

/** @type {WeakMap<object, string | null>} results of `broadcastSource()`, by the prototype */
const known = new WeakMap();

const sourceOf = (callback) => Function.prototype.toString.call(callback);

/**
 * Returns the source text of the callback that a method passes to `apply()`; `undefined` if it passes
 * none.
 */
function callbackSource(prototype, method) {
  let source;
  const adapter = {
    nsp: { name: "", _ids: 0 },
    _encode: () => [],
    apply: (_options, callback) => {
      source = sourceOf(callback);
    },
  };
  try {
    prototype[method].apply(adapter, CALLERS[method]);
  } catch {
    // Not socket.io-adapter's own method: its callback is called with each socket.
  }
  return source;
}

/** Returns the source text of `broadcast()`'s callback; `null` if another method's has the same. */
function broadcastSource(prototype) {
  const [source, ...others] = Object.keys(CALLERS).map((name) => callbackSource(prototype, name));
  // Functions that were compiled ahead of time may have no text; all of them are equal then.
  return source === undefined || others.includes(source) ? null : source;
}

/**
 * Returns whether a callback of `apply()` comes from `broadcast()`: all it does is to notify the
 * outgoing listeners of one socket of a packet, and to write it.
 *
 * @param {object} prototype the official adapter's, which has `broadcast()`
 * @param {Function} callback
 * @returns {boolean}
 */
function isBroadcastCallback(prototype, callback) {
  let source = known.get(prototype);
  if (source === undefined) {
    source = broadcastSource(prototype);
    known.set(prototype, source);
  }
  return source !== null && sourceOf(callback) === source;
}

/**
 * Returns the arguments with which the callback of a broadcast writes to each socket.
 *
 * @param {(socket: object) => void} callback for which `isBroadcastCallback()` holds
 * @returns {{ encoded: unknown, packetOpts: { volatile?: boolean, compress?: boolean } }}
 */
function writtenBy(callback) {
  let written;
  const client = {
    writeToEngine: (encoded, packetOpts) => {
      written = { encoded, packetOpts };
    },
  };
  callback({ client });
  return written;
}

module.exports = { CALLERS, isBroadcastCallback, writtenBy };
