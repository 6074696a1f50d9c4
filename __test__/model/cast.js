"use strict";

/** Who there is in a program, and what has been emitted: for all servers that it is played on. */
class Cast {
  /** Connections of Engine.IO, the latest of each client. */
  conns = new Map();
  /** Sockets by `client@namespace`, the latest; connected, held at the door, or gone. */
  sockets = new Map();
  /** Operations that emit, by the event's name. */
  emits = new Map();
  /** In a cluster: by whom, by the event's name. @type {Map<string, number | "emitter">} */
  publishers = new Map();
  /** Names of random ids. @type {Map<string, string>} */
  names = new Map();
  /** Promises of the adapter that are not settled. */
  pending = 0;

  /** @returns {string | undefined} that of a socket, if there is or was one */
  idOf(client, namespace) {
    return this.sockets.get(keyOf(client, namespace))?.id;
  }

  /** Gives a random id a name, if it has none. */
  name(id, name) {
    if (id !== undefined && !this.names.has(id)) this.names.set(id, name);
  }
}

const keyOf = (client, namespace) => `${client}@${namespace}`;

module.exports = { Cast, keyOf };
