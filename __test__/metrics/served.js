"use strict";

/** A server with something to count, and the metrics that the guide lists. */

const { once } = require("node:events");
const { readFileSync } = require("node:fs");
const path = require("node:path");
const { turbo } = require("../..");
const { connectClient, leave } = require("../support/socket-io-client.js");
const { engineNamed } = require("../support/engines.js");
const { startServer } = require("../support/socket-io-server.js");

const GUIDE = path.join(__dirname, "../../docs/monitoring.md");

/**
 * Returns the metrics in the table of docs/monitoring.md.
 *
 * @returns {Array<{ prometheus: string, openTelemetry: string[], type: string, label?: string }>}
 */
function documentedMetrics() {
  const rows = readFileSync(GUIDE, "utf8").matchAll(
    /^\| `(socketio_turbo_\w+)` \| ([^|]+) \| (\w+)(?:, by `(\w+)`)? \|/gm,
  );
  return [...rows].map(([, prometheus, names, type, label]) => ({
    prometheus,
    openTelemetry: names.match(/[\w.]+/g),
    type,
    label,
  }));
}

/**
 * Starts a server with two clients, one of which has sent `messages` events that were broadcast, and a
 * third that has left. All have received everything.
 */
async function serve(t, messages) {
  const { io, origin, beforeClose } = await startServer(t, engineNamed("turbo"));
  io.on("connection", (socket) => socket.on("say", (text) => io.emit("said", text)));
  const connect = async () => {
    const client = connectClient(origin);
    beforeClose(() => leave(client));
    await once(client, "connect");
    return client;
  };
  const [speaker, listener, leaver] = [await connect(), await connect(), await connect()];
  const left = once(io.of("/").sockets.get(leaver.id), "disconnect");
  leaver.disconnect();
  await left;
  for (let count = 0; count < messages; count++) {
    const said = [speaker, listener].map((client) => once(client, "said"));
    speaker.emit("say", "hello");
    await Promise.all(said);
  }
  return { io, speaker };
}

/** True of `turbo.stats()` once workers have counted all that the clients of {@link serve} have received. */
function isCounted({ connections, queuedBytes, delivery, framesOut }) {
  return connections.native === 2 && queuedBytes === 0 && delivery.count >= framesOut;
}

/** Waits until `isReached` is true of `turbo.stats()`, and returns it. */
async function statsOnce(isReached) {
  let stats = turbo.stats();
  while (!isReached(stats)) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    stats = turbo.stats();
  }
  return stats;
}

module.exports = { documentedMetrics, isCounted, serve, statsOnce };
