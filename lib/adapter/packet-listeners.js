"use strict";

/**
 * Listeners that must get every packet of an Engine.IO socket. Where there are some, engine.io sends
 * the packets itself and broadcasts do not go to the workers.
 */

/** The events by which an Engine.IO socket reports its packets. */
const SOCKET_EVENTS = ["packetCreate", "flush", "drain"];

/** The events by which an Engine.IO socket reports heartbeats. */
const HEARTBEAT_EVENTS = [...SOCKET_EVENTS, "packet", "heartbeat"];

/** The events by which a transport reports packets. engine.io has one listener for each. */
const TRANSPORT_EVENTS = ["packet", "drain", "ready"];

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

/**
 * Returns whether an Engine.IO socket has listeners that could see heartbeats.
 *
 * @param {import("engine.io").Socket} conn
 */
function isHeartbeatObserved(conn) {
  return HEARTBEAT_EVENTS.some((event) => conn.listenerCount(event) > 0);
}

/**
 * Returns whether a transport or its WebSocket has listeners that could see heartbeats.
 *
 * @param {import("engine.io").Transport} transport one that polls has no WebSocket
 */
function isTransportObserved(transport) {
  return (
    TRANSPORT_EVENTS.some((event) => transport.listenerCount(event) > 1) ||
    transport.socket?.listenerCount("message") > 1
  );
}

module.exports = {
  HEARTBEAT_EVENTS,
  SERVER_EVENTS,
  SOCKET_EVENTS,
  isHeartbeatObserved,
  isServerObserved,
  isSocketObserved,
  isTransportObserved,
};
