"use strict";

const { RateLimitStep } = require("../addon/codes.js");
const { InvalidOptionError } = require("../errors.js");
const { BYTE_LIMIT, optionOf, warnOfNearMisses } = require("../options.js");

/** In milliseconds: the most that timers of Node.js accept. */
const MAX_PER = 2 ** 31 - 1;

/** The actions, by the names that programs use. */
const STEPS = {
  pause: RateLimitStep.Pause,
  drop: RateLimitStep.Drop,
  disconnect: RateLimitStep.Disconnect,
};

/** The actions, by the workers' numbers. */
const ACTIONS = [];
for (const [action, step] of Object.entries(STEPS)) ACTIONS[step] = action;

/** @type {Record<string, import("../options.js").Option>} */
const PARTS = {
  "rateLimit.messages": {
    accepted: "an integer of at least 1, or Infinity",
    isAccepted: BYTE_LIMIT.isAccepted,
    default: Infinity,
  },
  "rateLimit.bytes": { ...BYTE_LIMIT, default: Infinity },
  "rateLimit.per": {
    accepted: `milliseconds, an integer from 1 to ${MAX_PER}`,
    isAccepted: (value) => Number.isInteger(value) && value >= 1 && value <= MAX_PER,
    default: 1_000,
  },
  "rateLimit.action": {
    accepted: '"pause", "drop" or "disconnect"',
    isAccepted: (value) => Object.hasOwn(STEPS, value),
  },
};

const PREFIX = "rateLimit.";

/** The option. It is accepted if it is an object; its parts are checked by throwing. */
const RATE_LIMIT = {
  accepted: "an object with an action, and with messages or bytes",
  isAccepted: (value) => {
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    if (isObject) readParts(value);
    return isObject && value.action !== undefined && hasLimit(value);
  },
};

function hasLimit({ messages, bytes }) {
  return messages !== undefined || bytes !== undefined;
}

/** @throws {InvalidOptionError} with the name of the part */
function readParts(given) {
  const ours = Object.keys(PARTS).map((name) => name.slice(PREFIX.length));
  warnOfNearMisses(given, ours);
  const named = Object.fromEntries(ours.map((name) => [PREFIX + name, given[name]]));
  return Object.fromEntries(ours.map((name) => [name, optionOf(PARTS, named, PREFIX + name)]));
}

/**
 * The limit of a client's messages: the option with its defaults.
 *
 * @typedef {{ messages: number, bytes: number, per: number, action: string, isEngineIo: boolean }} Limit
 */

/**
 * Returns the limit of a client's messages.
 *
 * @param {object | undefined} given an accepted value of the option
 * @param {boolean} isEngineIo true if the clients speak Engine.IO
 * @returns {Limit | undefined}
 * @throws {InvalidOptionError} if events are to be dropped and there can be none
 */
function readRateLimit(given, isEngineIo) {
  if (given === undefined) return undefined;
  const limit = readParts(given);
  const { action } = limit;
  if (action === "drop" && !isEngineIo) {
    const accepted = '"pause" or "disconnect" here: only Socket.IO has events that can be dropped';
    throw new InvalidOptionError("rateLimit.action", accepted, action);
  }
  return { ...limit, isEngineIo };
}

/**
 * Returns a limit for the workers.
 *
 * @param {Limit | undefined} limit
 * @returns {object | undefined} as `NativeRateLimit` in binding.d.ts
 */
function nativeRateLimit(limit) {
  return limit && { ...limit, action: STEPS[limit.action] ?? 0 };
}

/**
 * @param {number} step of `RateLimitStep` in addon/codes.js
 * @returns {string} the action
 */
function actionOf(step) {
  return ACTIONS[step];
}

/**
 * Tells the program that a client by WebSocket has exceeded its limit: by the event `rate_limit` of the WebSocket server
 * and of the Engine.IO server.
 *
 * @param {import("./websocket.js").WebSocket} websocket
 * @param {string} action
 */
function reportRateLimit(websocket, action) {
  const { server, engine: guarded } = websocket._settings;
  const conn = websocket._connection?.route?.conn;
  const engine = guarded ?? conn?.server;
  if (engine?.listenerCount("rate_limit") > 0) {
    const socket = conn ?? socketOf(engine, websocket);
    if (socket !== undefined) engine.emit("rate_limit", { socket, action });
  }
  server.emit("rate_limit", { websocket, action });
}

/** Returns the Engine.IO socket whose transport is a WebSocket; it has no namespace yet. */
function socketOf({ clients }, websocket) {
  return Object.values(clients).find(({ transport }) => transport?.socket === websocket);
}

module.exports = { RATE_LIMIT, actionOf, nativeRateLimit, readRateLimit, reportRateLimit };
