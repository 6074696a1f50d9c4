"use strict";

/**
 * A Socket.IO server in a process of its own, so that tests see whether an attack ends it.
 * The first argument says what it is, as JSON: `parts`, "stock" or "turbo", and `gate`, where
 * handshakes wait for the parent: "allowRequest", "middleware" or nowhere; `place` is where the server
 * listens and `allowRequest` is given: "new Server()", "attach()" or "a second attach()", behind another server.
 *
 * To the parent: `{ port }` once it listens, `"pending"` when a handshake waits. From the
 * parent: `"go"` lets those pass that wait, and all that come; `"stop"` closes the server.
 */

const { createServer } = require("node:http");
const { Server } = require("socket.io");
const { turbo } = require("../../index.js");

const { parts, gate, place = "new Server()" } = JSON.parse(process.argv[2]);

const waiting = [];
let isOpen = gate === undefined;

/** Calls `proceed` when the parent lets it. */
function pass(proceed) {
  if (isOpen) {
    proceed();
    return;
  }
  waiting.push(proceed);
  process.send("pending");
}

const filledIn = (options) => (parts === "turbo" ? turbo(options) : options);
const options = { allowEIO3: true };
if (gate === "allowRequest") {
  options.allowRequest = (_request, done) => pass(() => done(null, true));
}

/** A server that listens nowhere yet, attached as `place` says. */
function attached(http) {
  if (place === "new Server()") return new Server(http, filledIn(options));
  const io = new Server(filledIn());
  if (place === "a second attach()") io.attach(createServer());
  return io.attach(http, options);
}

const http = createServer();
const io = attached(http);
if (gate === "middleware") io.engine.use((_request, _response, next) => pass(next));
io.on("connection", (socket) => socket.on("echo", (value, done) => done(value)));

process.on("message", (message) => {
  if (message === "go") {
    isOpen = true;
    for (const proceed of waiting.splice(0)) proceed();
  } else {
    io.close();
    process.disconnect();
  }
});

http.listen(0, "127.0.0.1", () => process.send({ port: http.address().port }));
