"use strict";

const net = require("node:net");
const { binding } = require("../addon/index.js");

/** Flags of `bind6()` and `bind()`, `constants` of Node.js's binding. */
const IPV6_ONLY = 1;
const PORT_SHARED = 2;

/** Returned by `listen()`: the runtime has to listen in its own way. */
const BY_RUNTIME = 1;

/**
 * The handle of a listening socket where servers of the runtime have none: a TCP socket that the addon binds, with
 * the methods of a `TCP` handle of Node.js. It has no events: I/O threads accept from a duplicate of its descriptor,
 * see `NativeListener`.
 */
class BoundHandle {
  fd = -1;
  #adopted;
  #native;
  #name = null;

  /**
   * @param {import("./adopted-sockets.js").AdoptedSockets} adopted gets the connections
   * @param {object} native the `Workers` of the addon
   */
  constructor(adopted, native) {
    this.#adopted = adopted;
    this.#native = native;
  }

  /** @returns {number} 0, or the negative number of a system error */
  bind(address, port, flags) {
    return this.bind6(address, port, flags);
  }

  /** As `bind()`, for an address of either family. */
  bind6(address, port, flags = 0) {
    const isIpv6Only = (flags & IPV6_ONLY) !== 0;
    const bound = binding.bindSocket(address, port, isIpv6Only, (flags & PORT_SHARED) !== 0);
    if (bound < 0) return bound;
    this.fd = bound;
    this.#name = binding.socketName(bound);
    return 0;
  }

  /** Called if I/O threads cannot listen, for lack of descriptors or threads. */
  listen() {
    return BY_RUNTIME;
  }

  /** Fills `out` in with the address. */
  getsockname(out) {
    Object.assign(out, this.#name);
    return 0;
  }

  ref() {}

  unref() {}

  /** The descriptor must not be used again. */
  close() {
    if (this.fd < 0) return;
    this.#native.closeDescriptor(this.fd);
    this.fd = -1;
  }

  /**
   * Gives a connection to the server, as its runtime does for connections of its own.
   *
   * @param {() => number} claim returns the descriptor, which belongs to the socket from then on
   * @returns {net.Socket}
   */
  deliver(claim) {
    const socket = net.connect({ fd: claim(), allowHalfOpen: true });
    this.#adopted.adopt(socket);
    return socket;
  }

  /** Answers a connection whose request is late. */
  timeOut(socket) {
    this.#adopted.timeOut(socket);
  }
}

module.exports = { BY_RUNTIME, BoundHandle, IPV6_ONLY, PORT_SHARED };
