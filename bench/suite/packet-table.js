"use strict";

const { table } = require("./table.js");

/**
 * @param {import("../scenarios/parser.js").PacketRow[]} packets
 * @returns {string}
 */
function packetTable(packets) {
  return table(
    ["", "packet", "socket.io-parser, ns", "ours, ns", "V8's JSON, ns", "times as fast"],
    packets.map(({ direction, packet, official, ours, json, speedup }) => [
      direction,
      packet,
      ...[official, ours, json].map((nanoseconds) => nanoseconds.toFixed(0)),
      speedup.toFixed(2),
    ]),
    2,
  );
}

module.exports = { packetTable };
