"use strict";

/**
 * `turbo.drain()`: ends a server's connections for a deploy, evenly over a time, while new handshakes
 * are refused.
 *
 * Runs on the JavaScript thread, and only uses what all versions of engine.io 6 have: it works with
 * any engine, adapter and transport, and without the addon. Each connection ends by engine.io's
 * `close()`: after the packets that wait, with the closing handshake of its transport, and with a
 * reason ("forced close") for which Socket.IO keeps the session and clients reconnect.
 */

const { STATUS_CODES } = require("node:http");
const { Stream } = require("node:stream");
const { InvalidOptionError } = require("./errors.js");
const { optionOf, optionsObject } = require("./options.js");

/** The longest delay of a timer in Node.js, in milliseconds. */
const MAX_DELAY = 2 ** 31 - 1;

const OPTIONS = {
  within: {
    accepted: `a number of milliseconds, an integer from 0 to ${MAX_DELAY}`,
    isAccepted: (value) => Number.isInteger(value) && value >= 0 && value <= MAX_DELAY,
  },
  signal: {
    accepted: "an AbortSignal",
    isAccepted: (value) => value instanceof AbortSignal,
  },
};

/**
 * Milliseconds between two slices. Closing a client takes about 0.06 ms of JavaScript, so 5,000 clients
 * over 10 s are slices of 0.3 ms (medians, Node 20).
 */
const INTERVAL = 10;

/** The most time that one slice makes up for after the loop was busy, in milliseconds. */
const MAX_STEP = 5 * INTERVAL;

/** The part of the time that is kept for the answers of the last clients, and its most milliseconds. */
const ANSWER_SHARE = 0.1;
const MAX_ANSWER_TIME = 1000;

/** On an Engine.IO socket that has no transport in JavaScript: its connection; `isPolling` if it polls a worker. */
const kConnection = Symbol.for("socket.io-turbo.connection");

const UNAVAILABLE = 503;
/** RFC 9110, section 10.2.3, in seconds: another process can answer at once. */
const RETRY_AFTER = "1";

/** The error of engine.io for a handshake that the application forbids; it has no code for this. */
const FORBIDDEN = 4;
const REFUSAL = { name: "DRAINING", message: "The server is draining" };

/** The drains by their Engine.IO server. An aborted one is removed. */
const drains = new WeakMap();

/** Spreads things evenly over a time. It reads no clock. */
class Pace {
  #last;
  #end;
  /** How much more should have been due than has been: from -1 to 0. The first thing is due at once. */
  #credit = 0;

  /**
   * @param {number} start in milliseconds, as all times here
   * @param {number} end from then on, everything is due
   */
  constructor(start, end) {
    this.#last = start;
    this.#end = end;
  }

