"use strict";

/** A socket on another node, as a node sees it: what it does to it goes through the adapter. */
class RemoteSocket {
  #namespace;
  #id;

  /**
   * @param {import("socket.io").Namespace} namespace on the node that sees it
   * @param {string} id
   */
  constructor(namespace, id) {
    this.#namespace = namespace;
    this.#id = id;
  }

  /** What emits to it. */
  get itself() {
    return this.#namespace.to(this.#id);
  }

  /** What emits to all but it. */
  get broadcast() {
    return this.#namespace.except(this.#id);
  }

  join(rooms) {
    this.#namespace.in(this.#id).socketsJoin(rooms);
  }

  leave(room) {
    this.#namespace.in(this.#id).socketsLeave(room);
  }

  disconnect(close) {
    this.#namespace.in(this.#id).disconnectSockets(close);
  }
}

module.exports = { RemoteSocket };
