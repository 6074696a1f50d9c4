"use strict";

/**
 * socket.io-adapter's `broadcast()` encodes a packet and calls `apply()` with a callback that
 * writes it to one socket. Other methods call `apply()` with callbacks of theirs, and nothing else
 * tells one from the other: a note that `_encode()` left for `apply()` would still be there after
 * an exception between the two, and send its packet in the place of another call. So `apply()`
 * recognises the callback itself, by its source text, and asks it for the packet.
 */

/** The methods of an adapter that call `apply()`, with arguments that are enough for them. */
const CALLERS = {
  broadcast: [{}, {}],
  broadcastWithAck: [{}, {}, () => {}],
  sockets: [new Set()],
  fetchSockets: [{}],
  addSockets: [{}, []],
  delSockets: [{}, []],
  disconnectSockets: [{}, false],
};

/** @type {WeakMap<object, string | null>} by the prototype whose `broadcast()` it is */
const known = new WeakMap();

const sourceOf = (callback) => Function.prototype.toString.call(callback);

/**
 * Returns the source text of the callback with which a method calls `apply()`; `undefined` if it
 * calls it with none.
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
    // Not socket.io-adapter's own method: it is not recognised, and served as it asks.
  }
  return source;
}

/** Returns the source text of `broadcast()`'s callback, `null` if others have the same. */
function broadcastSource(prototype) {
  const [source, ...others] = Object.keys(CALLERS).map((name) => callbackSource(prototype, name));
  // Compiled ahead of time, functions may have no text, and then all have the same.
  return source === undefined || others.includes(source) ? null : source;
}

/**
 * Returns whether a callback of `apply()` is that of `broadcast()`: it does nothing but announce a
 * packet to one socket, and write it.
 *
 * @param {object} prototype that of the official adapter that has `broadcast()`
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
 * Returns what the callback of a broadcast writes to each socket.
 *
 * @param {(socket: object) => void} callback that of `broadcast()`
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
