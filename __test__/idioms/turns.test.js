"use strict";

/** Events of several connections that arrive together: each is handled in a turn of its own. */

const assert = require("node:assert/strict");
const { AsyncLocalStorage } = require("node:async_hooks");
const { once } = require("node:events");
const { describe, test } = require("node:test");
const { assertNativeCount, engines } = require("../support/engines.js");
const { enterByHand } = require("../support/hand-client.js");
const { startFixture } = require("../support/fixture-process.js");
const { startServer } = require("../support/socket-io-server.js");

const GUARD = { timeout: 20_000 };
const ROUNDS = 20;

/** Keeps JavaScript busy, so that the bytes written before arrive together. */
function letArrive() {
  const end = performance.now() + 20;
  while (performance.now() < end);
}

/** Calls writes of several clients in one turn. */
function together(...writes) {
  for (const write of writes) write();
  letArrive();
}

/** Sends a packet of each of several clients in one turn. */
function sendTogether(entrances, packet) {
  together(
    ...entrances.map(
      ({ client }) =>
        () =>
          client.webSocket.send(packet),
    ),
  );
}

for (const engine of engines) {
  describe(`Turns on ${engine.name}`, () => {
    test(
      "a socket that enters a dynamic namespace as the last one leaves receives its broadcasts",
      GUARD,
      async (t) => {
        const server = await startServer(t, engine, { cleanupEmptyChildNamespaces: true });
        const { io } = server;
        io.of(/^\/dyn-\d+$/);
        for (let round = 0; round < ROUNDS; round++) {
          const name = `/dyn-${round}`;
          const [leaving, entering] = [await enterByHand(server), await enterByHand(server)];
          leaving.client.webSocket.send(`40${name},`);
          await leaving.client.until(() => leaving.client.received.length > 0, "CONNECT");
          together(
            () => entering.client.webSocket.send(`40${name},`),
            () => leaving.client.webSocket.send(`41${name},`),
          );
          await entering.client.until(() => entering.client.received.length > 0, "CONNECT");
          io.of(name).emit("news");
          await entering.client.until(() => entering.client.received.length > 1, "the broadcast");
          assert.equal(entering.client.received[1], `42${name},["news"]`);
          for (const { client, socket } of [leaving, entering]) {
            client.disconnect();
            await once(socket.conn, "close");
          }
        }
      },
    );

    test("a connect and a disconnect keep their order", GUARD, async (t) => {
      const server = await startServer(t, engine);
      const presence = [];
      server.io.of("/room").on("connection", (socket) => {
        presence.push("connect");
        socket.on("disconnect", () => presence.push("disconnect"));
      });
      const [first, second] = [await enterByHand(server), await enterByHand(server)];
      for (let round = 0; round < ROUNDS; round++) {
        first.client.webSocket.send("40/room,");
        await first.client.until(() => first.client.received.length > 0, "CONNECT");
        presence.length = 0;
        together(
          () => second.client.webSocket.send("40/room,"),
          () => first.client.webSocket.send("41/room,"),
        );
        await second.client.until(() => second.client.received.length > 0, "CONNECT");
        first.client.webSocket.send('420["echo"]');
        await first.client.until(() => first.client.received.length > 1, "the acknowledgement");
        assert.deepEqual(presence, ["connect", "disconnect"]);
        second.client.webSocket.send("41/room,");
        second.client.webSocket.send('420["echo"]');
        await second.client.until(() => second.client.received.length > 1, "the acknowledgement");
        for (const { client } of [first, second]) client.received.length = 0;
      }
    });

    test("a connection does not see what another leaves in AsyncLocalStorage", GUARD, async (t) => {
      const server = await startServer(t, engine);
      const users = new AsyncLocalStorage();
      const seen = [];
      const see = () => seen.push(users.getStore());
      server.io.on("connection", (socket) => {
        see();
        socket.use((_, next) => {
          see();
          next();
        });
        socket.on("event", see);
        socket.on("disconnect", () => users.enterWith("alice"));
        socket.conn.on("packet", see);
      });
      const alice = await enterByHand(server);
      const others = [await enterByHand(server), await enterByHand(server)];
      assertNativeCount(engine, 3);
      const left = once(alice.socket, "disconnect");
      alice.client.disconnect();
      await left;
      const received = others.map(({ socket }) => once(socket, "event"));
      sendTogether(others, '42["event"]');
      await Promise.all(received);
      const newcomer = await enterByHand(server);
      const echoed = once(newcomer.socket, "event");
      newcomer.client.webSocket.send('42["event"]');
      await echoed;
      assert.deepEqual(new Set(seen), new Set([undefined]));
    });

    test(
      "a connection's events run in no context of a request or of the server's start",
      GUARD,
      async (t) => {
        const users = new AsyncLocalStorage();
        const allowRequest = (_req, callback) => users.run("request", () => callback(null, true));
        const server = await users.run("listening", () => startServer(t, engine, { allowRequest }));
        const seen = [];
        server.io.engine.on("connection", (conn) => {
          conn.on("packet", () => seen.push(users.getStore()));
        });
        const { client, socket } = await users.run("another", () => enterByHand(server));
        const received = once(socket, "event");
        client.webSocket.send('42["event"]');
        await received;
        assert.deepEqual(seen, [undefined, undefined]);
      },
    );

    test("drain listeners run in the context of the sender", GUARD, async (t) => {
      const server = await startServer(t, engine);
      const users = new AsyncLocalStorage();
      const names = ["alice", "bob"];
      const entrances = [await enterByHand(server), await enterByHand(server)];
      const seen = await new Promise((resolve) => {
        const contexts = [];
        setImmediate(() => {
          for (const [index, { socket }] of entrances.entries()) {
            users.run(names[index], () => {
              socket.emit("first");
              socket.emit("second");
              socket.conn.once("drain", () => {
                contexts.push(users.getStore());
                if (contexts.length === names.length) resolve(contexts);
              });
            });
          }
        });
      });
      assert.deepEqual(seen, names);
    });

    test(
      "ticks and promises of one connection's event run before the next connection's",
      GUARD,
      async (t) => {
        const server = await startServer(t, engine);
        const entrances = [await enterByHand(server), await enterByHand(server)];
        const order = [];
        for (const [name, { socket }] of entrances.entries()) {
          socket.on("event", () => {
            order.push([name, "event"]);
            process.nextTick(() => order.push([name, "tick"]));
            Promise.resolve()
              .then(() => order.push([name, "promise"]))
              .then(() => process.nextTick(() => order.push([name, "tick of a promise"])));
          });
        }
        for (let round = 0; round < ROUNDS; round++) {
          order.length = 0;
          const received = entrances.map(({ socket }) => once(socket, "event"));
          sendTogether(entrances, '42["event"]');
          await Promise.all(received);
          await Promise.all(entrances.map(({ client }) => echoed(client)));
          const steps = ["event", "tick", "promise", "tick of a promise"];
          const [[first]] = order;
          assert.deepEqual(
            order,
            [first, 1 - first].flatMap((name) => steps.map((step) => [name, step])),
          );
        }
      },
    );
  });
}

