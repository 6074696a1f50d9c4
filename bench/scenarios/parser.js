"use strict";

/**
 * Encoding and decoding, socket.io-parser against ours, in one process with alternating
 * rounds. "V8's JSON" is what JSON.stringify or JSON.parse alone takes for the same data: a
 * parser that leaves all values to V8 cannot be faster than that. The speedup is the median of
 * those within a round.
 */

const official = require("socket.io-parser");
const { native, nativeError, parser: ours } = require("../..");
const { packetTable } = require("../suite/packet-table.js");
const { geometricMean, median } = require("../suite/statistics.js");

/** Warm-up, number and length of the measured rounds. */
const FULL = { warmUpMilliseconds: 150, rounds: 25, roundNanoseconds: 8e6 };
const QUICK = { warmUpMilliseconds: 50, rounds: 5, roundNanoseconds: 4e6 };

const { CONNECT, EVENT, ACK } = official.PacketType;

const records = (count) =>
  Array.from({ length: count }, (_, index) => ({
    id: 1000 + index,
    name: `Player ${index}`,
    position: { x: index * 1.5, y: -index / 3 },
    isOnline: index % 3 === 0,
    tags: ["red", "blue"],
    seen: "2026-11-23T09:37:57.000Z",
  }));

/** `line` again and again, to 64 KiB of UTF-8. */
const fill = (line) => {
  const text = line.repeat(Math.ceil(65536 / Buffer.byteLength(line)));
  // Through a buffer, so that the string is flat as one from a socket is.
  return Buffer.from(text)
    .subarray(0, 65536)
    .toString()
    .replace(/\ufffd+$/, "");
};

const prose = fill(
  'She put the letter down. "You knew about this all along," she said, and looked\n' +
    'out of the window, where the rain had stopped an hour ago. "Yes," he replied.\n',
);
const foreign = fill("Она положила письмо на стол. 你早就知道这件事了。Ναι, απάντησε εκείνος. ");

const event = (...data) => ({ type: EVENT, nsp: "/", data });

/** The classes of packets, by the names that the README uses. */
const packets = {
  "small event": event("message", { room: "lobby", text: "hello" }),
  "event, namespace and ack id": { ...event("message", "lobby", "hi"), nsp: "/chat", id: 42 },
  ack: { type: ACK, nsp: "/", id: 7, data: [{ status: "ok" }] },
  "CONNECT with auth": { type: CONNECT, nsp: "/admin", data: { token: "0123456789abcdef" } },
  "20 records": event("records", records(20)),
  "1,000 records": event("records", records(1000)),
  "64 KiB string, quotes and newlines": event("text", prose),
  "64 KiB of non-ASCII text": event("text", foreign),
  "4 KiB Buffer": event("file", { name: "a.png", data: Buffer.alloc(4096) }),
  "100 records, 64 KiB Buffer": event("file", records(100), Buffer.alloc(65536)),
  "1 MiB Buffer": event("file", { name: "a.png", data: Buffer.alloc(1 << 20) }),
};

/** Returns work that encodes `packet`, and returns the result for the optimiser to keep. */
function encoding({ Encoder }, packet) {
  const encoder = new Encoder();
  return () => encoder.encode(packet);
}

/** Returns work that decodes the encoded `packet`. */
function decoding({ Decoder }, packet) {
  // Strings as a WebSocket delivers them: flat.
  const messages = new official.Encoder()
    .encode(packet)
    .map((message) => (typeof message === "string" ? Buffer.from(message).toString() : message));
  const decoder = new Decoder();
  let decoded;
  decoder.on("decoded", (packet) => {
    decoded = packet;
  });
  return () => {
    for (const message of messages) decoder.add(message);
    return decoded;
  };
}

/** Work of V8's JSON alone, in either direction. */
const floors = {
  encode: (text) => {
    const data = JSON.parse(jsonOf(text));
    return () => JSON.stringify(data);
  },
  decode: (text) => {
    const json = jsonOf(text);
    return () => JSON.parse(json);
  },
};

/** Returns the JSON of an encoded packet as a flat string. */
function jsonOf(text) {
  return Buffer.from(text.slice(text.search(/[[{]/))).toString();
}

/** Keeps the optimiser from removing work whose result is unused. */
let sink;

/** @returns {number} nanoseconds per call of `work` */
function time(work, times) {
  const start = process.hrtime.bigint();
  for (let i = 0; i < times; i++) sink = work();
  return Number(process.hrtime.bigint() - start) / times;
}

/** @returns {number[][]} nanoseconds per call of each work, in each of the alternating rounds */
function timeRounds(works, { warmUpMilliseconds, rounds, roundNanoseconds }) {
  const times = works.map((work) => {
    // Until the optimising compiler has settled.
    for (const end = performance.now() + warmUpMilliseconds; performance.now() < end; ) {
      time(work, 5);
    }
    if (sink === undefined) throw new Error("nothing was encoded or decoded");
    return Math.max(5, Math.round(roundNanoseconds / time(work, 50)));
  });
  const results = works.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const index of works.keys()) {
      // Every second round the other way round.
      const turn = round % 2 === 0 ? index : works.length - 1 - index;
      results[turn].push(time(works[turn], times[turn]));
    }
  }
  return results;
}

const DIRECTIONS = { encode: encoding, decode: decoding };

/** Measures a class of packets in one direction. @returns {PacketRow} times in nanoseconds */
function measure(direction, name, timing) {
  const packet = packets[name];
  const [text] = new official.Encoder().encode(packet);
  const workOf = DIRECTIONS[direction];
  const [officialTimes, ourTimes, jsonTimes] = timeRounds(
    [workOf(official, packet), workOf(ours, packet), floors[direction](text)],
    timing,
  );
  return {
    direction,
    packet: name,
    official: median(officialTimes),
    ours: median(ourTimes),
    json: median(jsonTimes),
    speedup: median(officialTimes.map((officialTime, round) => officialTime / ourTimes[round])),
  };
}

/**
 * @param {boolean} isQuick
 * @returns {{ packets: PacketRow[], geometricMean: number, rows: [] }} the mean is that of the
 *   speedups
 * @throws {Error} if the addon is not loaded
 *
 * @typedef {object} PacketRow nanoseconds per packet
 * @property {"encode" | "decode"} direction
 * @property {string} packet its class
 * @property {number} official
 * @property {number} ours
 * @property {number} json V8's JSON alone
 * @property {number} speedup above 1 where ours is faster
 */
function run(isQuick) {
  if (!native) throw nativeError;
  const results = Object.keys(DIRECTIONS).flatMap((direction) =>
    Object.keys(packets).map((name) => measure(direction, name, isQuick ? QUICK : FULL)),
  );
  const mean = geometricMean(results.map(({ speedup }) => speedup));
  console.log(`\n${packetTable(results)}\n\ngeometric mean of the speedups: ${mean.toFixed(2)}`);
  return { packets: results, geometricMean: mean, rows: [] };
}

/** @type {import("../suite/index.js").Scenario} */
module.exports = {
  title: "Packets encoded and decoded, without a server",
  seconds: (isQuick) => (isQuick ? 6 : 26),
  run,
};
