"use strict";

const { getSystemErrorName } = require("node:util");
const { beginTls, openSocket } = require("./tls-socket.js");

/**
 * The JavaScript side of an HTTPS connection that an I/O thread has passed: the thread continues its TLS, and the
 * socket here is an ordinary one. It is among the connections of `Workers` so that errors of the connection are
 * reported to the socket, and the end of the socket to the thread.
 */
class CarriedConnection {
  /** Read by `EventBatch`. */
  isReady = true;
  #workers;
  #id;
  #socket = null;

  /**
   * @param {import("../engine/workers.js").Workers} workers
   * @param {import("node:async_hooks").AsyncResource} context of the server's handle
   */
  constructor(workers, context) {
    this.#workers = workers;
    this.context = context;
  }

  /**
   * Begins, and gives the connection to the server as Node.js does after a handshake.
   *
   * @param {import("node:https").Server} server
   * @param {number} fd of the socket, which belongs to this connection from now on
   * @param {number} worker with `key` the name of the connection
   * @param {number} key
   * @param {import("./tls-socket.js").TlsDetails} details
   * @returns {import("node:tls").TLSSocket | null} null if the socket cannot be opened
   */
  open(server, fd, worker, key, details) {
    this.#id = this.#workers.carry(this, worker, key);
    try {
      const command = (name, ...args) => this.#command(name, ...args);
      this.#socket = openSocket(fd, server, details, command);
    } catch {
      this.#workers.native.closeDescriptor(fd);
      this.#command("end");
      return null;
    }
    const socket = this.#socket;
    beginTls(socket, server, details);
    socket._server = server;
    server._connections++;
    socket.once("close", () => this.#command("end"));
    return socket;
  }

  /** Ends a connection that is not opened; arguments as of `open()`. */
  drop(fd, worker, key) {
    this.#id = this.#workers.carry(this, worker, key);
    this.#workers.native.closeDescriptor(fd);
    this.#command("end");
  }

  /** Calls a method of `Workers` until the connection is over. */
  #command(name, ...args) {
    if (this.#id < 0) return;
    this.#workers.native[name](this.#id, ...args);
    this.#workers.scheduleFlush();
  }

  /** Destroys the socket with the error of the connection, as if the socket had read it. */
  handleStreamFailed(errno) {
    const code = getSystemErrorName(-errno);
    const error = new Error(`read ${code}`);
    this.#socket?.destroy(Object.assign(error, { errno: -errno, code, syscall: "read" }));
  }

  handleRelease() {
    this.#id = -1;
  }

  /** Nothing is left to do: the bytes before the end are in the socket. */
  handleEnd() {}
}

module.exports = { CarriedConnection };
