"use strict";

/** A server of `createServer()` with Socket.IO: prints the answer to a request, warnings and counters. */

const http = require("node:http");
const { Server } = require("socket.io");
const { createServer, stats, turbo } = require("../..");

const warnings = [];
process.on("warning", ({ code, message }) => warnings.push([code, message]));

const server = createServer((_request, response) => response.end("answer"));
const io = new Server(server, turbo());

server.listen(0, "127.0.0.1", () => {
  http.get({ host: "127.0.0.1", port: server.address().port, agent: false }, async (response) => {
    let body = "";
    for await (const chunk of response) body += chunk;
    await io.close();
    console.log(JSON.stringify({ body, warnings, server: stats().server }));
    process.exit();
  });
});
