"use strict";

const official = require("socket.io-adapter");
const { CALLERS, isBroadcastCallback, writtenBy } = require("./broadcast-callback.js");
const { InvalidOptionError } = require("../errors.js");
const { FanOut } = require("./fan-out.js");
const { isBinary, isPayload } = require("./packet-route.js");
const { hasEngine } = require("../addon/index.js");
const { broadcastMethods, sendMethod } = require("../untouched.js");

/** On an adapter: its fan-out, for the parts of it that are elsewhere. */
const kFanOut = Symbol("fanOut");

/** On an adapter: encodes a packet, which is sent by another call. */
const kPrepare = Symbol("prepare");

/** Methods of the official adapter that a broadcast of ours skips, or calls to read their source. */
const CALLED = ["_encode", "apply", "computeExceptSids", ...Object.keys(CALLERS)];

/**
 * An adapter of socket.io-adapter 2.5 whose broadcasts go to the workers: one command for all
 * sockets whose connections are there, as many as they may be. JavaScript serves the others,
 * and those on which somebody listens to what is sent. Everything else is the official code.
 *
 * @template {typeof official.Adapter} Base
 * @param {Base} Base the official adapter, its session-aware form, or one that extends them
 * @param {{ isInMemory: boolean }} kind whether `Base` is one of the first two, so that nothing
 *   but local sockets acknowledges
 * @returns {Base}
 */
function withFanOut(Base, { isInMemory }) {
  const AdapterPrototype = ownerOf(Base.prototype, "apply");
  broadcastMethods.watch(AdapterPrototype, CALLED);
  return class extends Base {
    #fanOut = new FanOut(this);

    get [kFanOut]() {
      return this.#fanOut;
    }

    /** Leaves out the frame for connections on ws, if there are none. */
    _encode(packet, packetOpts) {
      const hasServed = !this.#isDirect() || this.#fanOut.served.size > 0;
      return hasServed ? super._encode(packet, packetOpts) : this.encoder.encode(packet);
    }

    /** Sends the packet of a `broadcast()`; has any other callback called with each socket. */
    apply(opts, callback) {
      const isBroadcast = this.#isDirect() && isBroadcastCallback(AdapterPrototype, callback);
      if (isBroadcast) this.#send(writtenBy(callback), opts, callback);
      else super.apply(opts, callback);
    }

    /**
     * The official `broadcast()` in two steps, for adapters that do something else in between. No
     * packet waits in the adapter: only who has the result can send it.
     *
     * @param {object} packet
     * @param {{ rooms: Set<unknown>, except?: Set<unknown>, flags?: object }} opts
     * @returns {{ encoded: Array<string | Buffer>, send: () => void }} `send()` sends it to those
     *   sockets of this process that are in the rooms by then
     * @throws what the encoder throws
     */
    [kPrepare](packet, opts) {
      const { volatile, compress } = opts.flags ?? {};
      const packetOpts = { preEncoded: true, volatile, compress };
      packet.nsp = this.nsp.name;
      const encoded = this._encode(packet, packetOpts);
      const serve = (socket) => {
        socket.notifyOutgoingListeners?.(packet);
        socket.client.writeToEngine(encoded, packetOpts);
      };
      return { encoded, send: () => this.#send({ encoded, packetOpts }, opts, serve) };
    }

    /** As the official one, but for how the packet goes out. */
    broadcastWithAck(packet, opts, clientCountCallback, ack) {
      if (!isInMemory || !this.#isDirect()) {
        super.broadcastWithAck(packet, opts, clientCountCallback, ack);
        return;
      }
      packet.id = this.nsp._ids++;
      const { send } = this[kPrepare](packet, opts);
      let clientCount = 0;
      super.apply(opts, (socket) => {
        clientCount++;
        socket.acks.set(packet.id, ack);
      });
      send();
      clientCountCallback(clientCount);
    }

    /** Whether there are direct sockets, and nobody listens to the packets of all. */
    #isDirect() {
      this.#fanOut.synchronize();
      return !this.#fanOut.isEmpty && !this.#fanOut.isObserved;
    }

    /** Sends what is encoded to the direct recipients, and has `serve` write it to the others. */
    #send({ encoded, packetOpts }, opts, serve) {
      const isSent =
        this.#isDirect() &&
        isSendable(encoded) &&
        this.#fanOut.broadcast(encoded, opts, Boolean(packetOpts.volatile));
      if (isSent) this.#fanOut.forEachServed(opts, serve);
      else super.apply(opts, serve);
    }
  };
}

