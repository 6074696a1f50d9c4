"use strict";

const ws = require("ws");
const { ENGINE_OPTIONS, connectionSettings, engineOptions } = require("./options.js");
const { warnOfNearMisses } = require("../option-names.js");
const { optionsObject } = require("../options.js");
const { isDetached } = require("./detached-socket.js");
const { reportFallback } = require("./fallback.js");
const { WebSocket } = require("./websocket.js");

/** The text of ws. */
const CALLED_TWICE =
  "server.handleUpgrade() was called more than once with the same socket, " +
  "possibly due to a misconfiguration";

/**
 * The WebSocket server of ws, whose connections live on I/O workers. Handshake, events
 * and options are those of `ws.WebSocketServer` 8.23, and
 *   - `ioThreads`: how many workers this server uses, an integer from 1 to 64 (default: 1
 *     for up to 4 cores, then a quarter of them, at most 4). Servers share workers.
 *   - `highWaterMark`: while at most so many bytes wait in front of the network, a `send()`
 *     calls back at the end of the turn, as where the kernel takes all at once; else when the
 *     kernel has its bytes (default 64 KiB, as for streams since Node.js 22; 0: always then)
 *   - `maxBackpressure`, `backpressureTimeout`: a peer for which more bytes wait (default 64 MiB)
 *     than so many milliseconds ago and ever since (default 5,000) is cut off, with an error of
 *     code `TURBO_ERR_MAX_BACKPRESSURE`
 *   - `textType`: whether text messages are "buffer", as with ws (default), or "string",
 *     which is faster
 */
class WebSocketServer extends ws.WebSocketServer {
  /** That of the workers, from the first connection until this server is closed. */
  #workers = null;

  /**
   * @param {object} options
   * @param {() => void} [callback] as in ws
   * @throws {InvalidOptionError} and what ws throws
   */
  constructor(options, callback) {
    const turbo = connectionSettings(options ?? {});
    super({ WebSocket, ...options, turbo }, callback);
  }

  /** As in ws, which would not know a socket whose connection is elsewhere. */
  handleUpgrade(request, socket, head, callback) {
    if (isDetached(socket)) throw new Error(CALLED_TWICE);
    super.handleUpgrade(request, socket, head, (websocket, ...rest) => {
      if (!(websocket instanceof WebSocket)) reportFallback("customClass");
      else if (websocket._connection !== null) this.#hold(websocket._connection.workers);
      callback(websocket, ...rest);
    });
  }

  close(callback) {
    super.close(callback);
    this.#workers?.removeServer();
    this.#workers = null;
  }

  /** Keeps the workers until this server is closed. */
  #hold(workers) {
    if (this.#workers !== null) return;
    this.#workers = workers;
    workers.addServer();
  }
}

/**
 * A constructor for `wsEngine`: engine.io gives it options of its own, to which these are
 * added. Text comes as strings, which engine.io wants anyway.
 *
 * @param {Record<string, unknown>} [options] `ioThreads`, `highWaterMark`, `maxBackpressure`,
 *   `backpressureTimeout`
 * @returns {typeof WebSocketServer}
 * @throws {InvalidOptionError}
 */
function createEngine(options = {}) {
  warnOfNearMisses(optionsObject(options), ENGINE_OPTIONS);
  const ours = { textType: "string", ...engineOptions(options) };
  return class extends WebSocketServer {
    constructor(theirs, callback) {
      super({ ...theirs, ...ours }, callback);
    }
  };
}

module.exports = { WebSocketServer, createEngine };
