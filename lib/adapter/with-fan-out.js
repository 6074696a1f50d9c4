"use strict";

/**
 * The mixin that sends the broadcasts of an adapter through the workers.
 *
 * Why `_encode()` and `apply()` are the hooks. The official `broadcast()` calls `_encode()` once for a
 * packet, then `apply()` with a callback that writes the packet to one socket. Adapters for clusters
 * override `broadcast()`, do something before or after, and call the official method in the end. So
 * these two methods see each broadcast, whichever method began it, and nothing of the official code
 * has to be copied: `_encode()` leaves out the frame that only ws needs, `apply()` replaces the loop
 * over the sockets. `apply()` recognises the callback of a broadcast by its source text
 * (`broadcast-callback.js`), because nothing may be kept in the adapter from `_encode()` to `apply()`.
 */

const { CALLERS, isBroadcastCallback, writtenBy } = require("./broadcast-callback.js");
const { latestKeyOf } = require("./latest.js");
const { existingRouteOf, isBytes, isPayload } = require("./packet-route.js");
const { writeLatest } = require("./waiting-packets.js");
const { broadcastMethods, ownerOf, sendMethod } = require("../untouched.js");

/** On an adapter: encodes a packet, and returns the call that sends it. */
const kPrepare = Symbol("prepare");

/** Official methods that our broadcasts skip, or call to read the source text of their callbacks. */
const CALLED = ["_encode", "apply", "computeExceptSids", ...Object.keys(CALLERS)];

/**
 * Returns a class of adapters of socket.io-adapter 2.5 whose broadcasts go to the workers: one command
 * for all direct sockets, however many. JavaScript writes to the served sockets, which are those on
 * other transports and those whose outgoing packets have listeners. Everything else is the official
 * code.
 *
 * @template {typeof import("socket.io-adapter").Adapter} Base
 * @param {Base} Base the official adapter, its session-aware form, or a class that extends them
 * @param {object} kind
 * @param {boolean} kind.isInMemory true if `Base` is one of the first two, so that only sockets of
 *   this process acknowledge a broadcast
 * @param {typeof import("./fan-out.js").FanOut} kind.FanOut
 * @returns {Base}
 */
function withFanOut(Base, { isInMemory, FanOut }) {
  const AdapterPrototype = ownerOf(Base.prototype, "apply");
  broadcastMethods.watch(AdapterPrototype, CALLED);
  return class extends Base {
    #fanOut = new FanOut(this);

    constructor(...args) {
      super(...args);
      this.#fanOut.start();
    }

    /** As the official method, but without the frame for connections on ws if there are none. */
    _encode(packet, packetOpts) {
      const hasServed = !this.#isDirect() || this.#fanOut.served.size > 0;
      return hasServed ? super._encode(packet, packetOpts) : this.encoder.encode(packet);
    }

    /** Sends the packet of a `broadcast()`; calls any other callback with each socket. */
    apply(opts, callback) {
      const key = latestKeyOf(this.nsp, opts);
      const isOurs = key !== null || this.#isDirect();
      if (isOurs && isBroadcastCallback(AdapterPrototype, callback)) {
        this.#send({ ...writtenBy(callback), key }, opts, callback);
      } else {
        super.apply(opts, callback);
      }
    }

    /**
     * Does the official `broadcast()` in two steps, for adapters that do something in between. The
     * packet is not kept in the adapter: only the returned function can send it.
     *
     * @protected
     * @param {object} packet
     * @param {{ rooms: Set<unknown>, except?: Set<unknown>, flags?: object }} opts
     * @returns {{ encoded: Array<string | Buffer>, send: () => void }} `send()` sends the packet to
     *   those sockets of this process that are in the rooms when it is called
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
      // A packet that is to be acknowledged must arrive.
      const key = packet.id === undefined ? latestKeyOf(this.nsp, opts) : null;
      return { encoded, send: () => this.#send({ encoded, packetOpts, key }, opts, serve) };
    }

    /**
     * As the official method, but sends the packet through the workers. In memory only: with a cluster
     * the official method asks other nodes, too.
     */
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

    /** Returns whether there are direct sockets, and no listener needs the packets of all sockets. */
    #isDirect() {
      this.#fanOut.synchronize();
      return !this.#fanOut.isEmpty && !this.#fanOut.isObserved;
    }

    /** Sends an encoded packet to the direct recipients, and calls `serve` with each of the others. */
    #send({ encoded, packetOpts, key }, opts, serve) {
      const isSent =
        this.#isDirect() &&
        isSendable(encoded) &&
        this.#fanOut.broadcast(encoded, opts, packetOpts, key);
      const serveEach = key === null ? serve : (socket) => this.#serveLatest(socket, key, serve);
      if (isSent) this.#fanOut.forEachServed(opts, serveEach);
      else super.apply(opts, serveEach);
    }

    /** Calls `serve` with a stand-in of a socket, which writes a packet with a key. */
    #serveLatest(socket, key, serve) {
      const { client } = socket;
      const writeToEngine = (encoded, packetOpts) => {
        const route = existingRouteOf(client.conn);
        if (route?.canSend() && broadcastMethods.areUntouched && isSendable(encoded)) {
          this.#fanOut.sendLatest(route, encoded, packetOpts, key);
        } else {
          const write = () => client.writeToEngine(encoded, packetOpts);
          writeLatest(client.conn, `${this.nsp.name},${key}`, packetOpts, write);
        }
      };
      const notifyOutgoingListeners = (packet) => socket.notifyOutgoingListeners?.(packet);
      serve({ notifyOutgoingListeners, client: { writeToEngine } });
    }
  };
}

/**
 * Returns whether workers can send an encoded packet: text or bytes, followed by attachments. The
 * official code sends attachments by `WebSocket.prototype.send()`, and text without it.
 */
function isSendable(encoded) {
  if (!Array.isArray(encoded) || !isPayload(encoded[0])) return false;
  if (encoded.length === 1) return true;
  return encoded.slice(1).every(isBytes) && sendMethod.areUntouched;
}

module.exports = { kPrepare, withFanOut };
