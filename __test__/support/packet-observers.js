"use strict";

/**
 * Ways in which programs look at the packets that a client sends, between its WebSocket and the
 * listeners of its Socket.IO socket. Each installs itself, and returns a function that undoes it.
 *
 * @typedef {import("./reception.js").Reception} Reception
 * @typedef {(reception: Reception) => () => void} Observer
 */

const { EventEmitter } = require("node:events");
const official = require("socket.io-parser");

/** Events of a WebSocket, a transport and an Engine.IO socket. */
const RECEIVING_EVENTS = ["message", "packet", "data", "heartbeat"];

/** Adds a listener. */
const listen =
  (emitterOf, event, method = "on") =>
  ({ conn, see }) => {
    const emitter = emitterOf(conn);
    const listener = (...args) => see(event, ...args.map(shown));
    emitter[method](event, listener);
    return () => emitter.removeListener(event, listener);
  };

/** Replaces a method by one that reports the call, where it concerns the client, and passes it on. */
const replace =
  (ownerOf, name, concerns = () => true) =>
  (reception) => {
    const owner = ownerOf(reception);
    const descriptor = Object.getOwnPropertyDescriptor(owner, name);
    const method = owner[name];
    owner[name] = function (...args) {
      if (concerns(this, reception, args)) reception.see(name, ...args.map(shown));
      return method.apply(this, args);
    };
    return () => {
      if (descriptor === undefined) delete owner[name];
      else Object.defineProperty(owner, name, descriptor);
    };
  };

/** Replaces `emit()`, and reports what concerns received packets. */
const replaceEmit = (ownerOf, concerns = () => true) =>
  replace(
    ownerOf,
    "emit",
    (emitter, reception, [event]) =>
      RECEIVING_EVENTS.includes(event) && concerns(emitter, reception),
  );

/** Removes a listener of the client, wraps the method, and adds it anew. */
const rebind = (emitterOf, event, name) => (reception) => {
  const { client } = reception.socket;
  const emitter = emitterOf(client);
  const method = client[name];
  emitter.removeListener(event, method);
  client[name] = (...args) => {
    reception.see(name, ...args.map(shown));
    return method(...args);
  };
  emitter.on(event, client[name]);
  return () => {
    emitter.removeListener(event, client[name]);
    client[name] = method;
    emitter.on(event, method);
  };
};

/** Returns a value as it can be compared: no functions, and no more of a class than its name. */
function shown(value) {
  if (typeof value === "function") return "(function)";
  if (Array.isArray(value)) return value.map(shown);
  // With our engine, the text of a message is a string. These bytes are no UTF-8, so they differ.
  if (Buffer.isBuffer(value)) return value.toString();
  if (typeof value !== "object" || value === null) return value;
  const isPlain = Object.getPrototypeOf(value) === Object.prototype;
  return isPlain ? JSON.stringify(value) : value.constructor.name;
}

const conn = (of) => of;
const transport = ({ transport }) => transport;
const webSocket = ({ transport }) => transport.socket;
const proto = Object.getPrototypeOf;
/** Returns the prototype above that of an object, which has the inherited methods. */
const grandProto = (object) => proto(proto(object));

/** Observers of packets at the WebSocket, the transport and the Engine.IO socket. @type {Record<string, Observer>} */
const connectionObservers = {
  "a packet listener": listen(conn, "packet"),
  "a packet listener in front": listen(conn, "packet", "prependListener"),
  "a packet listener for one packet": listen(conn, "packet", "once"),
  "a data listener": listen(conn, "data"),
  "a data listener in front": listen(conn, "data", "prependListener"),
  "a data listener for one packet": listen(conn, "data", "prependOnceListener"),
  "a message listener": listen(conn, "message"),
  "a listener of the transport": listen(transport, "packet"),
  "a listener of the transport in front": listen(transport, "packet", "prependListener"),
  "a listener of the WebSocket": listen(webSocket, "message"),
  "a listener of the WebSocket in front": listen(webSocket, "message", "prependListener"),
  "onmessage of the WebSocket": (reception) => {
    const socket = reception.conn.transport.socket;
    socket.onmessage = ({ data, type }) => reception.see("onmessage", type, shown(data));
    return () => {
      socket.onmessage = null;
    };
  },
  "emit() of the socket": replaceEmit(({ conn }) => conn),
  "emit() of the transport": replaceEmit(({ conn }) => conn.transport),
  "emit() of the WebSocket": replaceEmit(({ conn }) => conn.transport.socket),
  "onPacket() of the transport": replace(({ conn }) => conn.transport, "onPacket"),
  "the parser of the transport": ({ conn, see }) => {
    const { transport } = conn;
    const { parser } = transport;
    const decodePacket = (...args) => {
      see("decodePacket", ...args.map(shown));
      return parser.decodePacket(...args);
    };
    transport.parser = { encodePacket: parser.encodePacket, decodePacket };
    return () => {
      transport.parser = parser;
    };
  },
  "emit() of all emitters": replaceEmit(
    () => EventEmitter.prototype,
    (emitter, { conn }) => [conn, conn.transport, conn.transport.socket].includes(emitter),
  ),
  "emit() of all engine sockets": replaceEmit(
    ({ conn }) => proto(conn),
    (emitter, { conn }) => emitter === conn,
  ),
  "onData() of all transports": replace(({ conn }) => grandProto(conn.transport), "onData"),
  "onPacket() of all transports": replace(({ conn }) => grandProto(conn.transport), "onPacket"),
};