  /**
   * Returns how many things are due.
   *
   * @param {number} count of those that remain; it may have changed otherwise since the last call
   * @param {number} now
   */
  due(count, now) {
    const step = Math.min(now - this.#last, MAX_STEP);
    const rest = this.#end - now;
    this.#last = now;
    if (rest <= 0) return count;
    this.#credit += (count - this.#credit) * (step / (step + rest));
    const due = Math.max(Math.ceil(this.#credit), 0);
    this.#credit -= due;
    return due;
  }
}

/** The end of one Engine.IO server. */
class Drain {
  #engine;
  #signal;
  #pace;
  #end;
  #timer;
  #settle;
  /** Connections whose turn has not come. */
  #waiting;
  /** Those whose turn has come, and whose last payload a worker is still receiving or reporting. */
  #receiving = new Set();
  /** Connections that have been told to close, and have not ended. */
  #closing = new Set();
  /** How many connections have ended. */
  #closed = 0;
  #isSettled = false;

  /**
   * @param {import("engine.io").Server} engine
   * @param {number} within
   * @param {AbortSignal} [signal]
   */
  constructor(engine, within, signal) {
    this.#engine = engine;
    this.#signal = signal;
    const now = performance.now();
    this.#end = now + within;
    this.#pace = new Pace(now, this.#end - Math.min(within * ANSWER_SHARE, MAX_ANSWER_TIME));
    this.#waiting = Object.values(engine.clients);
    this.promise = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.#refuseHandshakes();
    engine.on("connection", this.#handleLateClient);
    signal?.addEventListener("abort", this.#abort, { once: true });
    // Closing calls listeners of the application, so it begins in a turn of its own.
    this.#timer = setTimeout(this.#closeSlice, 0);
  }

  /** Has the server answer handshakes with 503. Requests that belong to a session pass. */
  #refuseHandshakes() {
    const engine = this.#engine;
    const { verify } = engine;
    // Not a middleware: engine.io does not allow them together with WebTransport. Those of the
    // application, such as CORS, have run before. After an abort, this passes everything on.
    engine.verify = (request, isUpgrade, callback) => {
      if (request._query.sid || drains.get(engine) !== this) {
        verify.call(engine, request, isUpgrade, callback);
      } else {
        refuse(engine, request, isUpgrade, callback);
      }
    };
  }

  /** Takes a client whose handshake had begun before, or could not be refused. */
  #handleLateClient = (conn) => {
    if (this.#isSettled) conn.close();
    else this.#waiting.push(conn);
  };

  #closeSlice = () => {
    const now = performance.now();
    // io.close() may have closed all.
    if (this.#engine.clientsCount === 0) this.#forgetEnded();
    if (now >= this.#end) this.#waitNoLonger();
    if (now >= this.#end ? this.#waiting.length === 0 : this.#isEmpty) {
      this.#finish();
      return;
    }
    // Before the application's listeners, which may throw.
    this.#timer = setTimeout(this.#closeSlice, Math.min(INTERVAL, Math.max(this.#end - now, 0)));
    this.#closeSome(this.#pace.due(this.#waiting.length, now), now >= this.#end);
  };

  get #isEmpty() {
    return this.#waiting.length + this.#receiving.size + this.#closing.size === 0;
  }

  #forgetEnded() {
    this.#waitNoLonger();
    this.#closed += this.#waiting.length;
    this.#waiting = [];
  }

  /** Has clients closed that send payloads, whether these end or not. */
  #waitNoLonger() {
    for (const conn of this.#receiving) this.#waiting.push(conn);
    this.#receiving.clear();
  }

  /** @param {boolean} isLast whether busy clients are closed, too */
  #closeSome(count, isLast) {
    const busy = [];
    try {
      for (let i = 0; i < count; i++) {
        const conn = takeAny(this.#waiting);
        if (isLast) this.#close(conn);
        else if (isBusy(conn)) busy.push(conn);
        else this.#closeReceived(conn);
      }
    } finally {
      for (const conn of busy) this.#waiting.push(conn);
    }
  }

  /** Closes a connection, or has that happen when its client sends no payload any more. */
  #closeReceived(conn) {
    const connection = receivingConnection(conn);
    if (connection === null) {
      this.#close(conn);
      return;
    }
    this.#receiving.add(conn);
    connection.whenReceived(() => {
      if (!this.#receiving.delete(conn)) return;
      // It may be about to upgrade by now.
      if (isBusy(conn)) this.#waiting.push(conn);
      else this.#close(conn);
    });
  }

  #close(conn) {
    if (conn.readyState === "closed") {
      this.#closed += 1;
      return;
    }
    this.#closing.add(conn);
    // In front of Socket.IO, whose application may throw.
    conn.prependOnceListener("close", () => {
      const handleEnd = () => {
        this.#closing.delete(conn);
        this.#closed += 1;
      };
      if (isLean(conn)) conn[kConnection].whenEnded(handleEnd);
      else whenEnded(conn.transport, handleEnd);
    });
    conn.close();
  }

  #finish() {
    this.#isSettled = true;
    this.#signal?.removeEventListener("abort", this.#abort);
    this.#settle.resolve({ closed: this.#closed, left: this.#closing.size });
  }

  #abort = () => {
    clearTimeout(this.#timer);
    drains.delete(this.#engine);
    this.#engine.off("connection", this.#handleLateClient);
    this.#receiving.clear();
    this.#settle.reject(this.#signal.reason);
  };
}

/** Answers a handshake with 503, in the form of engine.io's own errors. */
function refuse(engine, request, isUpgrade, callback) {
  const output = isUpgrade ? request.socket : request.res;
  if (!(output instanceof Stream)) {
    // A server that is not Node's, such as µWebSockets.js.
    callback(FORBIDDEN, REFUSAL);
    return;
  }
  const { [FORBIDDEN]: message } = engine.constructor.errorMessages;
  engine.emit("connection_error", { req: request, code: FORBIDDEN, message, context: REFUSAL });
  if (isUpgrade) refuseUpgrade(output);
  else refuseRequest(output);
}

function refuseRequest(response) {
  // A middleware has answered and passed the request on all the same.
  if (response.headersSent) {
    response.end();
    return;
  }
  // The next attempt takes a new connection, which may lead to another process.
  response.shouldKeepAlive = false;
  response.writeHead(UNAVAILABLE, {
    "Content-Type": "application/json",
    "Retry-After": RETRY_AFTER,
  });
  response.end(JSON.stringify({ code: FORBIDDEN, message: REFUSAL.message }));
}

function refuseUpgrade(socket) {
  socket.on("error", () => {});
  const head = [
    `HTTP/1.1 ${UNAVAILABLE} ${STATUS_CODES[UNAVAILABLE]}`,
    "Connection: close",
    "Content-Type: text/html",
    `Content-Length: ${REFUSAL.message.length}`,
    `Retry-After: ${RETRY_AFTER}`,
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${REFUSAL.message}`, () => socket.destroy());
}

/** Removes a random element, so that the clients of one user or one address are not closed together. */
function takeAny(list) {
  const index = Math.floor(Math.random() * list.length);
  const taken = list[index];
  list[index] = list.at(-1);
  list.pop();
  return taken;
}

/** Returns whether a client is in the middle of a request whose packets closing it would lose. */
function isBusy(conn) {
  if (conn.readyState !== "open") return false;
  return conn.upgrading || (!isLean(conn) && Boolean(conn.transport.dataReq));
}

/**
 * Returns the connection of a client that sends a payload to a worker; `null` for all others.
 *
 * @param {import("engine.io").Socket} conn
 */
function receivingConnection(conn) {
  const connection = isLean(conn) ? conn[kConnection] : conn.transport.connection;
  return connection?.isPolling && connection.isReceiving ? connection : null;
}

/** Returns whether a client has no transport in JavaScript, which would be made for the question. */
function isLean(conn) {
  return conn[kConnection] !== undefined;
}

/**
 * Calls back when the connection under a closed Engine.IO socket has ended: a WebSocket by its closing
 * handshake. Of a poll, the answer has been written already.
 *
 * @param {import("engine.io").Transport} transport
 * @param {() => void} callback
 */
function whenEnded({ session, socket }, callback) {
  const isWebSocket = typeof socket?.once === "function";
  if (isWebSocket && socket.readyState !== socket.CLOSED) socket.once("close", callback);
  else if (session) session.closed.then(callback, callback);
  else callback();
}

/**
 * Closes all clients of a server evenly over a time, and refuses new ones; see index.d.ts.
 *
 * @param {import("socket.io").Server} io
 * @param {{ within: number, signal?: AbortSignal }} options
 * @returns {Promise<{ closed: number, left: number }>}
 * @throws {InvalidOptionError}
 */
function drain(io, options) {
  if (typeof io?.of !== "function" || typeof io.close !== "function") {
    throw new InvalidOptionError("io", "a Server of Socket.IO", io);
  }
  const given = optionsObject(options);
  const within = optionOf(OPTIONS, given, "within");
  const signal = optionOf(OPTIONS, given, "signal");
  if (within === undefined) throw new InvalidOptionError("within", OPTIONS.within.accepted, within);
  if (signal?.aborted) return Promise.reject(signal.reason);
  const { engine } = io;
  // Without an HTTP server, there are no clients.
  if (engine === undefined) return Promise.resolve({ closed: 0, left: 0 });
  if (!drains.has(engine)) drains.set(engine, new Drain(engine, within, signal));
  return drains.get(engine).promise;
}

module.exports = { MAX_STEP, Pace, drain };
