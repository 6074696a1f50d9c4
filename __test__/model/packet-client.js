"use strict";

/**
 * A client of Engine.IO v4 or v3 and Socket.IO for the random programs: it takes one step at a time
 * and logs each packet as it is received. It has no heartbeat, as its servers send none in time.
 */

const { PollingWire, WebSocketWire } = require("./engine-wires.js");
const { shown } = require("../support/websocket/client.js");

// Socket.IO v5, "Packet encoding": type, number of attachments, namespace, ack id, JSON.
const PACKET = /^(\d)(?:(\d+)-)?(?:(\/[^,]*),?)?(\d+)?(.*)$/s;
const BINARY_EVENT = "5";
const EVENTS = ["2", BINARY_EVENT];
/** Socket.IO, "Connection state recovery": the offset is the last argument. */
const OFFSET = /"([^"]+)"\]$/;

/**
 * @typedef {object} DueAck
 * @property {string} namespace
 * @property {string} id
 * @property {string} event that is to be acknowledged
 */

class PacketClient {
  /** Messages that were received, the ends of connections, and marks of `note()`. */
  log = [];
  /** Events whose acknowledgement is still to be sent. @type {DueAck[]} */
  due = [];
  /** Messages that have been sent on this connection. */
  sent = 0;
  isOpen = false;
  isEnded = false;
  /** The text of the last WebSocket ping. */
  lastPing = "";
  /** True once the server has answered the probe. */
  isProbed = false;

  #port;
  #name;
  #version;
  #offersDeflate;
  #engineSid;
  #wire;
  #probe;
  /** A binary event whose attachments are incomplete: how many are missing, and the ack due. */
  #unfinished;
  /** For each namespace, the session that a later connection can restore. */
  #sessions = new Map();

  /**
   * @param {number} port
   * @param {string} name sent to the server as the query parameter `client`
   * @param {{ version: 3 | 4, transport: "websocket" | "polling", offersDeflate?: boolean }} how
   */
  constructor(port, name, how) {
    this.#name = name;
    this.connect(port, how);
  }