/** Observers of packets at the client, its decoder and `JSON`. @type {Record<string, Observer>} */
const clientObservers = {
  "a listener of the decoder": ({ socket, see }) => {
    const { decoder } = socket.client;
    const listener = (packet) => see("decoded", shown(packet));
    decoder.on("decoded", listener);
    return () => decoder.off("decoded", listener);
  },
  "ondata() of the client": rebind(({ conn }) => conn, "data", "ondata"),
  "ondecoded() of the client": rebind(({ decoder }) => decoder, "decoded", "ondecoded"),
  "_parseNamespace() of the client": replace(({ socket }) => socket.client, "_parseNamespace"),
  "_parseNamespace() of all clients": replace(
    ({ socket }) => proto(socket.client),
    "_parseNamespace",
  ),
  "add() of the decoder": replace(({ socket }) => socket.client.decoder, "add"),
  "add() of the server's decoders": replace(({ socket }) => proto(socket.client.decoder), "add"),
  "add() of socket.io-parser": replace(() => official.Decoder.prototype, "add"),
  "another decoder": ({ socket, see }) => {
    const { client } = socket;
    const { decoder } = client;
    client.decoder = {
      add(data) {
        see("decoder", shown(data));
        decoder.add(data);
      },
    };
    return () => {
      client.decoder = decoder;
    };
  },
  "a reviver of the decoder": ({ socket, see }) => {
    const { opts } = socket.client.decoder;
    opts.reviver = (key, value) => {
      see("reviver", key);
      return value;
    };
    return () => {
      opts.reviver = undefined;
    };
  },
  "JSON.parse": replace(() => JSON, "parse"),
  "a map of namespaces": ({ socket, see }) => {
    const { client } = socket;
    const { nsps } = client;
    client.nsps = new (class extends Map {
      get(name) {
        see("get", name);
        return super.get(name);
      }
    })(nsps);
    return () => {
      client.nsps = nsps;
    };
  },
};

/**
 * Methods that stock parts bind, and call only for connections that are made later. @type
 * {Record<string, Observer>}
 */
const boundObservers = {
  "onPacket() of an engine socket": replace(({ conn }) => conn, "onPacket"),
  "onPacket() of all engine sockets": replace(({ conn }) => proto(conn), "onPacket"),
  "ondata() of all clients": replace(({ socket }) => proto(socket.client), "ondata"),
  "ondecoded() of all clients": replace(({ socket }) => proto(socket.client), "ondecoded"),
};

/** Observers of packets at the Socket.IO socket or behind it, whatever the layers in front do. */
const socketObservers = {
  "_onpacket() of a socket": replace(({ socket }) => socket, "_onpacket"),
  "_onpacket() of all sockets": replace(({ socket }) => proto(socket), "_onpacket"),
  "onevent() of all sockets": replace(({ socket }) => proto(socket), "onevent"),
  "onack() of all sockets": replace(({ socket }) => proto(socket), "onack"),
  "dispatch() of a socket": replace(({ socket }) => socket, "dispatch"),
  "dispatch() of all sockets": replace(({ socket }) => proto(socket), "dispatch"),
  "a middleware": ({ socket, see }) => {
    const { fns } = socket;
    socket.use((event, next) => {
      see("middleware", shown(event));
      next();
    });
    return () => {
      socket.fns = fns.slice(0, -1);
    };
  },
  "nextTick()": replace(
    () => process,
    "nextTick",
    (_process, _reception, [callback]) => /_onpacket/.test(callback),
  ),
};

module.exports = { boundObservers, clientObservers, connectionObservers, socketObservers };
