"use strict";

/**
 * Programs that receive packets of a client by hand. They run on stock parts and on ours, and log what
 * an application can see.
 */

const assert = require("node:assert/strict");
const { engines, hasNative } = require("./engines.js");
const { enterByHand } = require("./hand-client.js");
const { polled } = require("./observed.js");
const { startServer } = require("./socket-io-server.js");

/**
 * Ack ids of events that follow the messages: the first is acknowledged when all messages have been
 * received, the second when what they have led to in the same turn is over.
 */
const FENCES = [998, 999];

/**
 * One client of a server, and its server side.
 *
 * @typedef {object} Reception
 * @property {import("./hand-client.js").HandClient} client
 * @property {import("socket.io").Socket} socket
 * @property {import("engine.io").Socket} conn
 * @property {(...values: unknown[]) => void} see adds to the log
 * @property {unknown[]} log
 * @property {() => number} shortCount packets that have skipped the layers since the last call; 0 with
 *   stock parts
 */

/**
 * Connects a client whose events are logged.
 *
 * @param {object} server as `startServer()` returns it
 * @param {unknown[]} [log]
 * @param {string} [name] of the client in the log
 * @returns {Promise<Reception>}
 */
async function enterLogged(server, log = [], name = undefined) {
  const { client, socket } = await enterByHand(server);
  const see = (...values) => log.push(name === undefined ? values : [name, ...values]);
  logEvents(socket, see);
  const { conn } = socket;
  return { server, client, socket, conn, see, log, shortCount: countShort(conn) };
}

/** Logs the events of a socket, and acknowledges those that ask for it. */
function logEvents(socket, see) {
  socket.onAny((event, ...args) => {
    const answer = typeof args.at(-1) === "function" ? args.pop() : undefined;
    // Without a payload, the acknowledgement is the only argument.
    const name = typeof event === "function" ? "(acknowledgement)" : event;
    if (event !== "fence") see("event", socket.nsp.name, name, args);
    answer?.(...args);
  });
  socket.on("error", ({ message }) => see("error", socket.nsp.name, message));
  socket.on("disconnect", (reason) => see("disconnect", socket.nsp.name, reason));
}

/** Counts the packets that skip the layers between the engine and Socket.IO. */
function countShort(conn) {
  const receiver = conn.transport.socket?._connection?.packetReceiver ?? null;
  let count = 0;
  if (receiver !== null) {
    const { handlePacket } = receiver;
    receiver.handlePacket = (packet) => {
      const isHandled = handlePacket.call(receiver, packet);
      if (isHandled) count++;
      return isHandled;
    };
  }
  return () => {
    const counted = count;
    count = 0;
    return counted;
  };
}

/** Sends messages in one piece, as texts or Buffers. */
function sendInOnePiece({ webSocket }, messages) {
  webSocket._socket.cork();
  for (const message of messages) webSocket.send(message);
  webSocket._socket.uncork();
}

/**
 * Sends messages in one piece, and keeps JavaScript busy until the worker of the connection has read
 * them. ws reads in a later turn.
 */
function sendAndLetRead({ client, conn, socket }, messages) {
  const { socket: netSocket } = socket.request;
  const before = netSocket.bytesRead;
  sendInOnePiece(client, messages);
  const hasWorker = conn.transport.socket._connection != null;
  while (hasWorker && netSocket.bytesRead === before);
}

/**
 * Sends messages in one piece, and waits until the server has handled them, or closed the connection.
 *
 * @param {Reception} reception
 * @param {Array<string | Buffer>} messages
 * @returns {Promise<Array<string | Buffer>>} what the client has received
 */
async function exchange({ client, conn }, messages) {
  const texts = [...messages];
  for (const id of FENCES) {
    sendInOnePiece(client, [...texts.splice(0), `42${id}["fence"]`]);
    const isHandled = () => client.disconnected || client.received.includes(`43${id}[]`);
    await client.until(isHandled, "the answer");
    if (!client.disconnected) continue;
    await polled(() => conn.readyState === "closed");
    break;
  }
  const answers = FENCES.map((id) => `43${id}[]`);
  const received = client.received.filter((message) => !answers.includes(message));
  client.received.length = 0;
  return received.map(withoutIds);
}

/** Returns a message without what is random. */
function withoutIds(message) {
  return typeof message === "string" ? message.replace(/"[\w-]{20}"/g, '"(id)"') : message;
}

/**
 * Runs a program on each engine, and asserts that the results are those of the first.
 *
 * @param {import("node:test").TestContext} t
 * @param {(server: object) => Promise<{ log: unknown[], short?: unknown }>} program `short` is not compared
 * @param {object | (() => object)} [options] of the servers
 * @returns {Promise<{ log: unknown[], short?: unknown }>} the result with ours
 */
async function compare(t, program, options = {}) {
  const results = [];
  for (const engine of engines) {
    const given = typeof options === "function" ? options(engine) : options;
    results.push(await program(await startServer(t, engine, given)));
  }
  for (const { log } of results) {
    // Piece by piece, for readable differences.
    for (const [index, piece] of log.entries()) {
      assert.deepStrictEqual(piece, results[0].log[index]);
    }
    assert.equal(log.length, results[0].log.length);
  }
  return results.at(-1);
}

/** Asserts how many packets have skipped the layers; none can without the engine. */
function assertShort(actual, expected) {
  if (hasNative) assert.deepEqual(actual, expected);
}

module.exports = {
  assertShort,
  compare,
  countShort,
  enterLogged,
  exchange,
  logEvents,
  sendAndLetRead,
  sendInOnePiece,
};
