"use strict";

/** Many clients of one server at once: nothing is lost, repeated or out of order, in either direction. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { describe, test } = require("node:test");
const { io: connect } = require("socket.io-client");
const { connectionCounts, engines, hasNative } = require("../support/engines.js");
const { startServer } = require("../support/socket-io-server.js");

/** Enough for the slowest platform, an emulated one. */
const GUARD = { timeout: 300_000 };
/** So that a slow machine ends no connection. */
const PATIENT = {
  connectTimeout: GUARD.timeout,
  pingTimeout: GUARD.timeout,
  upgradeTimeout: GUARD.timeout,
};

const CLIENTS = 200;
const ROOMS = 10;
const ROUNDS = 12;

const WEBSOCKET = ["websocket"];
const POLLING = ["polling"];
/** How each client connects, in turn. */
const TRANSPORTS = [WEBSOCKET, ["polling", "websocket"], WEBSOCKET, POLLING];

/** Binary in every fourth round, and text of 1 to 4,096 characters, some of them beyond Latin-1. */
function payload(round) {
  const text = (round % 3 === 0 ? "né" : "ně").repeat(2 ** (round % 12));
  return round % 4 === 3 ? Buffer.from(text) : text;
}

/** Connects all clients, by turns in each way, and waits until each has its final transport. */
function enterAll({ io, origin, beforeClose }) {
  const arrived = [];
  io.on("connection", (socket) => arrived[socket.handshake.auth.number](socket));
  const enter = async (number) => {
    const transports = TRANSPORTS[number % TRANSPORTS.length];
    const connected = new Promise((resolve) => {
      arrived[number] = resolve;
    });
    const options = { transports, auth: { number }, forceNew: true, reconnection: false };
    const client = connect(origin, { ...options, timeout: GUARD.timeout });
    beforeClose(() => client.disconnect());
    const received = [];
    client.onAny((...args) => received.push(args));
    const socket = await connected;
    const { transport } = socket.conn;
    if (transports !== POLLING && transport.name !== "websocket")
      await once(socket.conn, "upgrade");
    socket.join(roomOf(number));
    return { client, socket, number, received };
  };
  return Promise.all(Array.from({ length: CLIENTS }, (_, number) => enter(number)));
}

function roomOf(number) {
  return `room ${number % ROOMS}`;
}

/** Sends everything to everyone within one turn, while every client sends all of its own. */
async function converse(io, members) {
  const answers = members.map(({ client, number }) =>
    Promise.all(rounds((round) => client.emitWithAck("echo", [number, round, payload(round)]))),
  );
  for (const round of rounds()) {
    io.emit("to all", round, payload(round));
    for (let room = 0; room < ROOMS; room++) io.to(roomOf(room)).emit("to a room", room, round);
    for (const { socket, number } of members) socket.emit("to one", number, round, payload(round));
  }
  return Promise.all(answers);
}

function rounds(of = (round) => round) {
  return Array.from({ length: ROUNDS }, (_, round) => of(round));
}

/** The messages that a client has to receive, in this order. */
function expected(number) {
  return rounds((round) => [
    ["to all", round, payload(round)],
    ["to a room", number % ROOMS, round],
    ["to one", number, round, payload(round)],
  ]).flat();
}

for (const engine of engines) {
  describe(`${engine.name}: ${CLIENTS} clients`, GUARD, () => {
    test("lose nothing, by WebSocket, by polling and after an upgrade", GUARD, async (t) => {
      const server = await startServer(t, engine, PATIENT);
      const before = connectionCounts().native;
      const members = await enterAll(server);
      const isNative = hasNative && engine.name === "turbo";
      assert.equal(connectionCounts().native - before, isNative ? (CLIENTS * 3) / 4 : 0);

      const answers = await converse(server.io, members);
      // Comes after everything that the server has sent before.
      await Promise.all(members.map(({ client }) => client.emitWithAck("echo", "last")));
      for (const { number, received } of members) {
        assert.deepEqual(received, expected(number), `client ${number}`);
        const echoed = rounds((round) => [number, round, payload(round)]);
        assert.deepEqual(answers[number], echoed, `the answers to client ${number}`);
      }
    });
  });
}
