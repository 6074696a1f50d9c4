"use strict";

/**
 * Two nodes over Redis in one process of any runtime, with a client each. `cluster.cjs URL` prints one
 * line of JSON: what the clients have received of the first one's broadcast.
 */

const { once } = require("node:events");
const { createServer } = require("node:http");
const { setTimeout: delay } = require("node:timers/promises");
const { Server } = require("socket.io");
const { io: connect } = require("socket.io-client");
const { createRedisAdapter, turbo } = require("../..");

async function startNode(url) {
  const server = createServer();
  const io = new Server(server, turbo({ adapter: createRedisAdapter({ url }) }));
  io.on("connection", (socket) => {
    socket.join("room");
    socket.on("say", (...args) => io.to("room").emit("said", ...args));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const transports = ["websocket"];
  const client = connect(`http://127.0.0.1:${server.address().port}`, {
    transports,
    forceNew: true,
  });
  return { io, client };
}

async function main([url]) {
  const nodes = [await startNode(url), await startNode(url)];
  const heard = nodes.map(({ client }) => new Promise((resolve) => client.once("said", resolve)));
  while ((await nodes[0].io.fetchSockets()).length < nodes.length) await delay(10);
  nodes[0].client.emit("say", { text: "ž".repeat(2_000), bytes: Buffer.from([0, 255]) });
  const said = (await Promise.all(heard)).map(({ text, bytes }) => [text.length, [...bytes]]);
  const states = turbo.stats().redis.map(({ state }) => state);
  for (const { io, client } of nodes) {
    client.close();
    await io.close();
  }
  console.log(JSON.stringify({ said, states }));
}

main(process.argv.slice(2));
