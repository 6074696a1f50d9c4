"use strict";

/**
 * Broadcasts after a plan, in the server's process. `plan.rs` and `floor.rs` of bench/load do the
 * same for the floor, and `news.rs` decodes the packets.
 *
 * @typedef {object} Plan
 * @property {number} clients how many are connected
 * @property {number} rooms how many rooms there are, of equally many clients; 1: none,
 *   and all broadcasts go to all clients
 * @property {number} roomsPerClient how many of them each client is in
 * @property {number} [rate] turns of the event loop per second in which it broadcasts
 * @property {number} [roomsPerTurn] to how many rooms then, those that come next
 * @property {number} [burst] how often to each of them
 * @property {number} [window] instead of the three: how many broadcasts may be on their way
 *   to some client; one more is sent when a client says `next`
 * @property {number} [payload] how long a Socket.IO packet is, in bytes; by default 128, and
 *   at least 45 (`news`), 70 (`tick`) or 100 (records)
 * @property {"news" | "tick" | "quotes" | "rows"} [event] `news`, the default: a text, by one `emit()`
 *   for all recipients; `tick`: an object, by an `emit()` for each client; `quotes` and `rows`: an
 *   object with the records that `records.js` documents, by one `emit()`. All but `news` need `rooms`
 *   to be 1
 * @property {number} warmUp how long to broadcast before the measurement, in seconds
 * @property {number} seconds how long to broadcast after that
 * @property {number} [beginning] when the first turn is due, as clock.js's `now()`; by default
 *   at once
 * @property {boolean} [isTimed] whether the calls of `emit()` are timed
 */

const { setTimeout: sleep } = require("node:timers/promises");
const { now } = require("./clock.js");
const { recordsOf } = require("./records.js");

/** Distance between the rooms of a client, so that no two clients share all of them. */
const ROOM_STRIDE = 97;

/** The length of a Socket.IO packet of `news` unless the plan has another, in bytes. */
const PACKET_LENGTH = 128;

/** The shortest that has room for its fields, in bytes. */
const MIN_PACKET_LENGTH = 45;

/** The shortest packets of other events that have room for their fields, in bytes. */
const MIN_LENGTHS = { tick: 70, quotes: 100, rows: 100 };

/** Pads such a packet. */
const SENTENCE = "The quick brown fox jumps over the lazy dog. ";

/**
 * Follows the plan, then sends `end`.
 *
 * @param {import("socket.io").Server} io with all clients connected
 * @param {Plan} plan
 * @param {() => void} start begins the measurement
 * @param {() => object} stop ends it, and returns what was used
 * @returns {Promise<object>} that, how many `broadcasts` were measured, and how many were `sent`
 *   in all
 * @throws {RangeError} if the payload has no room for its fields
 */
async function broadcast(io, plan, start, stop) {
  join(io, plan);
  const news = new News(io, plan);
  const send = plan.window === undefined ? sendTurns : sendInWindow;
  const usage = await send(news, plan, start, stop);
  news.end();
  return { ...usage, sent: news.count };
}

/**
 * Follows the plan, but broadcasts to rooms in which nobody is: what the nodes of a cluster
 * receive for others. There is one broadcast to all clients before that, and one after it, so
 * that they see whether their node has received what came between.
 *
 * @param {import("socket.io").Server} io with all clients connected
 * @param {Plan} plan whose `rooms` are those
 * @param {() => void} start begins the measurement
 * @param {() => object} stop ends it, and returns what was used
 * @returns {Promise<object>} that, how many `broadcasts` were measured, how many were `published`
 *   in all to these rooms, and how many were `sent` to all clients
 * @throws {RangeError} as {@link broadcast}
 */
async function publish(io, plan, start, stop) {
  const news = new News(io, { ...plan, rooms: 1 });
  const elsewhere = new News(io, plan);
  news.send(0, now());
  const usage = await sendTurns(elsewhere, plan, start, stop);
  news.send(0, now());
  news.end();
  return { ...usage, published: elsewhere.count, sent: news.count };
}

/** Lets the clients join their rooms. */
function join(io, { rooms, roomsPerClient }) {
  if (rooms === 1) return;
  [...io.sockets.sockets.values()].forEach((socket, client) => {
    for (let index = 0; index < roomsPerClient; index++) {
      socket.join(roomName((client + index * ROOM_STRIDE) % rooms));
    }
  });
}

const roomName = (room) => `room ${room}`;

/** Numbered broadcasts of one Socket.IO packet each, all of one length. */
class News {
  #io;
  #sent;
  #payload;
  #event;
  #filler;
  #records;
  #send;
  #isTimed;
  /** Number of broadcasts, to all rooms together. */
  count = 0;
  /** Time in `emit()`, if it is measured, in microseconds. */
  emitting = 0;

