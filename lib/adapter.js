"use strict";

const official = require("socket.io-adapter");
const { FanOut } = require("./fan-out.js");
const { isBinary, isPayload } = require("./link.js");
const { hasEngine } = require("./native.js");

/**
 * Rooms that a socket joins. The official code goes through them: workers know of each just before
 * it does, and its listeners.
 */
class JoinedRooms extends Set {
  #join;

  constructor(adapter, fanOut, id, rooms) {
    super(rooms);
    this.#join = (room) => {
      // A listener may have made it leave for good.
      if (adapter.sids.has(id)) fanOut.join(room, id);
    };
  }

  *[Symbol.iterator]() {
    for (const room of super.values()) {
      this.#join(room);
      yield room;
    }
  }
}

/**
 * An adapter of socket.io-adapter 2.5 whose broadcasts go to the workers: one command for all
 * sockets whose connections are there, as many as they may be. JavaScript serves the others,
 * and those on which somebody listens to what is sent. Everything else is the official code.
 *
 * @template {typeof official.Adapter} Base
 * @param {Base} Base the official adapter, or its session-aware form
 * @returns {Base}
 */
function withFanOut(Base) {
  return class extends Base {
    #fanOut = new FanOut(this);
    /** What is to be broadcast: between `_encode()` and `apply()`, which follows at once. */
    #outgoing = null;

    addAll(id, rooms) {
      this.#fanOut.enter(id);
      super.addAll(id, new JoinedRooms(this, this.#fanOut, id, rooms));
    }

    /** The official `del()` and `delAll()` call this. */
    _del(room, id) {
      this.#fanOut.leave(room, id);
      super._del(room, id);
      if (!this.rooms.has(room)) this.#fanOut.remove(room);
    }

    delAll(id) {
      super.delAll(id);
      this.#fanOut.exit(id);
    }

    /** The official `broadcast()` calls this, then `apply()`. */
    _encode(packet, packetOpts) {
      if (!this.#isDirect()) return super._encode(packet, packetOpts);
      const encoded = this.#encode(packet, packetOpts);
      if (isSendable(encoded))
        this.#outgoing = { encoded, isVolatile: Boolean(packetOpts.volatile) };
      return encoded;
    }

    /** Of a broadcast: sends it to the direct sockets, and has `callback` serve the others. */
    apply(opts, callback) {
      const outgoing = this.#outgoing;
      if (outgoing === null) {
        super.apply(opts, callback);
      } else {
        this.#outgoing = null;
        this.#send(outgoing, opts, callback);
      }
    }

    /** As the official one, but for how the packet goes out. */
    broadcastWithAck(packet, opts, clientCountCallback, ack) {
      if (!this.#isDirect()) {
        super.broadcastWithAck(packet, opts, clientCountCallback, ack);
        return;
      }
      const { volatile, compress } = opts.flags ?? {};
      const packetOpts = { preEncoded: true, volatile, compress };
      packet.nsp = this.nsp.name;
      packet.id = this.nsp._ids++;
      const encoded = this._encode(packet, packetOpts);
      const outgoing = this.#outgoing;
      this.#outgoing = null;
      let clientCount = 0;
      this.apply(opts, (socket) => {
        clientCount++;
        socket.acks.set(packet.id, ack);
      });
      const serve = (socket) => {
        socket.notifyOutgoingListeners?.(packet);
        socket.client.writeToEngine(encoded, packetOpts);
      };
      if (outgoing === null) this.apply(opts, serve);
      else this.#send(outgoing, opts, serve);
      clientCountCallback(clientCount);
    }

    /** Whether there are direct sockets, and nobody listens to the packets of all. */
    #isDirect() {
      return !this.#fanOut.isEmpty && !this.#fanOut.isObserved;
    }

    /** Without a frame for connections on ws, if there are none. */
    #encode(packet, packetOpts) {
      if (this.#fanOut.served.size > 0) return super._encode(packet, packetOpts);
      return this.encoder.encode(packet);
    }

    #send({ encoded, isVolatile }, opts, serve) {
      this.#fanOut.broadcast(encoded, opts, isVolatile);
      this.#fanOut.forEachServed(opts, serve);
    }
  };
}

/** Whether workers can send this: what parsers give, text or not and attachments. */
function isSendable(encoded) {
  if (!Array.isArray(encoded) || !isPayload(encoded[0])) return false;
  return encoded.length === 1 || encoded.slice(1).every(isBinary);
}

const Adapter = withFanOut(official.Adapter);
const SessionAwareAdapter = withFanOut(official.SessionAwareAdapter);

/**
 * A factory for the `adapter` of Socket.IO's server: the in-memory adapter of
 * socket.io-adapter 2.5, session-aware where `connectionStateRecovery` is on. Its broadcasts are
 * fast with our `wsEngine`, and as they were with another. Where the addon is not loaded, or has no
 * engine, it is the official one.
 *
 * @returns {(nsp: import("socket.io").Namespace) => official.Adapter} also with `new`
 */
function createAdapter() {
  const plain = hasEngine ? Adapter : official.Adapter;
  const sessionAware = hasEngine ? SessionAwareAdapter : official.SessionAwareAdapter;
  // Socket.IO calls it with `new`.
  function AdapterOf(nsp) {
    if (new.target !== undefined && new.target !== AdapterOf) {
      throw new TypeError("createAdapter() returns no class to extend; extend what it constructs");
    }
    const isSessionAware = Boolean(nsp.server.opts?.connectionStateRecovery);
    return isSessionAware ? new sessionAware(nsp) : new plain(nsp);
  }
  return AdapterOf;
}

module.exports = { createAdapter };
