"use strict";

/** Clients that run in the test's own process: socket.io-client 4 and 2, and our raw one. */

const connectV2 = require("socket.io-client-v2");
const { WEBSOCKET_ONLY, WITH_UPGRADE, connectClient } = require("../socket-io-client.js");
const { REASONS, runProgram } = require("./program.js");
const { RawClient } = require("./raw-client.js");

const LOST = ["transport close", "transport error"];

/** @returns {import("./all.js").Driver} */
function driverOf(name, connectTo, details) {
  return {
    name,
    skip: false,
    start: async () => {},
    stop: async () => {},
    async open(origin, { namespace = "/", auth, reconnection = false } = {}) {
      const socket = connectTo(origin, { namespace, auth, reconnection });
      const { disconnected, refused } = runProgram(socket);
      return {
        disconnected,
        refused,
        async close() {
          socket.disconnect();
          // A client that has not entered a namespace keeps its connection.
          socket.io?.engine.close();
        },
      };
    },
    ...details,
  };
}

function socketIoClient(name, transportOptions) {
  const connectTo = (origin, { namespace, ...options }) =>
    connectClient(origin + namespace, { ...options, reconnectionDelay: 20, ...transportOptions });
  return driverOf(name, connectTo, {
    startsOnPolling: transportOptions === WITH_UPGRADE,
    recovers: true,
    reasons: REASONS,
  });
}

function socketIoClientV2(name, transportOptions) {
  const connectTo = (origin, { namespace, auth }) =>
    connectClient(origin + namespace, { query: auth, ...transportOptions }, connectV2);
  return driverOf(name, connectTo, {
    startsOnPolling: transportOptions === WITH_UPGRADE,
    recovers: false,
    // Its error has data and no message.
    refusal: { token: "wröng" },
    // engine.io 6.6 stops the heartbeat of Engine.IO v3 when it changes the transport.
    missesSilence: transportOptions === WITH_UPGRADE,
    // Where Node.js has a WebSocket of its own, it uses that, which has other events.
    reasons: { ...REASONS, ended: LOST, reset: LOST },
  });
}

const rawClient = driverOf(
  "a client by hand",
  (origin, options) => new RawClient(origin, options),
  {
    startsOnPolling: false,
    recovers: true,
    reasons: {
      left: "close 1005",
      disconnected: "disconnect packet",
      closed: "close 1005",
      ended: "close 1006",
      reset: "close 1006",
    },
  },
);

module.exports = [
  socketIoClient("socket.io-client 4", WITH_UPGRADE),
  socketIoClient("socket.io-client 4 with WebSocket only", WEBSOCKET_ONLY),
  socketIoClientV2("socket.io-client 2", WITH_UPGRADE),
  socketIoClientV2("socket.io-client 2 with WebSocket only", WEBSOCKET_ONLY),
  rawClient,
];