  constructor(io, { rooms, payload = PACKET_LENGTH, event = "news", isTimed = false }) {
    const least = MIN_LENGTHS[event] ?? MIN_PACKET_LENGTH;
    if (payload < least) throw new RangeError(`a payload has at least ${least} bytes`);
    this.#io = io;
    this.#sent = new Array(rooms).fill(0);
    this.#payload = payload;
    this.#event = event;
    this.#filler = filler(payload - MIN_PACKET_LENGTH);
    if (event === "news") this.#send = this.#sendText;
    else if (event === "tick") this.#send = this.#sendToEach;
    else {
      this.#send = this.#sendRecords;
      // Now, so that no broadcast is charged with it.
      this.#records = recordsOf(event, payload - MIN_LENGTHS[event]).map((records) => ({
        records,
        length: JSON.stringify(records).length,
      }));
    }
    this.#isTimed = isTimed;
  }

  /** Calls `listener` when a client says `next`, until {@link end}. */
  onNext(listener) {
    for (const socket of this.#io.sockets.sockets.values()) socket.on("next", listener);
  }

  /** Broadcasts to a room what is due at a time of {@link now}. */
  send(room, due) {
    const number = this.#sent[room]++;
    this.count++;
    this.#send(room, number, due);
  }

  #sendText(room, number, due) {
    const recipients = this.#sent.length === 1 ? this.#io : this.#io.to(roomName(room));
    this.#sendToAll(
      recipients,
      `${pad(room, 6)} ${pad(number, 8)} ${pad(due, 16)} ${this.#filler}`,
    );
  }

  #sendRecords(_room, number, due) {
    const { records, length } = this.#records[number % this.#records.length];
    const { text } = this.#filled({ number, due, records: [] }, length - "[]".length);
    this.#sendToAll(this.#io, { number, due, records, text });
  }

  /** One call for all recipients. */
  #sendToAll(recipients, data) {
    const start = this.#isTimed ? performance.now() : 0;
    recipients.emit(this.#event, data);
    if (this.#isTimed) this.emitting += (performance.now() - start) * 1e3;
  }

  /** A call for each client, with the same object. */
  #sendToEach(_room, number, due) {
    const tick = this.#filled({ number, due });
    for (const socket of this.#io.sockets.sockets.values()) socket.emit("tick", tick);
  }

  /** Gives an object the text that fills its packet up, beside `more` bytes. */
  #filled(object, more = 0) {
    const used = packetLength(this.#event, { ...object, text: "" }) + more;
    return { ...object, text: this.#filler.slice(0, this.#payload - used) };
  }

  /** Sends `end`, after as many broadcasts to each room. */
  end() {
    for (const socket of this.#io.sockets.sockets.values()) socket.removeAllListeners("next");
    this.#io.emit("end", this.#sent[0]);
  }
}

/** @returns {number} the length of an event's packet, in bytes; its text is ASCII */
function packetLength(event, data) {
  return "2".length + JSON.stringify([event, data]).length;
}

/** @returns {string} `length` bytes of English text */
function filler(length) {
  return SENTENCE.repeat(Math.ceil(length / SENTENCE.length)).slice(0, length);
}

const pad = (number, width) => String(number).padStart(width, "0");

/** Broadcasts turn by turn. The measurement begins and ends when a turn is due. */
async function sendTurns(news, plan, start, stop) {
  const { rate, warmUp, seconds, beginning = now(), isTimed } = plan;
  const warmUpTurns = Math.round(rate * warmUp);
  const turns = Math.round(rate * (warmUp + seconds));
  let before;
  await pace({ rate, count: turns, start: beginning }, (turn, due) => {
    if (turn === warmUpTurns) {
      before = { count: news.count, emitting: news.emitting };
      start();
    }
    sendTurn(news, plan, turn, due);
  });
  const usage = { ...stop(), broadcasts: news.count - before.count };
  return isTimed ? { ...usage, emitting: news.emitting - before.emitting } : usage;
}

function sendTurn(news, { rooms, roomsPerTurn, burst }, turn, due) {
  for (let index = 0; index < roomsPerTurn; index++) {
    const room = (turn * roomsPerTurn + index) % rooms;
    for (let times = 0; times < burst; times++) news.send(room, due);
  }
}

/**
 * Calls `work(index, due)` for each index below `count` when it is due, `rate` times per
 * second. Due times are computed from `start`, so that no error adds up, and what is
 * late stays due when it was. Each time costs 80 µs of the event loop after a rest of 25 ms,
 * for any contender; nearly all of it is Node's way of waking up.
 *
 * @returns {Promise<void>} when all is done, and one more would be due
 */
function pace({ rate, count, start }, work) {
  const due = (index) => start + Math.round((index * 1e6) / rate);
  let index = 0;
  return new Promise((resolve) => {
    function wake() {
      for (; due(index) <= now(); index++) {
        if (index === count) return resolve();
        work(index, due(index));
      }
      setTimeout(wake, Math.ceil((due(index) - now()) / 1e3));
    }
    wake();
  });
}

/** Broadcasts as fast as the clients receive. */
async function sendInWindow(news, { window, warmUp, seconds }, start, stop) {
  const sendOne = () => news.send(0, now());
  news.onNext(sendOne);
  for (let index = 0; index < window; index++) sendOne();
  await sleep(warmUp * 1e3);
  start();
  const before = news.count;
  await sleep(seconds * 1e3);
  return { ...stop(), broadcasts: news.count - before };
}

module.exports = { broadcast, filler, publish };
