"use strict";

/** Receives broadcasts as a node with @socket.io/redis-adapter 8.3 and socket.io-parser does. */

const { decode } = require("notepack.io");
const { Encoder } = require("socket.io-parser");

const encoder = new Encoder();

/** The types of events and acknowledgements, as publishers write them. */
const TYPES = new Map([2, 3, 5, 6].flatMap((type) => [type, String(type)].map((it) => [it, type])));

/**
 * Corrects the type of a packet: socket.io-parser knows neither `"2"` beside binary data, nor the
 * binary types beside attachments in place, which emitters of Socket.IO 2 write.
 */
function setType(packet) {
  const type = TYPES.get(packet?.type);
  if (type !== undefined) packet.type = type > 3 ? type - 3 : type;
}

/** Returns each room once, as in JSON: strings, finite numbers, booleans, null for all else. */
function roomNames(rooms) {
  const isShown = (room) => ["string", "boolean"].includes(typeof room) || Number.isFinite(room);
  return [...new Set(Array.from(new Set(rooms), (room) => (isShown(room) ? room : null)))];
}

/** Returns the effect of a broadcast, as the Rust codec prints it. */
function effectOf([text, ...attachments], { rooms, except }, { volatile }) {
  return {
    text,
    attachments: attachments.map((attachment) => Buffer.from(attachment).toString("hex")),
    rooms: roomNames(rooms),
    except: roomNames(except),
    volatile: Boolean(volatile),
  };
}

/**
 * Decodes a broadcast and encodes its packet for the clients, as the adapter's `onmessage` and
 * its base class do.
 *
 * @param {Buffer} message
 * @returns {object} `error` if that throws; else `sent`, the effect, and the decoded parts
 */
function receive(message) {
  try {
    const decoded = decode(message);
    const [uid, packet, opts] = decoded;
    if (packet.nsp === undefined) packet.nsp = "/";
    setType(packet);
    opts.rooms = new Set(opts.rooms);
    opts.except = new Set(opts.except);
    const effect = effectOf(encoder.encode(packet), opts, opts.flags || {});
    const sent = { uid: typeof uid === "string" ? uid : null, ...effect };
    return { sent, decoded, packet, opts };
  } catch (error) {
    return { error };
  }
}

module.exports = { effectOf, receive, setType };
