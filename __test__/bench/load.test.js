"use strict";

/** `npm run load`, the load generator, against small servers of stock Socket.IO. */

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const { once } = require("node:events");
const { createServer } = require("node:http");
const path = require("node:path");
const { text } = require("node:stream/consumers");
const { before, describe, test } = require("node:test");
const { Server } = require("socket.io");
const { build } = require("../../bench/processes/load-process.js");
const { skipWithoutCargo } = require("../support/cargo.js");
const { listen } = require("../support/tcp-server.js");

const RUN = path.join(__dirname, "../../bench/generate.js");

/** @returns {string | false} on other systems, the crate does not compile */
const skip = process.platform === "linux" ? skipWithoutCargo : "the load client needs Linux";

/** Starts a server; returns it and its URL. */
async function serve(t, options) {
  const httpServer = createServer();
  const io = new Server(httpServer, options);
  const { port } = await listen(httpServer);
  t.after(() => io.close());
  return { io, url: `http://127.0.0.1:${port}` };
}

/** Runs the generator; `ended` resolves with its exit code and its output. */
function generate(t, ...args) {
  const child = spawn(process.execPath, [RUN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => child.kill("SIGTERM"));
  const ended = Promise.all([once(child, "close"), text(child.stdout), text(child.stderr)]);
  const result = ([[code], output, errors]) => ({ code, output, errors: withoutCargo(errors) });
  return { child, ended: ended.then(result) };
}

/** Removes what cargo writes, which finds that nothing is to be built. */
function withoutCargo(errors) {
  return errors.replace(/^ +(Finished|Blocking) .*\n/gm, "");
}

/** Returns the numbers that the summary names. */
function summary(output) {
  const [, rest] = output.split("\nin ");
  const number = (pattern) => Number(rest.match(pattern)?.[1]);
  return {
    clients: number(/clients (\d+)\//),
    errors: number(/errors (\d+)/),
    sent: number(/events sent (\d+)/),
    received: number(/packets received (\d+)/),
    acks: number(/acknowledgements (\d+)/),
    missing: number(/missing (\d+)/),
    p50: number(/p50 ([\d.]+) ms/),
  };
}

describe("the load generator", { skip, timeout: 720_000 }, () => {
  before(() => build());

  test("sends events at a rate, and counts what comes back", async (t) => {
    const { io, url } = await serve(t);
    const senders = new Set();
    let events = 0;
    io.on("connection", (socket) => {
      socket.on("say", (value, answer) => {
        assert.deepEqual(value, { a: [1] });
        senders.add(socket.id);
        events++;
        socket.emit("heard", Buffer.from("attached"));
        answer("yes");
      });
    });
    const args = ["--clients", "20", "--rate", "200", "--event", "say", "--data", '{"a": [1]}'];
    const { code, output, errors } = await generate(t, url, ...args, "--ack", "--seconds", "1")
      .ended;
    assert.deepEqual([code, errors], [0, ""]);
    const { clients, sent, received, acks, missing, p50, ...rest } = summary(output);
    assert.deepEqual([clients, rest.errors, senders.size], [20, 0, 20]);
    assert.ok(sent > 0);
    assert.equal(acks + missing, sent);
    assert.ok(acks <= events && events <= sent);
    assert.ok(received <= events && received >= acks, `${received} packets, ${acks} acks`);
    assert.ok(p50 > 0);
    // Not a terminal: no escape sequences.
    assert.ok(!output.includes("\u001b"));
  });

  test("joins a namespace with auth on a path, receives, and ends at a signal", async (t) => {
    const { io, url } = await serve(t, { path: "/chat" });
    io.of("/news").use(({ handshake }, next) => {
      next(handshake.auth.token === "right" ? undefined : new Error("wrong token"));
    });
    const args = ["--namespace", "/news", "--path", "/chat", "--clients", "3"];
    const wrong = await generate(t, url, ...args, "--auth", '{"token":"wrong"}').ended;
    assert.equal(wrong.code, 1);
    assert.match(
      wrong.errors,
      /the server refused to connect: 4\/news,\{"message":"wrong token"\}/,
    );
    const { child, ended } = generate(t, url, ...args, "--auth", '{"token":"right"}');
    while (io.of("/news").sockets.size < 3) await once(io.of("/news"), "connection");
    // The first line shows them when all have received the news.
    let output = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
    });
    while (!/received +[1-9]/.test(output)) {
      io.of("/news").emit("news");
      await Promise.race([once(child.stdout, "data"), new Promise((go) => setTimeout(go, 20))]);
    }
    child.kill("SIGTERM");
    const { code, output: whole } = await ended;
    assert.equal(code, 0);
    const { clients, received, sent, errors } = summary(whole);
    assert.deepEqual([clients, sent, errors], [3, 0, 0]);
    assert.ok(received > 0);
  });

  test("counts lost connections, and ends when all are lost", async (t) => {
    const { io, url } = await serve(t);
    let connected = 0;
    io.on("connection", () => {
      if (++connected === 4) setImmediate(() => io.disconnectSockets(true));
    });
    const { code, output, errors } = await generate(t, url, "--clients", "4", "--rate", "10").ended;
    assert.equal(code, 1);
    assert.match(errors, /all connections are lost|disconnected a client|closed/);
    assert.deepEqual([summary(output).clients, summary(output).errors >= 4], [0, true]);
  });

  test("says what is wrong", async (t) => {
    const refusing = createServer();
    const { port } = await listen(refusing);
    refusing.close();
    const gone = await generate(t, `http://127.0.0.1:${port}`).ended;
    assert.deepEqual([gone.code, /cannot connect/.test(gone.errors)], [1, true], gone.errors);
    const wrong = await generate(t, "--clients", "0").ended;
    assert.deepEqual([wrong.code, wrong.errors], [1, "--clients must be at least 1\n"]);
    const help = await generate(t, "--help").ended;
    assert.deepEqual([help.code, help.errors], [0, ""]);
    assert.match(help.output, /--rate R/);
  });
});
