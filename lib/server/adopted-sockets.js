"use strict";

const { requestTimeout } = require("./handles.js");

/** The longest time between two checks, in milliseconds. Node.js's is 30 s, and its limit for silence has a timer. */
const MAX_INTERVAL = 1_000;

const TIMED_OUT = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n";

/**
 * The sockets that a server of Bun has got in place of connections of its own, and the times that Node.js limits:
 * Bun's HTTP checks these for connections of its own alone.
 *
 * Nothing is listened to, so that a program finds the sockets as they are without it: checks look at what has been
 * read and written since the last, and at the response that is being written.
 */
class AdoptedSockets {
  #server;
  /** @type {Map<import("node:net").Socket, Progress>} */
  #sockets = new Map();
  #timer = null;

  /** @param {import("node:http").Server} server */
  constructor(server) {
    this.#server = server;
  }

  /** Gives a socket to the server. It counts among the server's connections until it is closed. */
  adopt(socket) {
    const server = this.#server;
    if (server._connections >= (server.maxConnections ?? Number.POSITIVE_INFINITY)) {
      drop(server, socket);
      return;
    }
    if (server.noDelay) socket.setNoDelay(true);
    if (server.keepAlive) socket.setKeepAlive(true, server.keepAliveInitialDelay);
    if (server.timeout > 0) limitSilence(server, socket);
    server._connections++;
    this.#sockets.set(socket, new Progress(Date.now()));
    socket.once("close", () => {
      this.#sockets.delete(socket);
      server._connections--;
      server._emitCloseIfDrained();
    });
    const interval = Math.min(server.connectionsCheckingInterval || MAX_INTERVAL, MAX_INTERVAL);
    this.#timer ??= setInterval(() => this.#check(), interval).unref();
    server.emit("connection", socket);
  }

  #check() {
    const now = Date.now();
    for (const [socket, progress] of this.#sockets) {
      // Since an upgrade, it has no parser and is not HTTP's any more.
      if (!socket.parser) this.#sockets.delete(socket);
      else this.#judge(socket, progress, now);
    }
    if (this.#sockets.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  #judge(socket, progress, now) {
    const { keepAliveTimeout, headersTimeout, requestTimeout } = this.#server;
    progress.update(socket, now);
    if (exceeds(progress.silence(now), keepAliveTimeout)) socket.destroy();
    else if (
      exceeds(progress.headTime(now), headersTimeout) ||
      exceeds(progress.bodyTime(now), requestTimeout)
    )
      this.timeOut(socket);
  }

  /** Answers a connection whose request is late, as Node.js does. */
  timeOut(socket) {
    this.#sockets.delete(socket);
    if (this.#server.emit("clientError", requestTimeout(), socket)) return;
    if (socket.writable) socket.end(TIMED_OUT);
    socket.destroySoon();
  }
}

/** The progress of a connection, in times of `Date.now()`. */
class Progress {
  #read = 0;
  #written = 0;
  /** When bytes came last. */
  #heardAt;
  /** When a response was written last, or was still to be written; at first, when it began. */
  #answeredAt;
  #hasAnswered = false;
  /** The response whose request has not come in full, and since when. */
  #pending = null;
  #pendingSince = 0;

  constructor(now) {
    this.#heardAt = now;
    this.#answeredAt = now;
  }

  update(socket, now) {
    const { bytesRead, bytesWritten, _httpMessage: response = null } = socket;
    if (bytesRead !== this.#read) this.#heardAt = now;
    if (bytesWritten !== this.#written || response !== null) {
      this.#answeredAt = now;
      this.#hasAnswered = true;
    }
    this.#read = bytesRead;
    this.#written = bytesWritten;
    const pending = response?.req?.complete === false ? response : null;
    if (pending !== this.#pending) this.#pendingSince = now;
    this.#pending = pending;
  }

  /** Returns the time since the last response, if nothing has come since. */
  silence(now) {
    return this.#isInHead ? 0 : now - this.#answeredAt;
  }

  /** Returns the time since the beginning or the last response, if a head is expected or has begun. */
  headTime(now) {
    return this.#isInHead ? now - this.#answeredAt : 0;
  }

  get #isInHead() {
    return !this.#hasAnswered || this.#heardAt > this.#answeredAt;
  }

  /** Returns the time since the head of a request whose body is not complete. */
  bodyTime(now) {
    return this.#pending === null ? 0 : now - this.#pendingSince;
  }
}

function exceeds(time, limit) {
  return limit > 0 && time > limit;
}

/** Closes a connection that is one too many. */
function drop(server, socket) {
  const { localAddress, localPort, localFamily } = socket;
  const { remoteAddress, remotePort, remoteFamily } = socket;
  socket.destroy();
  const local = { localAddress, localPort, localFamily };
  server.emit("drop", { ...local, remoteAddress, remotePort, remoteFamily });
}

/** Handles `timeout` of a server. */
function limitSilence(server, socket) {
  socket.setTimeout(server.timeout, () => {
    if (!server.emit("timeout", socket)) socket.destroy();
  });
}

module.exports = { AdoptedSockets };
