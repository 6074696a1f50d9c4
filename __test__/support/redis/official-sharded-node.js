"use strict";

/** A node of the sharded protocol: @socket.io/redis-adapter 8.3, without Redis or clients. */

const { createShardedAdapter } = require("@socket.io/redis-adapter");
const { decode } = require("notepack.io");
const { Encoder } = require("socket.io-parser");
const { effectOf, setType } = require("./official-node.js");

/** socket.io-adapter, `MessageType.BROADCAST`. */
const BROADCAST = 3;

const isObject = (any) => Object.prototype.toString.call(any) === "[object Object]";

/** Returns whether a message is not a broadcast, or one that awaits acknowledgements. */
function isOther({ type, data }) {
  if (type !== BROADCAST) return true;
  if (!isObject(data)) return false;
  const hasId = isObject(data.packet) && ![undefined, null].includes(data.packet.id);
  return data.requestId !== undefined || hasId;
}

class OfficialShardedNode {
  #adapter;
  #handler;
  #published;
  #sent;

  /** @param {string} name of its namespace */
  constructor(name) {
    const client = {
      sSubscribe: (_channel, handler) => {
        this.#handler = handler;
      },
      // Never settled, so that the adapter does not go on to its own clients.
      sPublish: (_channel, message) => {
        this.#published = message;
        return new Promise(() => {});
      },
    };
    const nsp = { name, server: { encoder: new Encoder(), opts: {} } };
    this.#adapter = createShardedAdapter(client, client, {})(nsp);
    this.#adapter.apply = (opts, callback) => this.#apply(opts, callback);
    const { onMessage } = Object.getPrototypeOf(this.#adapter);
    this.#adapter.onMessage = (message) => {
      setType(message.data?.packet);
      onMessage.call(this.#adapter, message);
    };
  }

  get uid() {
    return this.#adapter.uid;
  }

  get name() {
    return this.#adapter.nsp.name;
  }

  /** @returns {Buffer} the message that the node publishes for a broadcast */
  publish(packet, { rooms, except, flags }) {
    const opts = { rooms: new Set(rooms), except: new Set(except), flags };
    this.#adapter.broadcast(packet, opts);
    return Buffer.from(this.#published);
  }

  /** Replaces the adapter's `apply()`: one client receives everything. */
  #apply(opts, callback) {
    const writeToEngine = (encoded, flags) => {
      this.#sent = effectOf(encoded, opts, flags);
    };
    callback({ client: { writeToEngine } });
  }

  /**
   * Receives a message.
   *
   * @param {Buffer} message
   * @returns {object} `error` if that throws; else `decoded`, with `isOther` if it is anything but a
   *   broadcast without acknowledgements, or `sent`, the effect, undefined if it is ignored
   */
  receive(message) {
    try {
      const decoded = message[0] === 0x7b ? JSON.parse(message.toString()) : decode(message);
      if (isObject(decoded) && isOther(decoded)) return { decoded, isOther: true };
      this.#sent = undefined;
      this.#handler(message, this.#adapter.channel);
      return { decoded, sent: this.#sent };
    } catch (error) {
      return { error };
    }
  }
}

module.exports = { OfficialShardedNode };
