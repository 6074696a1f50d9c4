"use strict";

/** Programs that send no faster than the client reads, in every way that works with ws. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { describe, test } = require("node:test");
const { setImmediate: nextTurn } = require("node:timers/promises");
const { assertNativeCount, engines } = require("../support/engines.js");
const { startFixture } = require("../support/fixture-process.js");
const { WEBSOCKET_ONLY, WITH_UPGRADE, enter, upgraded } = require("../support/socket-io-client.js");
const { startServer } = require("../support/socket-io-server.js");

const GUARD = { timeout: 60_000 };
const MIB = 1024 * 1024;
const CHUNKS = 24;

/** The most bytes that may be queued for a client: a few chunks, not all of them. */
const MOST_WAITING = 8 * MIB;

const CLIENTS = [
  ["a WebSocket", WEBSOCKET_ONLY],
  ["an upgraded connection", WITH_UPGRADE],
];

const PAYLOADS = { text: "x".repeat(MIB), "binary data": Buffer.alloc(MIB, 1) };

/**
 * In a `drain` listener, a packet is sent between the parts of the one before, also with stock. The
 * callback is that of engine.io, for one part.
 */
const ONLY_TEXT = ["at each drain", "awaiting the callback of each"];

/** Starts a server, and waits until a client of it has a WebSocket, and both sides know. */
async function connect(t, engine, options) {
  const server = await startServer(t, engine);
  return { server, ...(await enterUpgraded(server, options)) };
}

async function enterUpgraded(server, options) {
  const entrance = await enter(server, options);
  await upgraded(entrance.socket);
  await entrance.client.emitWithAck("echo");
  return entrance;
}

/** Returns the `net.Socket` from which a client reads. */
const readingEnd = (client) => client.io.engine.transport.ws._socket;

/** Each calls `send()` for `count` chunks, paces itself, and resolves behind the last call. */
const IDIOMS = {
  "at each drain": async ({ conn }, send, count) => {
    let sent = 0;
    await new Promise((resolve) => {
      conn.on("drain", function next() {
        if (sent === count) {
          conn.off("drain", next);
          resolve();
          return;
        }
        sent++;
        send();
      });
      sent++;
      send();
    });
  },
  "while the transport is writable": async ({ conn }, send, count) => {
    for (let sent = 0; sent < count; ) {
      for (; conn.transport.writable && sent < count; sent++) send();
      await nextTurn();
    }
  },
  "while the buffer is small": async ({ conn }, send, count) => {
    for (let sent = 0; sent < count; ) {
      for (; conn.writeBuffer.length < 3 && sent < count; sent++) send();
      await nextTurn();
    }
  },
  "awaiting drain where something waits": async ({ conn }, send, count) => {
    for (let sent = 0; sent < count; sent++) {
      send();
      if (conn.writeBuffer.length > 0) await once(conn, "drain");
    }
  },
  "awaiting drain where the transport is not writable": async ({ conn }, send, count) => {
    for (let sent = 0; sent < count; sent += 2) {
      send();
      send();
      if (!conn.transport.writable) await once(conn, "drain");
    }
  },
  "by bufferedAmount": async ({ conn }, send, count) => {
    for (let sent = 0; sent < count; ) {
      for (; conn.transport.socket.bufferedAmount < 2 * MIB && sent < count; sent++) send();
      await nextTurn();
    }
  },
  "awaiting the callback of each": async ({ conn }, _send, count) => {
    const packet = `2["chunk","${PAYLOADS.text}"]`;
    for (let sent = 0; sent < count; sent++) {
      await new Promise((resolve) => conn.send(packet, {}, resolve));
    }
  },
};

