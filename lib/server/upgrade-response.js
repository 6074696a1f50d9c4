"use strict";

const { EventEmitter } = require("node:events");

/**
 * The response to an upgrade, for middlewares: the part of `http.ServerResponse` that engine.io gives them.
 */
class UpgradeResponse extends EventEmitter {
  #headers = {};
  #isClosing = false;

  /** @param {import("node:http").IncomingMessage} request */
  constructor(request) {
    super();
    this.req = request;
    this.socket = request.socket;
  }

  /** The headers for the response, in the order in which they were set. */
  static headersOf(response) {
    return response.#headers;
  }

  on(event, listener) {
    this.#watch(event);
    return super.on(event, listener);
  }

  addListener(event, listener) {
    return this.on(event, listener);
  }

  prependListener(event, listener) {
    this.#watch(event);
    return super.prependListener(event, listener);
  }

  setHeader(name, value) {
    this.#headers[name] = value;
  }

  getHeader(name) {
    return this.#headers[name];
  }

  removeHeader(name) {
    delete this.#headers[name];
  }

  write() {}

  writeHead() {}

  end() {
    this.emit("finish");
    this.socket.destroy();
  }

  /** Emits the socket's `close`, too. A listener on the socket would make it larger. */
  #watch(event) {
    if (event !== "close" || this.#isClosing) return;
    this.#isClosing = true;
    this.socket.once("close", () => this.emit("close"));
  }
}

module.exports = { UpgradeResponse };
