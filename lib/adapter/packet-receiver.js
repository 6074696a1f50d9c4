"use strict";

const { EventEmitter } = require("node:events");
const { Decoder } = require("../parser/index.js");
const { isPayloadValid } = require("../parser/packet.js");
const { receptionLayersOf, textOf } = require("../untouched.js");

/** Engine.IO v4, "Packet types": the character of a message. */
const MESSAGE = 0x34;

/** Node's own method; `null` if it was replaced before this package was loaded, also by `node:domain`. */
const emit = textOf(EventEmitter.prototype.emit).startsWith("function emit(type,")
  ? EventEmitter.prototype.emit
  : null;

/** Programs whose `DEBUG` may name a layer expect its output. */
const isDebugged = /\*|engine|socket\.io/.test(process.env.DEBUG ?? "");

/** The source of the last class of transports, and of the listener in it that gets messages. */
const latest = { Transport: null, source: "", listener: "" };

/**
 * The short way of received packets to a Socket.IO client: without ws's WebSocket, engine.io's transport
 * and socket, and the parser's decoder, which only pass a packet on if nobody listens in between and no
 * method has been replaced. `isPlain` verifies that before each packet, so a listener gets the packets
 * that follow its addition, in order. It compares listeners in Node's `_events`: `listeners()` would cost
 * as much as the layers.
 *
 * Packets that a worker has split go to the Socket.IO socket as by `Client.ondecoded()`, other messages
 * to the client's decoder. What cannot go is emitted on the WebSocket by the caller.
 */
class PacketReceiver {
  /** True while the worker splits packets. @private */
  isSplitting = false;

  /**
   * @param {import("../engine/connection.js").Connection} connection
   * @param {import("engine.io").Socket} conn
   * @param {object} client of Socket.IO
   * @param {{ areUntouched: boolean }} layers the classes in between
   */
  constructor(connection, conn, client, layers) {
    this.connection = connection;
    this.conn = conn;
    this.client = client;
    this.layers = layers;
    /** The listeners of engine.io and socket.io, which have to be the only ones. @private */
    this.onMessage = connection.websocket._events.message;
    /** @private */
    this.onPacket = conn.transport._events.packet;
    this.split(this.isPlain);
  }

  /**
   * Receives a packet that a worker has split.
   *
   * @param {import("../engine/packet-batch.js").PacketBatch} packet
   * @returns {boolean} false if its text has to be received, by `handleMessage()`
   */
  handlePacket(packet) {
    const { client } = this;
    const { type, nsp, id, data } = packet;
    const socket = client.nsps.get(nsp);
    const isShort = socket !== undefined && isPayloadValid(type, data) && isDecoderPlain(client);
    if (!isShort || !this.isPlain) return false;
    const decoded = id === undefined ? { type, nsp, data } : { type, nsp, id, data };
    // As in `Client.ondecoded()`: a program may have replaced it.
    process.nextTick(handleDecoded, socket, decoded);
    return true;
  }

  /**
   * Receives a message that is not split.
   *
   * @param {string | Buffer} message
   * @param {boolean} isBinary
   * @returns {boolean} false if it has to be emitted on the WebSocket
   */
  handleMessage(message, isBinary) {
    const isPlain = this.isPlain;
    if (isPlain !== this.isSplitting) this.split(isPlain);
    if (!isPlain || !(isBinary || isText(message))) return false;
    this.conn._events.data.call(this.conn, isBinary ? message : message.slice(1));
    return true;
  }

  /** True if the layers do nothing but pass a packet on. @private */
  get isPlain() {
    const { connection, conn, client } = this;
    const { websocket } = connection;
    const { transport, _events: events } = conn;
    return (
      events.data === client.ondata &&
      events.packet === undefined &&
      events.message === undefined &&
      conn.emit === emit &&
      conn.readyState === "open" &&
      conn.pingTimeoutTimer === null &&
      transport._events.packet === this.onPacket &&
      transport.emit === emit &&
      websocket._events.message === this.onMessage &&
      websocket.emit === emit &&
      websocket._binaryType === "nodebuffer" &&
      connection.receiver === websocket &&
      this.layers.areUntouched
    );
  }

  /** Has the worker split packets, or stop. @private */
  split(isSplit) {
    if (isSplit === this.isSplitting) return;
    this.isSplitting = isSplit;
    this.connection.command("splitPackets", isSplit);
  }
}

/** Returns whether a client's decoder is ours, waits for no attachment, and only the client listens to it. */
function isDecoderPlain({ decoder, ondecoded }) {
  const listeners = decoder._callbacks?.$decoded;
  return (
    decoder.add === Decoder.prototype.add &&
    decoder.reconstructor === null &&
    decoder.opts.reviver === undefined &&
    listeners?.length === 1 &&
    listeners[0] === ondecoded
  );
}

/** Returns whether a text is a message of Engine.IO with data. */
function isText(message) {
  return message.length > 1 && message.charCodeAt(0) === MESSAGE;
}

function handleDecoded(socket, packet) {
  socket._onpacket(packet);
}

/**
 * Returns the receiver of a connection; `null` if packets have to go through all layers as long as it
 * lives.
 *
 * @param {import("../engine/connection.js").Connection} connection
 * @param {import("engine.io").Socket} conn whose transport has the connection
 * @param {object} client of Socket.IO
 * @returns {PacketReceiver | null}
 */
function packetReceiverOf(connection, conn, client) {
  const isKnown =
    !isDebugged &&
    conn.protocol === 4 &&
    // engine.io before 6.6.7 restarts a timer with each packet.
    conn.hasRefreshedPingTimeout !== undefined &&
    isOfTransport(connection.websocket._events.message, conn.transport) &&
    conn.transport._events.packet?.name === "bound onPacket" &&
    client.ondata?.name === "bound ondata" &&
    client.ondecoded?.name === "bound ondecoded";
  const layers = isKnown ? receptionLayersOf(conn, client) : null;
  return layers === null ? null : new PacketReceiver(connection, conn, client, layers);
}

/** Returns whether a listener is the function of a transport's class, by the text of both. */
function isOfTransport(listener, { constructor: Transport }) {
  if (latest.Transport !== Transport) {
    latest.Transport = Transport;
    latest.source = textOf(Transport);
    latest.listener = "";
  }
  const text = textOf(listener);
  if (text === latest.listener) return text !== "";
  if (!latest.source.includes(text)) return false;
  latest.listener = text;
  return text !== "";
}

module.exports = { packetReceiverOf };