for (const engine of engines) {
  describe(`Pacing on ${engine.name}`, () => {
    for (const [kind, options] of CLIENTS) {
      for (const [what, payload] of Object.entries(PAYLOADS)) {
        for (const [idiom, run] of Object.entries(IDIOMS)) {
          if (what !== "text" && ONLY_TEXT.includes(idiom)) continue;
          test(`sends ${what} to ${kind}, ${idiom}`, GUARD, async (t) => {
            const { client, socket } = await connect(t, engine, options);
            assertNativeCount(engine, 1);
            let received = 0;
            const isComplete = new Promise((resolve) => {
              client.on("chunk", ({ length }) => {
                assert.equal(length, MIB);
                received++;
                if (received === CHUNKS) resolve();
              });
            });
            // The program begins to send to a client that does not read.
            readingEnd(client).pause();
            let waiting = 0;
            const { conn } = socket;
            const send = () => {
              socket.emit("chunk", payload);
              waiting = Math.max(waiting, conn.transport.socket.bufferedAmount);
            };
            const sent = run(socket, send, CHUNKS);
            for (let turn = 0; turn < 100; turn++) await nextTurn();
            readingEnd(client).resume();
            await sent;
            await isComplete;
            assert.equal(socket.connected, true);
            assert.ok(waiting <= MOST_WAITING, `${waiting} bytes were queued`);
          });
        }
      }
    }

    test("broadcasts while the transport is writable", GUARD, async (t) => {
      const server = await startServer(t, engine);
      const { client, socket } = await enter(server, CLIENTS[0][1]);
      let received = 0;
      const isComplete = new Promise((resolve) => {
        client.on("chunk", () => {
          received++;
          if (received === CHUNKS) resolve();
        });
      });
      const { transport } = socket.conn;
      for (let sent = 0; sent < CHUNKS; await nextTurn()) {
        let together = 0;
        for (; transport.writable && sent < CHUNKS; sent++) {
          server.io.emit("chunk", PAYLOADS.text);
          together++;
        }
        assert.ok(together < 4, `${together} MiB in one turn`);
      }
      await isComplete;
    });

    test("broadcasts while the buffer is small", GUARD, async (t) => {
      const server = await startServer(t, engine);
      const { client, socket } = await enter(server, CLIENTS[0][1]);
      let sent = 0;
      while (socket.conn.writeBuffer.length < 3) server.io.emit("news", sent++);
      const last = new Promise((resolve) => {
        client.on("news", (number) => number === sent - 1 && resolve());
      });
      await last;
      assert.equal(socket.conn.writeBuffer.length, 0);
    });

    test(
      "sends volatile packets to clients that a long broadcast does not reach",
      GUARD,
      async (t) => {
        const server = await startServer(t, engine);
        const [member, other] = [
          await enter(server, CLIENTS[0][1]),
          await enter(server, CLIENTS[0][1]),
        ];
        member.socket.join("room");
        const received = once(other.client, "position");
        server.io.to("room").emit("file", PAYLOADS.text.repeat(2));
        other.socket.volatile.emit("position");
        await received;
      },
    );

    for (const [how, drop] of Object.entries({
      "writeBuffer.length = 0": (conn) => {
        conn.writeBuffer.length = 0;
      },
      "writeBuffer = []": (conn) => {
        conn.writeBuffer = [];
      },
      "writeBuffer.shift()": (conn) => conn.writeBuffer.shift(),
    })) {
      test(`delivers packets that follow ${how}, and calls back`, GUARD, async (t) => {
        const server = await startServer(t, engine);
        const { client, socket } = await enter(server, CLIENTS[0][1]);
        for (let number = 0; number < 5; number++) socket.emit("dropped", number);
        drop(socket.conn);
        const received = Promise.all([once(client, "later"), once(client, "last")]);
        await new Promise((resolve) => {
          socket.conn.send('2["later"]', {}, resolve);
          socket.emit("last");
        });
        await received;
        assert.equal(socket.conn.writeBuffer.length, 0);
      });
    }

    test("sends 50,000 rows, one at each drain", GUARD, async (t) => {
      const server = await startServer(t, engine);
      const { client, socket } = await enter(server, CLIENTS[0][1]);
      const rows = 50_000;
      let sent = 0;
      let received = 0;
      const isComplete = new Promise((resolve) => {
        client.on("row", (row) => {
          received++;
          assert.equal(row, received);
          if (received === rows) resolve();
        });
      });
      socket.conn.on("drain", () => {
        if (sent < rows) socket.emit("row", ++sent);
      });
      socket.emit("row", ++sent);
      await isComplete;
    });

    test("loses nothing for other clients when a drain listener throws", GUARD, async (t) => {
      const fixture = startFixture(t, "throwing-listener.js", [engine.name]);
      const all = [0, 1, 2, "last"];
      assert.deepEqual(await fixture.next(), {
        received: [all, all, all],
        errors: ["of a drain listener"],
      });
    });

    test("emits no drain before a client has read a long message", GUARD, async (t) => {
      const server = await startServer(t, engine);
      const { client, socket } = await enter(server, CLIENTS[0][1]);
      const order = [];
      readingEnd(client).pause();
      socket.emit("long", "x".repeat(20 * MIB));
      const drained = once(socket.conn, "drain").then(() => order.push("drain"));
      socket.emit("next");
      for (let turn = 0; turn < 100; turn++) await nextTurn();
      order.push("read");
      readingEnd(client).resume();
      await drained;
      assert.deepEqual(order, ["read", "drain"]);
    });

    test("sends 100 MB in one turn to a client that reads", GUARD, async (t) => {
      const server = await startServer(t, engine);
      const { client, socket } = await enter(server, CLIENTS[0][1]);
      const chunk = Buffer.alloc(MIB, 1);
      let received = 0;
      const isComplete = new Promise((resolve, reject) => {
        client.on("chunk", () => {
          received++;
          if (received === 100) resolve();
        });
        client.on("disconnect", reject);
      });
      for (let sent = 0; sent < 100; sent++) socket.emit("chunk", chunk);
      await isComplete;
    });
  });
}