/**
 * Returns whether workers can send this: what parsers give, text or not and attachments. The official code
 * sends attachments by the method of the WebSocket, and text without it.
 */
function isSendable(encoded) {
  if (!Array.isArray(encoded) || !isPayload(encoded[0])) return false;
  if (encoded.length === 1) return true;
  return encoded.slice(1).every(isBinary) && sendMethod.areUntouched;
}

const IN_MEMORY = { isInMemory: true };
const Adapter = withFanOut(official.Adapter, IN_MEMORY);
const SessionAwareAdapter = withFanOut(official.SessionAwareAdapter, IN_MEMORY);

/** The classes of other packages' adapters with our fan-out, by their prototypes. */
const extended = new WeakMap();

/** Makes of an adapter that exists one whose broadcasts go to the workers. */
function extend(adapter) {
  const prototype = Object.getPrototypeOf(adapter);
  let Extended = extended.get(prototype);
  if (Extended === undefined) {
    Extended = extendPrototype(prototype);
    extended.set(prototype, Extended);
  }
  return Object.setPrototypeOf(new Extended(adapter), Extended.prototype);
}

/**
 * @param {object} prototype
 * @returns {Function} a class of this prototype whose constructor gives what it is given
 */
function existing(prototype) {
  function Existing(adapter) {
    return adapter;
  }
  Existing.prototype = prototype;
  return Existing;
}

function extendPrototype(prototype) {
  const Extended = withFanOut(existing(prototype), { isInMemory: false });
  // An adapter may look for its statics there.
  const { constructor: value } = prototype;
  Object.defineProperty(Extended.prototype, "constructor", { value });
  return Extended;
}

/**
 * What encodes and finds the recipients. The fan-out does the same in another way, so that who
 * overrides one of them would not be heard. How rooms are kept is free, as the maps are followed.
 */
const MIRRORED = ["_encode", "apply", "computeExceptSids"];

const ACCEPTED_BASES = `one that extends socket.io-adapter's 2.5 and overrides none of ${MIRRORED.join(", ")}, nor one of ours`;

/** @returns {boolean} whether all of it is that of socket.io-adapter, of whichever copy */
function isMirrored(adapter) {
  const owners = new Set(MIRRORED.map((name) => ownerOf(adapter, name)));
  return owners.size === 1 && !owners.has(undefined) && !owners.has(adapter);
}

/** The object on the prototype chain that has a method of this name; `undefined` if none has. */
function ownerOf(object, name) {
  for (let owner = object; owner; owner = Object.getPrototypeOf(owner)) {
    if (Object.hasOwn(owner, name)) return owner;
  }
  return undefined;
}

/**
 * A factory for the `adapter` of Socket.IO's server. Its broadcasts are fast with our
 * `wsEngine`, and as they were with another. Where the addon is not loaded, or has no engine, it is
 * that of the official adapter, or of `base`.
 *
 * @param {((nsp: import("socket.io").Namespace) => official.Adapter)
 *   | (new (nsp: import("socket.io").Namespace) => official.Adapter)} [base] a factory or class
 *   of an adapter that extends socket.io-adapter's 2.5, such as those for Redis, and leaves to it
 *   how packets are encoded and recipients found: all stays as it is, but for how a broadcast reaches
 *   the sockets of this process. By default the in-memory adapter, session-aware where
 *   `connectionStateRecovery` is on
 * @returns {(nsp: import("socket.io").Namespace) => official.Adapter} also with `new`
 * @throws {InvalidOptionError} if `base` is no function; from what is returned, if what `base`
 *   makes is no such adapter
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
  // Arrow functions are the ones without.
  const make = base.prototype === undefined ? base : (nsp) => new base(nsp);
  function AdapterOf(nsp) {
    refuseExtension(new.target, AdapterOf);
    const adapter = make(nsp);
    if (!isMirrored(adapter)) throw new InvalidOptionError("base", ACCEPTED_BASES, base);
    return hasEngine ? extend(adapter) : adapter;
  }
  return AdapterOf;
}

function refuseExtension(target, factory) {
  if (target !== undefined && target !== factory) {
    throw new TypeError("createAdapter() returns no class to extend; give it yours as its base");
  }
}

module.exports = { createAdapter, existing, kFanOut, kPrepare, withFanOut };