for (const engine of engines) {
  test(`packets to a client that has ended reach no other, ${engine.name}`, GUARD, async (t) => {
    const fixture = startFixture(t, "ended-while-paused.js", [engine.name]);
    assert.deepEqual(await fixture.next(), { clients: 1, received: ['42["news"]'] });
  });
}

/** Returns the values that listeners see after a middleware's AsyncLocalStorage.enterWith(). */
async function seenAfterEnterWith(t, engine) {
  const server = await startServer(t, engine);
  const users = new AsyncLocalStorage();
  const seen = [];
  server.io.use((socket, next) => {
    users.enterWith(socket.handshake.query.user);
    next();
  });
  server.io.on("connection", (socket) => {
    seen.push(users.getStore());
    socket.on("event", () => seen.push(users.getStore()));
    socket.conn.on("packet", () => seen.push(users.getStore()));
    socket.on("disconnect", () => seen.push(users.getStore()));
  });
  for (const user of ["alice", "bob"]) {
    const { client, socket } = await enterByHand(server, `&user=${user}`);
    for (let i = 0; i < 2; i++) {
      const received = once(socket, "event");
      client.webSocket.send('42["event"]');
      await received;
    }
    const left = once(socket, "disconnect");
    client.disconnect();
    await left;
  }
  return seen;
}

test(
  "a name that a middleware leaves in AsyncLocalStorage stays as long as on stock",
  GUARD,
  async (t) => {
    const seen = [];
    for (const engine of engines) seen.push(await seenAfterEnterWith(t, engine));
    for (const each of seen) assert.deepEqual(each, seen[0]);
  },
);

/** Waits until the server has handled all packets of a client. */
async function echoed(client) {
  client.webSocket.send('420["echo"]');
  await client.until(() => client.received.length > 0, "the acknowledgement");
  client.received.length = 0;
}
