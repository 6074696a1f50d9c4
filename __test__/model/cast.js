"use strict";

/** The clients' connections and sockets in a program, and its emits: on all servers that it is played on. */
class Cast {
  /** The latest Engine.IO connection of each client. */
  conns = new Map();
  /** The latest socket by `client@namespace`: connected, held in a middleware, or closed. */
  sockets = new Map();
  /** Operations that emit, by the event's name. */
  emits = new Map();
  /** In a cluster: the publisher, by the event's name. @type {Map<string, number | "emitter">} */
  publishers = new Map();
  /** Names of random ids. @type {Map<string, string>} */
  names = new Map();
  /** Promises of the adapter that are not settled. */
  pending = 0;

  /** @returns {string | undefined} the id of a client's socket, if there is or was one */
  idOf(client, namespace) {
    return this.sockets.get(keyOf(client, namespace))?.id;
  }

  /** Returns the value of a room: the id of a socket for `{ client, namespace }`. */
  room(room) {
    if (typeof room !== "object") return room;
    return this.idOf(room.client, room.namespace) ?? "nobody";
  }

  /** Returns rooms as callers write them: one room, or a list. */
  rooms(rooms) {
    return rooms.length === 1 ? this.room(rooms[0]) : rooms.map((room) => this.room(room));
  }

  /** Narrows what emits to the recipients of an operation. */
  operator(start, { to, except }) {
    const included = to.length === 0 ? start : start.to(this.rooms(to));
    return except.length === 0 ? included : included.except(this.rooms(except));
  }

  /** Gives a random id a name, if it has none. */
  name(id, name) {
    if (id !== undefined && !this.names.has(id)) this.names.set(id, name);
  }
}

const keyOf = (client, namespace) => `${client}@${namespace}`;

module.exports = { Cast, keyOf };
