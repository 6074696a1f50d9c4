"use strict";

/** What a node with @socket.io/redis-adapter 8.3 and socket.io-parser makes of a broadcast. */

const { decode } = require("notepack.io");
const { Encoder } = require("socket.io-parser");

const encoder = new Encoder();

/** What a publisher calls the types of events and acknowledgements, and what they are. */
const TYPES = new Map([2, 3, 5, 6].flatMap((type) => [type, String(type)].map((it) => [it, type])));

/**
 * Gives a packet the type that its publisher means: socket.io-parser knows neither `"2"` beside
 * binary data, nor the types of clients beside attachments in place, as emitters of Socket.IO 2 give
 * them.
 */
function setType(packet) {
  const type = TYPES.get(packet?.type);
  if (type !== undefined) packet.type = type > 3 ? type - 3 : type;
}

/** Each room once, as JSON shows it: strings, finite numbers, booleans, null for all else. */
function roomNames(rooms) {
  const isShown = (room) => ["string", "boolean"].includes(typeof room) || Number.isFinite(room);
  return [...new Set(Array.from(new Set(rooms), (room) => (isShown(room) ? room : null)))];
}

/**
 * Decodes a broadcast and encodes its packet for the clients, as the adapter's `onmessage` and
 * its base class do.
 *
 * @param {Buffer} message
 * @returns {object} `error` if that throws; else `sent`, what it comes to, and what was decoded
 */
function receive(message) {
  try {
    const decoded = decode(message);
    const [uid, packet, opts] = decoded;
    if (packet.nsp === undefined) packet.nsp = "/";
    setType(packet);
    opts.rooms = new Set(opts.rooms);
    opts.except = new Set(opts.except);
    const flags = opts.flags || {};
    const [text, ...attachments] = encoder.encode(packet);
    const sent = {
      uid: typeof uid === "string" ? uid : null,
      text,
      attachments: attachments.map((attachment) => Buffer.from(attachment).toString("hex")),
      rooms: roomNames(opts.rooms),
      except: roomNames(opts.except),
      volatile: Boolean(flags.volatile),
    };
    return { sent, decoded, packet, opts };
  } catch (error) {
    return { error };
  }
}

module.exports = { receive, roomNames, setType };
