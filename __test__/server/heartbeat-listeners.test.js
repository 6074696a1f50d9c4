"use strict";

/** Listeners of heartbeats, on a stock server and on workers. */

const assert = require("node:assert/strict");
const http = require("node:http");
const { describe, test } = require("node:test");
const { Socket } = require("engine.io-client");
const { createServer, turbo } = require("../..");
const { hasEngine } = require("../../lib/addon/index.js");
const { attach, serve } = require("../support/http-servers.js");

const kinds = [
  { name: "stock", attach: (options) => attach(http.createServer(), options) },
  { name: "ours", attach: (options) => attach(createServer(), turbo(options)) },
].slice(0, hasEngine ? 2 : 1);

/** Engine.IO alone answers the client: it enters no namespace, as one that sends nothing. */
const OPTIONS = { pingInterval: 20, pingTimeout: 60_000 };

const PING = "packetCreate ping";
const PONG = "packet pong";

/** Opens a session, and returns what its listeners of these events have got when it has its second heartbeat. */
async function observe(t, kind, transport, events) {
  const { io, url } = await serve(t, kind.attach(OPTIONS));
  const done = new Promise((resolve) => {
    io.engine.on("connection", (conn) => {
      const log = [];
      let left = 2;
      for (const event of events) conn.on(event, (it) => log.push(`${event} ${it?.type}`));
      // A copy: with two pings on their way, a third pong may come in the same turn.
      conn.on("heartbeat", () => --left === 0 && resolve([conn.readyState, [...log]]));
      conn.on("close", (reason) => log.push(reason));
    });
  });
  const client = new Socket(url, { path: "/socket.io/", transports: [transport] });
  t.after(() => client.close());
  const [state, log] = await done;
  assert.equal(state, "open");
  return log;
}

describe("Heartbeats of a client in no namespace", { timeout: 60_000 }, () => {
  for (const kind of kinds) {
    for (const transport of ["polling", "websocket"]) {
      for (const events of [["packetCreate", "packet"], ["packet"], []]) {
        const title = ["heartbeat", ...events].join(", ");
        test(`${transport}: listeners of ${title} (${kind.name})`, async (t) => {
          const log = await observe(t, kind, transport, events);
          if (kind.name === "stock" || !events.includes("packetCreate")) {
            const expected = { packetCreate: PING, packet: PONG };
            const round = events.map((event) => expected[event]);
            assert.deepEqual(log, [...round, ...round]);
            return;
          }
          // Workers leave the session to engine.io, which begins with a new interval: a slow client gets two
          // pings before its first pong. A ping that a worker sends meanwhile is not shown.
          assert.equal(log[0], PING);
          assert.deepEqual(
            log.filter((line) => line !== PING),
            [PONG, PONG],
          );
          assert.ok(log.length <= 5, String(log));
        });
      }
    }
  }
});
