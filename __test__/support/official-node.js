"use strict";

/** What a node with @socket.io/redis-adapter 8.3 and socket.io-parser makes of a broadcast. */

const { decode } = require("notepack.io");
const { Encoder } = require("socket.io-parser");

const encoder = new Encoder();

/** Rooms as JSON shows them: strings, finite numbers, null for all else. */
function roomNames(rooms) {
  return Array.from(rooms ?? [], (room) =>
    typeof room === "string" || Number.isFinite(room) ? room : null,
  );
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
    const flags = opts.flags || {};
    const [text, ...attachments] = encoder.encode(packet);
    const sent = {
      uid: typeof uid === "string" ? uid : null,
      text,
      attachments: attachments.map((attachment) => Buffer.from(attachment).toString("hex")),
      rooms: roomNames(opts.rooms),
      except: roomNames(opts.except),
      volatile: Boolean(flags.volatile),
      compressed: flags.compress !== false,
    };
    return { sent, decoded, packet, opts };
  } catch (error) {
    return { error };
  }
}

module.exports = { receive, roomNames };
