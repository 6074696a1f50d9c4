"use strict";

/** The oldest Socket.IO that we support, and the one that all other tests use. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { createServer } = require("node:http");
const path = require("node:path");
const { describe, test } = require("node:test");
const { peerDependencies } = require("../../package.json");
const { assertNativeCount, engines, noConnectionsLeft } = require("../support/engines.js");
const { POLLING_ONLY, WITH_UPGRADE, connectClient } = require("../support/socket-io-client.js");
const { listen } = require("../support/tcp-server.js");

const PACKAGES = ["socket.io-4.7", "socket.io"];
/** `exports` hides the file. */
const manifestOf = (name) => path.join(require.resolve(name), "../../package.json");
const versions = PACKAGES.map((name) => require(manifestOf(name)).version);

test("the oldest is that of the peer dependency", () => {
  assert.equal(peerDependencies["socket.io"], `>=${versions[0]} <5`);
});

/** Starts a server of this version on an engine, with a namespace, rooms, acks and a middleware. */
async function start(t, { Server }, engine, options) {
  const httpServer = createServer();
  const io = new Server(httpServer, engine.serverOptions(options));
  io.use((socket, next) =>
    next(socket.handshake.auth.isRefused ? new Error("refused") : undefined),
  );
  for (const nsp of [io, io.of("/other")]) {
    nsp.on("connection", (socket) => {
      socket.on("echo", (...args) => args.pop()(...args));
      socket.on("join", async (room, done) => {
        await socket.join(room);
        done([...socket.rooms]);
      });
      socket.on("say", (room, ...args) =>
        nsp
          .to(room)
          .except("quiet")
          .emit("said", ...args),
      );
    });
  }
  const { origin } = await listen(httpServer);
  const clients = [];
  t.after(async () => {
    for (const client of clients) client.disconnect();
    io.close();
    httpServer.closeAllConnections();
    await noConnectionsLeft();
  });
  const open = async (path, clientOptions, event = "connect") => {
    const client = connectClient(origin + path, { reconnection: true, ...clientOptions });
    clients.push(client);
    const [value] = await once(client, event);
    return event === "connect" ? client : value;
  };
  return { io, open };
}

for (const [index, name] of PACKAGES.entries()) {
  for (const engine of engines) {
    describe(`Socket.IO ${versions[index]} with ${engine.name}`, () => {
      test("serves events, acks, binary data, namespaces and refusals", async (t) => {
        const { open } = await start(t, require(name), engine);
        const client = await open("/");
        assertNativeCount(engine, 1);
        const data = [1, "š", { a: [null] }, Buffer.of(1, 2)];
        assert.deepEqual(await client.timeout(20_000).emitWithAck("echo", data), data);
        const other = await open("/other");
        assert.equal(await other.timeout(20_000).emitWithAck("echo", "x"), "x");
        const refused = { auth: { isRefused: true } };
        assert.equal((await open("/", refused, "connect_error")).message, "refused");
      });

      test("broadcasts to rooms, also by long-polling", async (t) => {
        const { io, open } = await start(t, require(name), engine);
        const [a, b, quiet] = await Promise.all([1, 2, 3].map(() => open("/")));
        const polling = await open("/", POLLING_ONLY);
        assertNativeCount(engine, 3);
        for (const client of [a, b, quiet, polling]) await client.emitWithAck("join", "room");
        assert.deepEqual(await quiet.emitWithAck("join", "quiet"), [quiet.id, "room", "quiet"]);
        const said = [a, b, polling].map((client) => once(client, "said"));
        a.emit("say", "room", "hello", Buffer.of(3));
        for (const each of said) assert.deepEqual(await each, ["hello", Buffer.of(3)]);
        quiet.on("said", () => assert.fail("it is excepted"));
        assert.equal((await io.in("room").fetchSockets()).length, 4);
        for (const client of [a, b, quiet, polling])
          client.on("ask", (answer) => answer(client.id));
        const answers = await io.timeout(20_000).to("room").emitWithAck("ask");
        assert.deepEqual(answers.sort(), [a.id, b.id, quiet.id, polling.id].sort());
      });

      test("upgrades, recovers a connection, and disconnects", async (t) => {
        const options = { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } };
        const { io, open } = await start(t, require(name), engine, options);
        const client = await open("/", { ...WITH_UPGRADE, reconnectionDelay: 500 });
        if (client.io.engine.transport.name !== "websocket")
          await once(client.io.engine, "upgrade");
        const { id } = client;
        io.emit("said", "first");
        await once(client, "said");
        client.io.engine.close();
        await once(client, "connect");
        assert.deepEqual([client.recovered, client.id], [true, id]);
        const gone = once(client, "disconnect");
        io.disconnectSockets(true);
        assert.equal((await gone)[0], "io server disconnect");
      });
    });
  }
}