  /** Opens a connection; the one before must have ended. */
  connect(port, { version, transport, offersDeflate }) {
    this.#port = port;
    this.#version = version;
    this.#offersDeflate = offersDeflate;
    this.#engineSid = undefined;
    this.due = [];
    this.sent = 0;
    this.isOpen = false;
    this.isEnded = false;
    this.isProbed = false;
    const Wire = transport === "websocket" ? WebSocketWire : PollingWire;
    const request = this.#request(transport);
    this.#wire = new Wire(this.#port, request, {
      handlePacket: (packet) => this.#handlePacket(packet),
      handlePing: (text) => {
        this.lastPing = text;
      },
      handleEnd: (how) => this.#handleEnd(how),
    });
  }

  #request(transport) {
    const version = this.#version;
    const sid = this.#engineSid === undefined ? "" : `&sid=${this.#engineSid}`;
    const target = `/socket.io/?EIO=${version}&transport=${transport}&client=${this.#name}${sid}`;
    return { target, version, offersDeflate: this.#offersDeflate };
  }

  /** Adds a mark to the log. */
  note(text) {
    this.log.push(text);
  }

  /**
   * Sends a Socket.IO packet.
   *
   * @param {string} text
   * @param {Buffer[]} [attachments]
   * @returns {Promise<void>} once it is written, or by polling, once the server has answered
   */
  async send(text, attachments = []) {
    for (const packet of [`4${text}`, ...attachments]) {
      this.sent++;
      await this.#wire.send(packet);
    }
  }

  /**
   * Enters a namespace.
   *
   * @param {string} namespace
   * @param {boolean} [isReturning] whether to restore its session there
   */
  attach(namespace, isReturning = false) {
    const session = isReturning ? this.#sessions.get(namespace) : undefined;
    const auth = session === undefined ? "" : JSON.stringify(session);
    return this.send(`0${prefixOf(namespace)}${auth}`);
  }

  detach(namespace) {
    return this.send(`1${prefixOf(namespace)}`);
  }

  /** Acknowledges an event. */
  acknowledge({ namespace, id, event }) {
    return this.send(`3${prefixOf(namespace)}${id}["${this.#name} has ${event}"]`);
  }

  /** Opens a WebSocket beside the polling transport, and probes it. */
  probe() {
    this.#probe = new WebSocketWire(this.#port, this.#request("websocket"), {
      handlePacket: (packet) => {
        if (packet === "3probe") this.isProbed = true;
        else this.#handlePacket(packet);
      },
      handlePing: (text) => {
        this.lastPing = text;
      },
      handleEnd: (how) => this.#handleProbeEnd(how),
    });
    this.#probe.send("2probe");
  }

  /**
   * Stops polling.
   *
   * @returns {Promise<void>} once the server has answered the poll under way
   */
  pause() {
    return this.#wire.pause();
  }

  /** Upgrades to the WebSocket that has been probed. */
  upgrade() {
    this.#wire.retire();
    this.#wire = this.#probe;
    this.#probe = undefined;
    this.#wire.send("5");
  }

  /** Begins to close the connection. */
  close() {
    this.#wire.close();
  }

  /** Ends the connection without a close packet or frame. */
  vanish() {
    this.#wire.destroy();
  }

  /** True while a WebSocket that was probed is open beside the polling transport. */
  get isProbing() {
    return this.#probe !== undefined;
  }

  #handleEnd(how) {
    this.isEnded = true;
    this.log.push(how);
    this.#probe?.destroy();
  }

  #handleProbeEnd(how) {
    if (this.#probe === undefined) this.#handleEnd(how);
    this.#probe = undefined;
  }

  #handlePacket(packet) {
    if (typeof packet !== "string") this.#handleAttachment(packet);
    else if (packet[0] === "0") this.#handleOpen(JSON.parse(packet.slice(1)));
    else if (packet[0] === "4") this.#handleMessage(packet.slice(1));
    else this.log.push(`engine packet ${packet}`);
  }

  #handleOpen({ sid }) {
    this.#engineSid = sid;
    this.#wire.setSid?.(sid);
    this.isOpen = true;
  }

  #handleMessage(text) {
    this.log.push(text);
    const [, type, attachments = "0", namespace = "/", id, json] = PACKET.exec(text);
    if (type === "0" && json !== "") this.#sessions.set(namespace, JSON.parse(json));
    if (!EVENTS.includes(type)) return;
    const session = this.#sessions.get(namespace);
    const offset = OFFSET.exec(json)?.[1];
    if (session !== undefined && offset !== undefined) session.offset = offset;
    const ack = id === undefined ? undefined : { namespace, id, event: JSON.parse(json)[0] };
    this.#unfinished = { missing: Number(attachments), ack };
    this.#handleIfComplete();
  }

  #handleAttachment(bytes) {
    this.log.push(`binary ${shown(bytes)}`);
    if (this.#unfinished === undefined) return;
    this.#unfinished.missing--;
    this.#handleIfComplete();
  }

  #handleIfComplete() {
    const { missing, ack } = this.#unfinished;
    if (missing > 0) return;
    if (ack !== undefined) this.due.push(ack);
    this.#unfinished = undefined;
  }
}

/**
 * @param {string} line of a client's log
 * @returns {{ namespace?: string, event?: string, argument?: unknown }} of an event; empty for other
 *   lines
 */
function parsePacket(line) {
  const [, type, , namespace = "/", , json] = PACKET.exec(line) ?? [];
  if (!EVENTS.includes(type)) return {};
  const [event, argument] = JSON.parse(json);
  return { namespace, event, argument };
}

const prefixOf = (namespace) => (namespace === "/" ? "" : `${namespace},`);

module.exports = { PacketClient, parsePacket };
