"use strict";

/**
 * A server of `createSecureServer()` with Socket.IO: prints the answers to a request and to a client, warnings and
 * counters. The environment has `PEM`, the certificates as JSON.
 */

const https = require("node:https");
const { Server } = require("socket.io");
const { io: connect } = require("socket.io-client");
const { createSecureServer, stats, turbo } = require("../..");

const warnings = [];
process.on("warning", ({ code, message }) => warnings.push([code, message]));

const { forServer, ca } = JSON.parse(process.env.PEM);
const server = createSecureServer(forServer, (request, response) => {
  response.end(`${request.socket.remoteAddress} ${request.socket.encrypted}`);
});
const io = new Server(server, turbo());
io.on("connection", ({ handshake: { secure } }) => io.emit("secure", secure));

/** The answer to a request. */
function ask(port) {
  return new Promise((resolve) => {
    https.get({ host: "127.0.0.1", port, ca, agent: false }, async (response) => {
      let body = "";
      for await (const chunk of response) body += chunk;
      resolve(body);
    });
  });
}

/** Connects a client, and returns the event that it gets. */
function enter(port) {
  const options = { ca, transports: ["websocket"], reconnection: false };
  const client = connect(`https://127.0.0.1:${port}`, options);
  return new Promise((resolve, reject) => {
    client.once("secure", resolve);
    client.once("connect_error", reject);
  });
}

server.listen(0, "127.0.0.1", async () => {
  const { port } = server.address();
  const report = { body: await ask(port), secure: await enter(port) };
  await io.close();
  console.log(JSON.stringify({ ...report, warnings, served: stats().server }));
  process.exit();
});
