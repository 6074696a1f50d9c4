"use strict";

/**
 * The packets with a key that wait in engine.io: for clients by long-polling, and for those that are
 * left to ws. A worker does the same in its send queues, see `src/fanout/send_queue.rs`.
 */

const { isShown } = require("./paced-socket.js");

/**
 * For each `writeBuffer`, the latest packets by namespace and key. engine.io begins another buffer
 * when it flushes.
 *
 * @type {WeakMap<object[], Map<string, object[]>>}
 */
const waiting = new WeakMap();

/**
 * Has engine.io send the packets of a broadcast to one client. Where older ones of the same key wait
 * in its buffer, the new ones take their place.
 *
 * @param {object} conn engine.io's socket
 * @param {string} key with the namespace
 * @param {object} packetOpts the options of all packets of the broadcast, and of no others
 * @param {() => void} write sends the packets
 */
function writeLatest(conn, key, packetOpts, write) {
  write();
  const { writeBuffer } = conn;
  const start = startOfTail(writeBuffer, packetOpts);
  const packets = writeBuffer.slice(start);
  // None: they have been sent or, if volatile, dropped.
  if (packets.length === 0 || packets.some(isShown)) return;
  const latest = waiting.get(writeBuffer) ?? new Map();
  waiting.set(writeBuffer, latest);
  const place = placeOf(latest.get(key), writeBuffer);
  if (place !== -1) {
    writeBuffer.length = start;
    writeBuffer.splice(place, latest.get(key).length, ...packets);
  }
  latest.set(key, packets);
}

/** Returns the index of the packets with these options at the end of a buffer. */
function startOfTail(writeBuffer, packetOpts) {
  let start = writeBuffer.length;
  while (start > 0 && writeBuffer[start - 1].options === packetOpts) start--;
  return start;
}

/** Returns the index of packets in a buffer; -1 if it does not hold all of them, in a row. */
function placeOf(packets, writeBuffer) {
  if (packets === undefined) return -1;
  const place = writeBuffer.indexOf(packets[0]);
  const isThere = place !== -1 && packets.every((each, i) => writeBuffer[place + i] === each);
  return isThere ? place : -1;
}

module.exports = { writeLatest };
