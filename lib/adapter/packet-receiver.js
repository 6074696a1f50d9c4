"use strict";

const { EventEmitter } = require("node:events");
const { Decoder } = require("../parser/index.js");
const { isPayloadValid } = require("../parser/packet.js");
const { receptionLayersOf, textOf } = require("../untouched.js");

/** Engine.IO v4, "Packet types": the character of a message. */
const MESSAGE = 0x34;

/** The text of Node's own `emit()`. */
const EMIT = /^function emit\(type, \.\.\.args\) \{\s+let doError = /;

/** Node's own method; `null` if it was replaced before this package was loaded, also by `node:domain`. */
const emit = EMIT.test(textOf(EventEmitter.prototype.emit)) ? EventEmitter.prototype.emit : null;

/** The method of our decoders, unless a program replaces it. */
const { add } = Decoder.prototype;

/** Programs whose `DEBUG` may name a layer expect its output. */
const isDebugged = /\*|engine|socket\.io/.test(process.env.DEBUG ?? "");

/** The last class of transports: its source, the listener in it that gets messages, and its parser. */
const latest = { Transport: null, source: "", listener: "", parser: null };

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
  /**
   * @param {import("../engine/connection.js").Connection} connection
   * @param {import("engine.io").Socket} conn
   * @param {object} client of Socket.IO
   * @param {object} layers the methods in between, `ReceptionLayers`
   */
  constructor(connection, conn, client, layers) {
    this.connection = connection;
    this.conn = conn;
    this.client = client;
    this.layers = layers;
    /** The listeners and the parser of engine.io and socket.io, which have to be in place. @private */
    this.ondata = client.ondata;
    /** @private */
    this.ondecoded = client.ondecoded;
  }

  /** Begins to receive. @returns {this} */
  begin() {
    this.split(this.isPlain && this.isDecoderPlain);
    return this;
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
    if (socket === undefined || !isPayloadValid(type, data)) return false;
    if (!this.isPlain || this.isRefreshing) return false;
    if (!this.isDecoderPlain || client.decoder.reconstructor !== null) return false;
    const decoded = id === undefined ? { type, nsp, data } : { type, nsp, id, data };
    // As `Client.ondecoded()` does, for programs that have replaced `nextTick()`.
    process.nextTick(() => {
      socket._onpacket(decoded);
    });
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
    const { conn, isPlain } = this;
    this.split(isPlain && this.isDecoderPlain);
    if (!isPlain || this.isRefreshing || !(isBinary || isText(message))) return false;
    const data = isBinary ? message : message.slice(1);
    this.ondata.call(conn, data);
    // The socket's listeners of errors, which `ondata()` may have called, can have added one.
    if (conn._events.message !== undefined) conn.emit("message", data);
    return true;
  }

  /** True if the layers before the decoder do nothing but pass a packet on. @private */
  get isPlain() {
    return this.isConnPlain && this.isTransportPlain;
  }

  /** @private */
  get isConnPlain() {
    const { conn, layers } = this;
    const { _events: events } = conn;
    return (
      events.data === this.ondata &&
      events.packet === undefined &&
      events.message === undefined &&
      conn.emit === emit &&
      conn.readyState === "open" &&
      this.client._parseNamespace === layers.parseNamespace &&
      layers.areUntouched
    );
  }
  /** True if the next packet extends the wait for a heartbeat, which engine.io's socket does. @private */
  get isRefreshing() {
    return this.conn.pingTimeoutTimer !== null && !this.conn.hasRefreshedPingTimeout;
  }

  /** True if the client's decoder is ours, and only the client listens to it. @private */
  get isDecoderPlain() {
    const { decoder } = this.client;
    const listeners = decoder._callbacks?.$decoded;
    return (
      decoder.add === add &&
      decoder.opts.reviver === undefined &&
      listeners?.length === 1 &&
      listeners[0] === this.ondecoded
    );
  }

  /** Has the worker split packets, or stop. @private */
  split(isSplit) {
    if (isSplit === this.isSplitting) return;
    this.isSplitting = isSplit;
    this.connection.command("splitPackets", isSplit);
  }
}

