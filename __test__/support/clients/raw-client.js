"use strict";

/**
 * A client of Engine.IO v4 and Socket.IO v5 by hand over a plain WebSocket, without code of the
 * official packages that could hide errors of a server. It has the part of socket.io-client's
 * interface that the tests need.
 */

const { WebSocket } = require("ws");

// Socket.IO v5, "Packet encoding": type, number of attachments, namespace, ack id, JSON.
const PACKET = /^(\d)(?:(\d+)-)?(?:(\/[^,]*),)?(\d+)?(.*)$/s;
const CONNECT = "0";
const DISCONNECT = "1";
const EVENT = "2";
const ACK = "3";
const CONNECT_ERROR = "4";
const BINARY_EVENT = "5";
const BINARY_ACK = "6";

/** In milliseconds. */
const RECONNECTION_DELAY = 50;

class RawClient {
  #origin;
  #prefix;
  #auth;
  #reconnects;
  #webSocket;
  #listeners = new Map();
  #acknowledgements = [];
  #unfinished;
  #session;
  #offset;

  /** True if the server has restored the session of the previous connection. */
  recovered = false;

  constructor(origin, { namespace = "/", auth, reconnection = false } = {}) {
    this.#origin = origin.replace("http:", "ws:");
    this.#prefix = namespace === "/" ? "" : `${namespace},`;
    this.#auth = auth;
    this.#reconnects = reconnection;
    this.#open();
  }

  on(event, listener) {
    this.#listeners.set(event, listener);
  }

  /** The tests listen once only to events that are emitted once. */
  once(event, listener) {
    this.on(event, listener);
  }

  emit(...args) {
    let id = "";
    if (typeof args.at(-1) === "function") id = this.#acknowledgements.push(args.pop()) - 1;
    this.#write(EVENT, BINARY_EVENT, id, args);
  }

  disconnect() {
    this.#reconnects = false;
    if (this.#webSocket.readyState === WebSocket.OPEN) {
      this.#webSocket.send(`4${DISCONNECT}${this.#prefix}`);
      this.#webSocket.close();
    }
  }

  #open() {
    this.#webSocket = new WebSocket(`${this.#origin}/socket.io/?EIO=4&transport=websocket`);
    this.#webSocket.on("message", (data, isBinary) => {
      if (isBinary) this.#handleAttachment(data);
      else this.#handleText(String(data));
    });
    this.#webSocket.on("close", (code) => {
      this.#dispatch("disconnect", `close ${code}`);
      if (this.#reconnects) setTimeout(() => this.#reconnects && this.#open(), RECONNECTION_DELAY);
    });
    this.#webSocket.on("error", () => {});
  }

  /** Engine.IO v4, "Packet encoding". */
  #handleText(text) {
    const rest = text.slice(1);
    if (text[0] === "0") this.#connect();
    else if (text[0] === "2") this.#webSocket.send(`3${rest}`);
    else if (text[0] === "4") this.#handlePacket(rest);
  }

  #connect() {
    const payload = this.#session ? { ...this.#session, offset: this.#offset } : this.#auth;
    this.#webSocket.send(`4${CONNECT}${this.#prefix}${payload ? JSON.stringify(payload) : ""}`);
  }

  #handlePacket(text) {
    const [, type, attachments = "0", , id, json] = PACKET.exec(text);
    const data = json === "" ? undefined : JSON.parse(json);
    const packet = { type, id, data, missing: Number(attachments), attachments: [] };
    if (packet.missing > 0) this.#unfinished = packet;
    else this.#handleComplete(packet);
  }

  #handleAttachment(bytes) {
    const packet = this.#unfinished;
    packet.attachments.push(bytes);
    if (packet.attachments.length < packet.missing) return;
    this.#unfinished = undefined;
    packet.data = replace(packet.data, isPlaceholder, ({ num }) => packet.attachments[num]);
    this.#handleComplete(packet);
  }

  #handleComplete({ type, id, data }) {
    if (type === CONNECT) this.#handleConnect(data);
    else if (type === DISCONNECT) this.#dispatch("disconnect", "disconnect packet");
    else if (type === CONNECT_ERROR) this.#dispatch("connect_error", data);
    else if (type === ACK || type === BINARY_ACK) this.#acknowledgements[id](...data);
    else this.#handleEvent(id, data);
  }

  #handleConnect({ pid }) {
    this.recovered = pid !== undefined && pid === this.#session?.pid;
    if (pid !== undefined) this.#session = { pid };
    this.#dispatch("connect");
  }

  #handleEvent(id, args) {
    // Socket.IO, "Connection state recovery": an event without an ack id ends with its offset.
    if (this.#session && id === undefined) this.#offset = args.at(-1);
    const acknowledge = (...answer) => this.#write(ACK, BINARY_ACK, id, answer);
    this.#dispatch(...args, ...(id === undefined ? [] : [acknowledge]));
  }

  #dispatch(event, ...args) {
    this.#listeners.get(event)?.(...args);
  }

  #write(type, binaryType, id, args) {
    const attachments = [];
    const data = replace(args, Buffer.isBuffer, (bytes) => ({
      _placeholder: true,
      num: attachments.push(bytes) - 1,
    }));
    const start = attachments.length === 0 ? type : `${binaryType}${attachments.length}-`;
    this.#webSocket.send(`4${start}${this.#prefix}${id}${JSON.stringify(data)}`);
    for (const bytes of attachments) this.#webSocket.send(bytes);
  }
}

function isPlaceholder(value) {
  return value._placeholder === true;
}

/** Returns a copy of JSON-like data with some objects replaced. */
function replace(value, isReplaced, replacement) {
  if (typeof value !== "object" || value === null) return value;
  if (isReplaced(value)) return replacement(value);
  const inner = (member) => replace(member, isReplaced, replacement);
  if (Array.isArray(value)) return value.map(inner);
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, inner(member)]));
}

module.exports = { RawClient };
