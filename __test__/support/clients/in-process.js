"use strict";

/** Clients that run in the test's own process: socket.io-client 4 and 2, and our raw one. */

const { io: connect } = require("socket.io-client");
const connectV2 = require("socket.io-client-v2");
const { runProgram } = require("./program.js");
const { RawClient } = require("./raw-client.js");

const WEBSOCKET_ONLY = { transports: ["websocket"] };

/** Why a client of socket.io-client says that it is disconnected. */
const REASONS = {
  left: "io client disconnect",
  disconnected: "io server disconnect",
  closed: "transport close",
  ended: "transport close",
  reset: "transport close",
  stalled: "ping timeout",
};

const LOST = ["transport close", "transport error"];

/** @returns {import("./all.js").Driver} */
function driverOf(name, connectTo, { namespaceOptions, ...details }) {
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
          // One that was never let in keeps its connection.
          socket.io?.engine.close();
        },
      };
    },
    ...details,
  };
}

function socketIoClient(name, transportOptions) {
  const connectTo = (origin, { namespace, auth, reconnection }) =>
    connect(origin + namespace, {
      auth,
      reconnection,
      reconnectionDelay: 20,
      forceNew: true,
      ...transportOptions,
    });
  return driverOf(name, connectTo, {
    startsOnPolling: transportOptions.transports === undefined,
    recovers: true,
    reasons: REASONS,
  });
}

function socketIoClientV2(name, transportOptions) {
  const connectTo = (origin, { namespace, auth }) =>
    connectV2(origin + namespace, {
      query: auth,
      reconnection: false,
      forceNew: true,
      ...transportOptions,
    });
  return driverOf(name, connectTo, {
    startsOnPolling: transportOptions.transports === undefined,
    recovers: false,
    // It has no message beside the data of an error.
    refusal: { token: "wröng" },
    // engine.io 6.6 stops the heartbeat of Engine.IO v3 when it changes the transport.
    missesSilence: transportOptions.transports === undefined,
    // Where Node.js has a WebSocket of its own, it takes that, which has other events.
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
  socketIoClient("socket.io-client 4", {}),
  socketIoClient("socket.io-client 4 with WebSocket only", WEBSOCKET_ONLY),
  socketIoClientV2("socket.io-client 2", {}),
  socketIoClientV2("socket.io-client 2 with WebSocket only", WEBSOCKET_ONLY),
  rawClient,
];
