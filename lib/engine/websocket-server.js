"use strict";

const { optionsObject, warnOfNearMisses } = require("../options.js");
const { NegotiatedCompression, readPerMessageDeflate } = require("./compression.js");
const { isDetached, pendingConnectionOf } = require("./detached-socket.js");
const { generalReason, reportFallback } = require("./fallback.js");
const {
  ENGINE_OPTIONS,
  FOR_ENGINE_IO,
  connectionSettings,
  engineOptions,
} = require("./options.js");
const { endUpgrade, findKey } = require("./response-headers.js");
const { stats } = require("../stats.js");
const { shareStrings } = require("./shared-strings.js");
const { WebSocket } = require("./websocket.js");
const { isWsThePackage, runtimeWs, ws } = require("../ws-package.js");

/** The text of ws's error. */
const CALLED_TWICE =
  "server.handleUpgrade() was called more than once with the same socket, " +
  "possibly due to a misconfiguration";

/**
 * The WebSocket server of ws, whose connections live on I/O workers. Handshake, events and options are
 * those of `ws.WebSocketServer` 8.23. `WebSocketServerOptions` in index.d.ts documents the options
 * that are added: `ioThreads`, `highWaterMark`, `maxBackpressure`, `backpressureTimeout`,
 * `maxLoopLag`, `rateLimit`, `textType`.
 */
class WebSocketServer extends ws.WebSocketServer {
  /** Set from the first connection on a worker until this server is closed. */
  #workers = null;
  /** The server of the runtime's own ws, if there is one and it has had a connection. */
  #ofRuntime = null;

  /**
   * @param {object} options
   * @param {() => void} [callback] as in ws
   * @throws {InvalidOptionError} if an option of ours is invalid; and what ws throws
   */
  constructor(options, callback) {
    const turbo = connectionSettings(options ?? {});
    const deflate = readPerMessageDeflate(options?.perMessageDeflate);
    turbo.compression = deflate && new NegotiatedCompression(turbo.connection, deflate.compression);
    super({ WebSocket, ...options, ...deflate?.forWs, turbo }, callback);
    turbo.server = this;
  }

  /** As in ws, whose own check for a second call does not recognise detached sockets. */
  handleUpgrade(request, socket, head, callback) {
    if (isDetached(socket)) throw new Error(CALLED_TWICE);
    stats.countHandshake();
    // Without the package, the class above is the runtime's own.
    if (runtimeWs !== null && isWsThePackage && pendingConnectionOf(socket) === undefined) {
      this.#leave(request, socket, head, callback);
      return;
    }
    findKey(request);
    super.handleUpgrade(request, socket, head, (websocket, ...rest) => {
      endUpgrade(request);
      if (!(websocket instanceof WebSocket)) reportFallback("customClass");
      else if (websocket._connection !== null) {
        this.#hold(websocket._connection.workers);
        shareStrings(request);
      }
      callback(websocket, ...rest);
    });
  }

  /** Leaves a handshake to the ws of the runtime, which may have more than its connection in common with it. */
  #leave(request, socket, head, callback) {
    if (this.#ofRuntime === null) {
      const { server, port, host, turbo, WebSocket: named, ...options } = this.options;
      const given = named === WebSocket ? options : { ...options, WebSocket: named };
      this.#ofRuntime = new runtimeWs.WebSocketServer({ ...given, noServer: true });
      for (const event of ["headers", "wsClientError"]) {
        this.#ofRuntime.on(event, (...args) => this.emit(event, ...args));
      }
    }
    this.#ofRuntime.handleUpgrade(request, socket, head, (websocket, ...rest) => {
      reportFallback(generalReason() ?? "otherWs");
      this.clients?.add(websocket);
      websocket.on("close", () => this.clients?.delete(websocket));
      callback(websocket, ...rest);
    });
  }

  close(callback) {
    super.close(callback);
    this.#ofRuntime?.close();
    this.#ofRuntime = null;
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
 * Returns a constructor for `wsEngine`. engine.io calls it with options of its own, to which these are
 * added. Text messages are strings: engine.io would convert them anyway.
 *
 * @param {Record<string, unknown>} [options] `ioThreads`, `highWaterMark`, `maxBackpressure`,
 *   `backpressureTimeout`, `maxLoopLag`, `rateLimit`
 * @returns {typeof WebSocketServer}
 * @throws {InvalidOptionError}
 */
function createEngine(options = {}) {
  warnOfNearMisses(optionsObject(options), ENGINE_OPTIONS);
  const ours = { textType: "string", ...engineOptions(options), [FOR_ENGINE_IO]: true };
  return class extends WebSocketServer {
    constructor(theirs, callback) {
      super({ ...theirs, ...ours }, callback);
    }
  };
}

module.exports = { WebSocketServer, createEngine };
