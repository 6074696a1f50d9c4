"use strict";

/** A server and two clients that talk; the process ends by itself. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { createServer } = require("node:http");

/**
 * Prints as JSON whether the addon was loaded, and how many connections workers have had.
 *
 * @param {object} packages
 * @param {typeof import("socket.io").Server} packages.Server
 * @param {typeof import("socket.io-client").io} packages.connect
 * @param {typeof import("socket.io-turbo").turbo} packages.turbo
 */
async function converse({ Server, connect, turbo }) {
  const httpServer = createServer();
  const io = new Server(httpServer, turbo());
  io.on("connection", (socket) => {
    socket.on("echo", (value, acknowledge) => acknowledge(value));
  });
  await once(httpServer.listen(0, "127.0.0.1"), "listening");
  const { port } = httpServer.address();
  const open = async (transports) => {
    const client = connect(`http://127.0.0.1:${port}`, { forceNew: true, transports });
    await once(client, "connect");
    return client;
  };
  const clients = [await open(["websocket"]), await open(["polling", "websocket"])];
  await upgraded(clients[1].io.engine);
  const value = { text: "ž".repeat(2_000), bytes: Buffer.from([0, 127, 255]) };
  for (const client of clients) {
    assert.deepEqual(await client.emitWithAck("echo", value), value);
  }
  const news = clients.map((client) => once(client, "news"));
  io.emit("news", value);
  for (const received of await Promise.all(news)) assert.deepEqual(received, [value]);
  const { opened } = turbo.stats().connections;
  const { native, nativeError } = turbo;
  console.log(JSON.stringify({ native, error: nativeError?.message ?? null, opened }));
  for (const client of clients) client.disconnect();
  await io.close();
}

async function upgraded(engine) {
  if (engine.transport.name !== "websocket") await once(engine, "upgrade");
}

module.exports = { converse };
