"use strict";

/**
 * Listeners that must get every packet of an Engine.IO socket. Where there are some, engine.io sends
 * the packets itself and broadcasts do not go to the workers.
 */

/** The events by which an Engine.IO socket reports its packets. */
const SOCKET_EVENTS = ["packetCreate", "flush", "drain"];

/** The events by which an Engine.IO server reports the packets of all its sockets. */
const SERVER_EVENTS = ["flush", "drain"];

/**
 * Returns whether an Engine.IO socket has such listeners.
 *
 * @param {import("engine.io").Socket} conn
 */
function isSocketObserved(conn) {
  return SOCKET_EVENTS.some((event) => conn.listenerCount(event) > 0);
}

/**
 * Returns whether an Engine.IO server has such listeners.
 *
 * @param {import("engine.io").Server} server
 */
function isServerObserved(server) {
  return server.listenerCount("flush") > 0 || server.listenerCount("drain") > 0;
}

module.exports = { SERVER_EVENTS, SOCKET_EVENTS, isServerObserved, isSocketObserved };
