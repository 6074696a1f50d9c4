"use strict";

/** The order of the packets on one connection, in whichever ways they are sent, and its end. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { test } = require("node:test");
const { setImmediate: nextTurn, setTimeout: delay } = require("node:timers/promises");
const { createSender, describeConnections, serve } = require("../support/packet-routes.js");
const {
  POLLING_ONLY,
  WEBSOCKET_ONLY,
  WITH_UPGRADE,
  openClient,
  enter,
  enterAll,
  numbersReceivedBy,
  range,
  receivedBy,
  upgraded,
} = require("../support/socket-io-client.js");

const GUARD = { timeout: 20_000 };
const BYTES = Buffer.from([0, 1, 127, 128, 255]);

describeConnections((engine) => {
  for (const [name, options] of [
    ["WebSocket", WEBSOCKET_ONLY],
    ["polling", POLLING_ONLY],
  ]) {
    test(`keeps the order of what is sent in one turn, by ${name}`, GUARD, async (t) => {
      const server = await serve(t, engine);
      const entrance = await enter(server, options);
      const { send, sent } = createSender(entrance.socket);
      send(100);
      assert.deepEqual(await numbersReceivedBy(entrance), sent());
    });

    test(`keeps the order of what is sent in many turns, by ${name}`, GUARD, async (t) => {
      const server = await serve(t, engine);
      const entrance = await enter(server, options);
      const { send, sent } = createSender(entrance.socket);
      for (let i = 0; i < 20; i++) {
        send(3);
        process.nextTick(send, 2);
        queueMicrotask(() => send(4));
        setImmediate(send, 1);
        if (i % 3 === 0) await delay(2);
        else await nextTurn();
      }
      await nextTurn();
      assert.deepEqual(await numbersReceivedBy(entrance), sent());
    });

    test(`keeps acks between the events around them, by ${name}`, GUARD, async (t) => {
      const server = await serve(t, engine);
      const entrance = await enter(server, options);
      const { client, socket } = entrance;
      socket.on("question", (number, ack) => {
        server.io.emit("news", 3 * number);
        ack(3 * number + 1, BYTES);
        server.io.emit("news", 3 * number + 2, BYTES);
      });
      for (const number of range(20)) {
        client.emit("question", number, (answer) => client.received.push(["ack", answer]));
      }
      await client.emitWithAck("question", 20);
      const numbers = await numbersReceivedBy(entrance);
      assert.deepEqual(numbers.slice(0, 60), range(60));
    });
  }

  test("keeps the order of a broadcast and each recipient's own events", GUARD, async (t) => {
    const server = await serve(t, engine);
    const entrances = await enterAll(server, 5);
    for (const number of range(100)) {
      if (number % 2 === 0) server.io.emit("news", number, BYTES);
      else for (const { socket } of entrances) socket.emit("news", number);
    }
    for (const entrance of entrances) {
      assert.deepEqual(await numbersReceivedBy(entrance), range(100));
    }
  });

  test("keeps the order from polling to WebSocket, whenever packets are sent", GUARD, async (t) => {
    const server = await serve(t, engine);
    let sender;
    const phases = new Set();
    const send = (phase, count = 20) => {
      phases.add(phase);
      sender?.send(count);
    };
    // These listeners are added before those of ours, and are called first.
    server.io.engine.on("connection", (conn) => {
      conn.on("upgrading", () => send("upgrading"));
      conn.on("upgrade", () => send("upgrade, before"));
    });
    server.io.on("connection", (socket) => {
      sender = createSender(socket);
      socket.conn.prependListener("upgrade", () => send("upgrade, first"));
      socket.conn.on("upgrade", () => {
        // By now, more is queued than one write takes.
        sender.broadcast();
        send("upgrade, after");
        process.nextTick(send, "in the next tick");
        queueMicrotask(() => send("in a microtask"));
        setImmediate(send, "in the next turn");
      });
      send("connection");
    });
    const entering = enter(server, WITH_UPGRADE);
    let isOver = false;
    const sendOn = () => {
      if (isOver) return;
      send("meanwhile", 2);
      setImmediate(sendOn);
    };
    sendOn();
    const entrance = await entering;
    await upgraded(entrance.socket);
    send("right after");
    while (phases.size < 10) await nextTurn();
    isOver = true;
    assert.deepEqual(await numbersReceivedBy(entrance), sender.sent());
  });

  test("keeps the order of broadcasts to many clients that upgrade", GUARD, async (t) => {
    const server = await serve(t, engine);
    const entrances = await Promise.all(
      range(10).map(async () => {
        const client = openClient(server, WITH_UPGRADE);
        await once(client, "connect");
        return { client, socket: server.io.of("/").sockets.get(client.id) };
      }),
    );
    let next = 0;
    const isUpgraded = ({ socket }) => socket.conn.transport.name === "websocket";
    for (let rounds = 0; rounds < 50 || !entrances.every(isUpgraded); rounds++) {
      for (let i = 0; i < 3; i++) server.io.emit("news", next++, i === 2 ? BYTES : "text");
      for (const { socket } of entrances) socket.emit("own");
      await nextTurn();
    }
    for (const entrance of entrances) {
      const received = (await receivedBy(entrance)).filter(([event]) => event === "news");
      // A client that connected later has missed the first.
      const numbers = received.map(([, number]) => number);
      assert.deepEqual(numbers, range(next - numbers[0], numbers[0]));
    }
  });

  for (const [name, end] of [
    ["socket.disconnect(true)", ({ socket }) => socket.disconnect(true)],
    ["socket.disconnect()", ({ socket }) => socket.disconnect()],
    ["conn.close()", ({ socket }) => socket.conn.close()],
  ]) {
    test(`delivers the packets sent before ${name}, and none after`, GUARD, async (t) => {
      const server = await serve(t, engine);
      const entrance = await enter(server);
      const other = await enter(server);
      const { send, sent } = createSender(entrance.socket);
      const { client, socket } = entrance;
      const left = once(client, "disconnect");
      setImmediate(() => {
        send(50);
        end(entrance);
        server.io.emit("later");
        socket.emit("later");
        server.io.to(socket.id).emit("later");
        other.socket.broadcast.emit("later");
      });
      await left;
      assert.deepEqual(
        client.received.map(([event]) => event),
        Array(50).fill("news"),
      );
      assert.deepEqual(
        client.received.map(([, number]) => number),
        sent(),
      );
      assert.deepEqual((await receivedBy(other)).at(-1), ["later"]);
    });
  }

  test("closes a broken connection that is still written to, and goes on", GUARD, async (t) => {
    const server = await serve(t, engine);
    const [a, b] = await enterAll(server, 2);
    for (const { socket } of [a, b]) socket.join("room");
    const left = once(a.socket, "disconnect");
    a.client.io.engine.transport.ws.terminate();
    for (let i = 0; a.socket.connected; i++) {
      server.io.to("room").emit("news", i);
      a.socket.emit("news", i);
      server.io.volatile.emit("more");
      await nextTurn();
    }
    assert.match((await left)[0], /^transport (close|error)$/);
    server.io.to("room").emit("news", "last");
    const numbers = (await receivedBy(b)).filter(([event]) => event === "news").map(([, n]) => n);
    assert.deepEqual(numbers, [...range(numbers.length - 1), "last"]);
  });
});
