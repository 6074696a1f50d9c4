"use strict";

/**
 * Records what clients receive in a storm, as lines that do not depend on timing. A calm client
 * receives the same messages of each publisher in each namespace, in the same order. The messages of
 * a restless client are judged, since its rooms change at any time:
 *   - those of one publisher in one namespace arrive on one connection in their order, none twice;
 *   - those to a room that it visits arrive between its "in" and its "out", and none is missing between
 *     two others, nor at the end if the visit lasts.
 */

const { parsePacket } = require("../packet-client.js");

/** Rooms that clients are in during storms only, with an event when they join and when they leave. */
const STORM_ROOMS = ["s1", "s2"];

/** In a client's log: nothing is under way. */
const ALL_HAS_COME = "-- all has come";

/** In a client's log: its connection has ended. */
const END = /^(closed|destroyed) /;

class StormLog {
  #cast;
  #isDynamic;
  /** The length of each client's log at first, and whether the client is restless. */
  #clients = new Map();
  /** The broadcasts of each publisher in their order. */
  #broadcasts = new Map();

  /**
   * @param {import("../cast.js").Cast} cast
   * @param {boolean} isDynamic true if nodes subscribe to rooms when they have a member: then messages
   *   may be missing after a client has joined
   */
  constructor(cast, isDynamic) {
    this.#cast = cast;
    this.#isDynamic = isDynamic;
  }

  /** Begins the storm of a client, before anything is sent. */
  begin(client, { length }, isRestless) {
    this.#clients.set(client, { start: length, isRestless });
  }

  /** Records broadcasts before a publisher makes them. */
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

  /** Replaces the client's log of the storm, when everything has arrived. */
  end(client, log) {
    const { start, isRestless } = this.#clients.get(client) ?? { start: 0, isRestless: true };
    const messages = messagesOf(log.splice(start));
    log.push(...(isRestless ? this.#judge(messages) : this.#sort(messages)));
  }

  /** Sorts messages by publisher and namespace. */
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

  /** Returns where a publisher's messages have not arrived in their order. */
  #disorder(messages) {
    const faults = [];
    const last = new Map();
    for (const { namespace, event, lines } of messages) {
      // The next node may be behind.
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

  /** Returns where messages to a room have arrived outside of a visit, or are missing in it. */
  #trespasses(messages) {
    const faults = [];
    /** The last message of each stream, by the room that is visited. */
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
    return last.filter(isShort).map(([stream]) => `${stream}: the last ones are missing`);
  }

  #place(visits, namespace, event) {
    const { to, except } = this.#cast.emits.get(event) ?? { to: [], except: [] };
    if (to.length !== 1 || except.length > 0 || !STORM_ROOMS.includes(to[0])) return [];
    const visit = visits.get(`${namespace} ${to[0]}`);
    if (visit === undefined) return [`${event} to ${to} has arrived outside`];
    const stream = streamOf(namespace, this.#cast.publishers.get(event), to[0]);
    const place = this.#broadcasts.get(stream).indexOf(event);
    const before = visit.get(stream) ?? place - 1;
    visit.set(stream, place);
    return place === before + 1 || this.#isDynamic
      ? []
      : [`${stream}: ${event} has arrived, and one before has not`];
  }
}

/** Names messages that have an order: of a publisher in a namespace, or to one room there. */
function streamOf(namespace, by, room) {
  const to = room === undefined ? "" : ` to ${JSON.stringify(room)}`;
  return `${namespace} from ${by}${to}`;
}

/** Returns packets with the attachments that follow them. */
function messagesOf(lines) {
  const messages = [];
  for (const line of lines) {
    if (line.startsWith("binary ")) messages.at(-1)?.lines.push(line);
    else messages.push({ ...parsePacket(line), lines: [line] });
  }
  return messages;
}

module.exports = { ALL_HAS_COME, STORM_ROOMS, StormLog };
