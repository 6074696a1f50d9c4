"use strict";

const { createRequire } = require("node:module");

/**
 * The transport of a session that a worker polls for, as programs and engine.io see it.
 *
 * The worker answers requests itself. This transport exists for programs that look at it, for packets
 * that engine.io sends itself, and for requests that have come through Node.js because the worker leaves
 * them to it: a chunked payload, another version of HTTP.
 */

/** The separator of packets: Engine.IO v4, "HTTP long-polling". */
const SEPARATOR = "\x1e";

/** RFC 6455 §5.2: first bytes of frames that are whole, and the bit that says that they are masked. */
const TEXT = 0x81;
const BINARY = 0x82;
const MASKED = 0x80;
const NO_MASK = Buffer.alloc(4);

const { Polling, parser } = loadEngine();

/** The classes of the engine.io that Socket.IO uses. Called where that has been found already. */
function loadEngine() {
  const fromHere = createRequire(__filename);
  const fromSocketIo = createRequire(fromHere.resolve("socket.io"));
  const { transports } = fromSocketIo("engine.io");
  const fromEngine = createRequire(fromSocketIo.resolve("engine.io"));
  const Polling = Object.getPrototypeOf(transports.polling({ _query: { EIO: "4", j: "" } })).constructor;
  return { Polling: baseOf(Polling), parser: fromEngine("engine.io-parser") };
}

/** Returns the class of long-polling itself, of which that with JSON and padding is made. */
function baseOf(Class) {
  const Base = Object.getPrototypeOf(Class);
  return Object.hasOwn(Base.prototype, "onPollRequest") ? Base : Class;
}
