"use strict";

/**
 * What clients have received in a storm, as lines that do not depend on who was faster. A calm
 * client has got the same messages of each publisher in each namespace, in the same order. Of a
 * restless one it is judged whether what it has got is right, whenever its rooms have changed:
 *   - messages of one publisher in one namespace have come on one connection in their order, none
 *     twice;
 *   - those to a room that it has visited have come between its coming and its going, and none is
 *     missing between two others, nor at the end if it was still there.
 */

const { parsePacket } = require("../packet-client.js");

/** In which clients are only during storms, and are told when they come in and when they go. */
const STORM_ROOMS = ["s1", "s2"];

/** In a client's log: nothing is under way any more. */
const ALL_HAS_COME = "-- all has come";

/** In a client's log: its connection has ended. */
const END = /^(closed|destroyed) /;

class StormLog {
  #cast;
  #isDynamic;
  /** Where each client's log begins, and whether it is restless. */
  #clients = new Map();
  /** Broadcasts in the order in which each publisher has made them. */
  #broadcasts = new Map();

  /**
   * @param {import("../cast.js").Cast} cast
   * @param {boolean} isDynamic whether nodes subscribe to rooms when they have somebody there: then
   *   messages to a room may be missing after somebody has come in
   */
  constructor(cast, isDynamic) {
    this.#cast = cast;
    this.#isDynamic = isDynamic;
  }

  /** To be called for each client before anything is sent. */
  begin(client, { length }, isRestless) {
    this.#clients.set(client, { start: length, isRestless });
  }

  /** To be called before a publisher makes broadcasts. */
  write(by, ops) {
    const emits = ops.filter((op) => op.do === "emit");
    for (const { id, namespace, to, except } of emits) {
      const streams = [streamOf(namespace, by)];
      if (to.length === 1 && except.length === 0) streams.push(streamOf(namespace, by, to[0]));
      for (const stream of streams) {
        const events = this.#broadcasts.get(stream) ?? [];
        this.#broadcasts.set(stream, [...events, `e${id}`]);
      }
    }
  }

  /** To be called when everything has arrived: changes the client's log. */
  end(client, log) {
    const { start, isRestless } = this.#clients.get(client) ?? { start: 0, isRestless: true };
    const messages = messagesOf(log.splice(start));
    log.push(...(isRestless ? this.#judge(messages) : this.#sort(messages)));
  }

  /** By publisher and namespace. */
  #sort(messages) {
    const streams = new Map();
    for (const { namespace, event, lines } of messages) {
      const by = this.#cast.publishers.get(event);
      const stream = by === undefined ? "the rest" : streamOf(namespace, by);
      streams.set(stream, [...(streams.get(stream) ?? []), ...lines]);
    }
    return [...streams.keys()].sort().flatMap((stream) => [`${stream}:`, ...streams.get(stream)]);
  }

  #judge(messages) {
    const faults = [...this.#disorder(messages), ...this.#trespasses(messages)];
    return faults.length === 0 ? ["all right"] : faults;
  }

  /** Where a publisher's messages have not come in their order. */
  #disorder(messages) {
    const faults = [];
    const last = new Map();
    for (const { namespace, event, lines } of messages) {
      // What the next node gets may be behind.
      if (END.test(lines[0])) last.clear();
      const by = this.#cast.publishers.get(event);
      if (by === undefined) continue;
      const stream = streamOf(namespace, by);
      const place = this.#broadcasts.get(stream).indexOf(event);
      const before = last.get(stream) ?? -1;
      if (place <= before) faults.push(`${stream}: ${event} is behind a later one, or twice`);
      last.set(stream, place);
    }
    return faults;
  }

  /** Where messages to a room have come to somebody who was not there, or have not come. */
  #trespasses(messages) {
    const faults = [];
    /** By the room that is visited: the last message of each stream. */
    const visits = new Map();
    for (const { namespace, event, argument, lines } of messages) {
      const room = `${namespace} ${argument}`;
      if (event === "in") visits.set(room, new Map());
      else if (event === "out") visits.delete(room);
      else if (event !== undefined) faults.push(...this.#place(visits, namespace, event));
      else if (lines[0] === ALL_HAS_COME && !this.#isDynamic) faults.push(...this.#missing(visits));
    }
    return faults;
  }

  #missing(visits) {
    const last = [...visits.values()].flatMap((visit) => [...visit]);
    const isShort = ([stream, place]) => place + 1 < this.#broadcasts.get(stream).length;
    return last.filter(isShort).map(([stream]) => `${stream}: the last ones have not come`);
  }

  #place(visits, namespace, event) {
    const { to, except } = this.#cast.emits.get(event) ?? { to: [], except: [] };
    if (to.length !== 1 || except.length > 0 || !STORM_ROOMS.includes(to[0])) return [];
    const visit = visits.get(`${namespace} ${to[0]}`);
    if (visit === undefined) return [`${event} to ${to} has come to somebody outside`];
    const stream = streamOf(namespace, this.#cast.publishers.get(event), to[0]);
    const place = this.#broadcasts.get(stream).indexOf(event);
    const before = visit.get(stream) ?? place - 1;
    visit.set(stream, place);
    return place === before + 1 || this.#isDynamic
      ? []
      : [`${stream}: ${event} has come, and one before has not`];
  }
}

/** Names what has an order; rooms of one client are two, if it is their name. */
function streamOf(namespace, by, room) {
  const to = room === undefined ? "" : ` to ${JSON.stringify(room)}`;
  return `${namespace} from ${by}${to}`;
}

/** Packets with the attachments that follow them. */
function messagesOf(lines) {
  const messages = [];
  for (const line of lines) {
    if (line.startsWith("binary ")) messages.at(-1)?.lines.push(line);
    else messages.push({ ...parsePacket(line), lines: [line] });
  }
  return messages;
}

module.exports = { ALL_HAS_COME, STORM_ROOMS, StormLog };