/** The receiver of a connection whose WebSocket and transport exist. */
class TransportReceiver extends PacketReceiver {
  constructor(connection, conn, client, layers) {
    super(connection, conn, client, layers);
    /** @private */
    this.onMessage = connection.websocket._events.message;
    /** @private */
    this.onPacket = conn.transport._events.packet;
    /** @private */
    this.parser = conn.transport.parser;
  }

  /** @private */
  get isTransportPlain() {
    const { connection, layers } = this;
    const { websocket } = connection;
    const { transport } = this.conn;
    return (
      transport._events.packet === this.onPacket &&
      transport.onPacket === layers.onPacket &&
      transport.parser === this.parser &&
      transport.emit === emit &&
      websocket._events.message === this.onMessage &&
      websocket.emit === emit &&
      websocket._binaryType === "nodebuffer" &&
      connection.receiver === websocket
    );
  }
}

/** The receiver of a lean socket, which has neither. */
class LeanReceiver extends PacketReceiver {
  /** Only classes can have been changed. @private */
  get isTransportPlain() {
    const { transport, onPacket } = this.layers;
    return transport.onPacket === onPacket && transport.emit === emit;
  }
}

/** True while the worker splits packets. On the prototype until it changes. @private */
PacketReceiver.prototype.isSplitting = false;
LeanReceiver.prototype.isSplitting = true;

/** Returns whether a message is a text with a message of Engine.IO that has data. */
function isText(message) {
  return typeof message === "string" && message.length > 1 && message.charCodeAt(0) === MESSAGE;
}

/**
 * Returns the receiver of a connection; `null` if packets have to go through all layers as long as it
 * lives.
 *
 * @param {import("../engine/connection.js").Connection} connection
 * @param {import("engine.io").Socket} conn whose transport has the connection
 * @param {object} client of Socket.IO
 * @param {object | null} lean stands for the transport of a lean socket
 * @returns {PacketReceiver | null}
 */
function packetReceiverOf(connection, conn, client, lean) {
  const isKnown =
    !isDebugged &&
    (lean !== null || isTransportKnown(connection, conn)) &&
    client.ondata?.name === "bound ondata" &&
    client.ondecoded?.name === "bound ondecoded";
  const layers = isKnown ? receptionLayersOf(conn, client, lean) : null;
  if (layers === null) return null;
  const Receiver = lean === null ? TransportReceiver : LeanReceiver;
  return new Receiver(connection, conn, client, layers).begin();
}

/** Returns whether the transport of a connection is engine.io's, with its listeners and no others. */
function isTransportKnown(connection, conn) {
  return (
    // engine.io before 6.6.7 restarts a timer with each packet.
    conn.hasRefreshedPingTimeout !== undefined &&
    // Long-polling on a worker has none.
    connection.websocket?._settings.connection.isTextAsString &&
    isOfTransport(connection.websocket._events.message, conn.transport) &&
    // Engine.IO v3 has another.
    conn.transport.parser === latest.parser &&
    conn.transport._events.packet?.name === "bound onPacket"
  );
}

/** Returns whether a listener is the function of a transport's class, by the text of both. */
function isOfTransport(listener, { constructor: Transport }) {
  if (latest.Transport !== Transport) rememberTransport(Transport);
  const text = textOf(listener);
  if (text !== latest.listener && latest.source.includes(text)) latest.listener = text;
  return text !== "" && text === latest.listener;
}

function rememberTransport(Transport) {
  const Base = Object.getPrototypeOf(Transport);
  const { parser } = new Base({ _query: { EIO: "4" } });
  Object.assign(latest, { Transport, source: textOf(Transport), listener: "", parser });
}

module.exports = { packetReceiverOf };
