"use strict";

/** Asynchronous contexts: that of `listen()` reaches no packet of a client, with `createServer()` as with Node.js. */

const assert = require("node:assert/strict");
const { AsyncLocalStorage } = require("node:async_hooks");
const { once } = require("node:events");
const { describe, test } = require("node:test");
const { connect, kinds, newServer } = require("../support/http-servers.js");
const { connectClient } = require("../support/socket-io-client.js");
const { listen } = require("../support/tcp-server.js");

const users = new AsyncLocalStorage();

/** The context in which Node.js calls listeners of requests and upgrades: from Node.js 24 on, that of `listen()`. */
const ofListening =
  Number.parseInt(process.versions.node, 10) >= 24 && !("_enable" in AsyncLocalStorage.prototype)
    ? "listening"
    : undefined;

for (const kind of kinds) {
  describe(`a server of ${kind.name}`, { timeout: 60_000 }, () => {
    test("has upgrades, and what comes behind them, in the context of Node.js", async (t) => {
      const server = newServer(t, kind);
      const seen = {};
      const see = (event) => {
        seen[event] = users.getStore();
      };
      server.on("upgrade", (_request, socket) => {
        see("upgrade");
        socket.on("data", () => {
          see("data");
          socket.end("bytes");
        });
        socket.write("HTTP/1.1 101 Tea\r\n\r\n");
      });
      await users.run("listening", () => listen(server));
      const client = await connect(t, server);
      client.write("GET /tea HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: tea\r\n\r\n");
      await client.until((received) => received.endsWith("\r\n\r\n"));
      client.write("tea");
      assert.match(await client.ended(), /bytes$/);
      assert.deepEqual(seen, { upgrade: ofListening, data: undefined });
    });

    const skip = kind.attach === null;
    test("has sessions and their packets in no context", { skip }, async (t) => {
      const server = newServer(t, { ...kind, attach: null });
      const io = kind.attach(server);
      t.after(() => io.engine.close());
      const seen = [];
      const see = (event) => seen.push([event, users.getStore()]);
      io.engine.on("connection", (conn) => {
        see("conn");
        conn.on("packet", ({ type }) => see(type));
        conn.on("close", () => see("close"));
      });
      io.on("connection", () => see("socket"));
      const { origin } = await users.run("listening", () => listen(server));
      const client = connectClient(origin);
      const [socket] = await once(io, "connection");
      client.emit("event");
      await once(socket, "event");
      client.disconnect();
      await once(socket.conn, "close");
      assert.deepEqual(seen, [
        // I/O threads have read the request: docs/compatibility.md.
        ["conn", kind.name === "http.createServer()" ? ofListening : undefined],
        ["message", undefined],
        ["socket", undefined],
        ["message", undefined],
        ["message", undefined],
        ["close", undefined],
      ]);
    });
  });
}
