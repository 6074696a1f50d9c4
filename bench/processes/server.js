"use strict";

/**
 * `server.js CONTENDER OPTIONS`, forked: the Socket.IO server of one round, in a process of its
 * own, so that what it uses is its own. The options are JSON: server-process.js's `ServerOptions`.
 * Answers each `{ command, plan }` that comes over IPC with one message:
 *
 * | command | answer |
 * | --- | --- |
 * | `start` | `{}`; a measurement begins |
 * | `stop` | what was used since `start`: a {@link Usage}, and the events `received` meanwhile |
 * | `broadcast`, `publish` | when the plan has been followed: a {@link Usage}; see broadcasting.js |
 * | `received` | `{ received }`: events since the process began |
 * | `memory` | `{ rss }` in bytes, after the garbage has been collected |
 * | `block` | `{}`, when JavaScript has been busy for the plan's `milliseconds` |
 *
 * When it listens it sends `{ port }`, and if something fails `{ error }`. Runs under Node.js
 * with `--expose-gc`, and under Bun.
 *
 * @typedef {import("./usage.js").Usage} Usage
 */

const { setTimeout: sleep } = require("node:timers/promises");
const { broadcast, publish } = require("./broadcasting.js");
const { contender: contenderOf } = require("./contenders.js");
const { listenOnHttp } = require("./listening.js");
const { Measurement } = require("./usage.js");

/** Time for the allocator to return memory after a collection. */
const SETTLE_MILLISECONDS = 150;

/** Objects that together are larger than V8's young generation, at 28 bytes or more each. */
const SURVIVORS = 2_000_000;

/** As long as a small answer of an API. */
const ANSWER = JSON.stringify({ text: "x".repeat(112) });

const [name, json] = process.argv.slice(2);
const { redis, heartbeat, perMessageDeflate, isSecure, isPolled } = JSON.parse(json);
const contender = contenderOf(name);
let io;
let received = 0;
let measurement;
let receivedBefore;

/** Socket.IO's handlers: counts `message`, acknowledges `echo` with what came. */
function serve(server) {
  io = server;
  io.on("connection", (socket) => {
    socket.on("message", () => {
      received++;
    });
    socket.on("echo", (data, acknowledge) => {
      received++;
      acknowledge(data);
    });
  });
}

/** Answers an ordinary request, and counts it with the events. */
function handleRequest(_request, response) {
  received++;
  response.end(ANSWER);
}

/** A measurement begins. */
function start() {
  receivedBefore = received;
  measurement = new Measurement();
}

/** @returns {Usage & { received: number }} since the measurement began */
function stop() {
  const usage = measurement.end();
  checkNative();
  return { ...usage, received: received - receivedBefore };
}

const commands = {
  start() {
    start();
    return {};
  },
  stop,
  broadcast: (plan) => broadcast(io, plan, start, stop),
  publish: (plan) => publish(io, plan, start, stop),
  received: () => ({ received }),
  async memory() {
    youngGeneration.grow();
    // Twice: what finalizers let go of in between is garbage, too.
    for (let pass = 0; pass < 2; pass++) {
      collectGarbage();
      await sleep(SETTLE_MILLISECONDS);
    }
    checkNative();
    return { rss: process.memoryUsage().rss };
  },
  block({ milliseconds }) {
    checkNative();
    const end = performance.now() + milliseconds;
    while (performance.now() < end);
    return {};
  },
};

/** V8's young generation, up to 48 MiB that belong to the process, and not to its connections. */
const youngGeneration = {
  isGrown: false,

  /** Lets it grow to its limit, once. It does so by itself, sooner or later, where a program allocates. */
  grow() {
    if (this.isGrown) return;
    this.isGrown = true;
    // Survivors make it grow.
    for (let pass = 0; pass < 4; pass++) Array.from({ length: SURVIVORS }, () => ({ pass }));
  },
};

function collectGarbage() {
  if (globalThis.Bun === undefined) global.gc();
  else globalThis.Bun.gc(true);
}

/** @throws {Error} if a connection is not native, so that ws is not measured in our name */
function checkNative() {
  // The emitting node of a cluster may have no clients.
  if (!contender.isNative || io.engine.clientsCount === 0) return;
  // Polling, and TLS of Node.js.
  if (isPolled || (isSecure && contender.http === undefined)) return;
  const { connections } = require("../..").stats();
  if (connections.native === 0 || Object.keys(connections.fallback).length > 0) {
    throw new Error(`not all connections are native: ${JSON.stringify(connections)}`);
  }
}

async function listen() {
  if (contender.listen !== undefined) return contender.listen(serve, heartbeat);
  const plugged = redis === undefined ? contender.options() : contender.nodeOptions(redis);
  // A contender may have an object of its own for it.
  const compression = perMessageDeflate && { perMessageDeflate };
  const options = { ...compression, ...(await plugged), ...heartbeat };
  return listenOnHttp(options, serve, { module: contender.http?.(), isSecure, handleRequest });
}

/** Sends the result of `work`, or its error. */
async function answer(work) {
  try {
    process.send(await work());
  } catch (error) {
    process.send({ error: error.message });
  }
}

process.on("message", ({ command, plan }) => answer(() => commands[command](plan)));
process.on("disconnect", () => process.exit());
answer(listen);
