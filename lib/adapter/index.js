"use strict";

/** `createAdapter()`: which class of adapters a namespace gets, and which bases are accepted. */

const official = require("socket.io-adapter");
const { hasEngine } = require("../addon/index.js");
const { InvalidOptionError } = require("../errors.js");
const { ownerOf } = require("../untouched.js");
const { adopt } = require("./adopt.js");
const { FanOut } = require("./fan-out.js");
const { withFanOut } = require("./with-fan-out.js");

const IN_MEMORY = { isInMemory: true, FanOut };
const Adapter = withFanOut(official.Adapter, IN_MEMORY);
const SessionAwareAdapter = withFanOut(official.SessionAwareAdapter, IN_MEMORY);

/** The mixin for adapters of other packages. */
const onTop = (Base) => withFanOut(Base, { isInMemory: false, FanOut });

/**
 * The methods that encode packets and find recipients. The fan-out does both in its own way, so an
 * adapter that overrides one of them would have no effect. Rooms may be kept in any way, since the
 * maps are watched.
 */
const REPLACED = ["_encode", "apply", "computeExceptSids"];

const ACCEPTED_BASES = `one that extends the adapter of socket.io-adapter 2.5, does not override ${REPLACED.join(", ")}, and is not made by createAdapter()`;

/**
 * Returns whether an adapter has these methods from one and the same class: the official one, of
 * whichever copy of socket.io-adapter.
 */
function isExtensible(adapter) {
  const owners = new Set(REPLACED.map((name) => ownerOf(adapter, name)));
  return owners.size === 1 && !owners.has(undefined) && !owners.has(adapter);
}

/**
 * Returns a factory for the `adapter` option of Socket.IO's server. Its broadcasts are fast with our
 * `wsEngine`, and official with another. Without the addon, or without an engine in it, the adapter
 * is the official one, or that of `base`.
 *
 * @param {((nsp: import("socket.io").Namespace) => official.Adapter)
 *   | (new (nsp: import("socket.io").Namespace) => official.Adapter)} [base] a factory or class of
 *   adapters that extend socket.io-adapter 2.5, such as those for Redis, and leave to it how packets
 *   are encoded and recipients found. They stay as they are, except for how a broadcast reaches the
 *   sockets of this process. By default the in-memory adapter, session-aware with
 *   `connectionStateRecovery`
 * @returns {(nsp: import("socket.io").Namespace) => official.Adapter} also with `new`
 * @throws {InvalidOptionError} if `base` is not a function; the returned factory throws it if `base`
 *   makes anything but such an adapter
 */
function createAdapter(base) {
  return base === undefined ? createInMemory() : createExtended(base);
}

function createInMemory() {
  const plain = hasEngine ? Adapter : official.Adapter;
  const sessionAware = hasEngine ? SessionAwareAdapter : official.SessionAwareAdapter;
  // Socket.IO calls it with `new`.
  function AdapterOf(nsp) {
    refuseExtension(new.target, AdapterOf);
    const isSessionAware = Boolean(nsp.server.opts?.connectionStateRecovery);
    return isSessionAware ? new sessionAware(nsp) : new plain(nsp);
  }
  return AdapterOf;
}

function createExtended(base) {
  if (typeof base !== "function") {
    throw new InvalidOptionError("base", "a factory or a class of adapters", base);
  }
  // Only arrow functions and methods have no prototype.
  const make = base.prototype === undefined ? base : (nsp) => new base(nsp);
  function AdapterOf(nsp) {
    refuseExtension(new.target, AdapterOf);
    const adapter = make(nsp);
    if (!isExtensible(adapter)) throw new InvalidOptionError("base", ACCEPTED_BASES, base);
    return hasEngine ? adopt(adapter, onTop) : adapter;
  }
  return AdapterOf;
}

function refuseExtension(target, factory) {
  if (target !== undefined && target !== factory) {
    throw new TypeError(
      "createAdapter() returns no class to extend; pass your class to it instead",
    );
  }
}

module.exports = { createAdapter };
