"use strict";

/** Volatile packets: dropped behind others of their turn, and for clients that do not read. */

const assert = require("node:assert/strict");
const { fork } = require("node:child_process");
const { once } = require("node:events");
const { test } = require("node:test");
const { setImmediate: nextTurn, setTimeout: delay } = require("node:timers/promises");
const { engineNamed } = require("../support/engines.js");
const { enterByHand } = require("../support/hand-client.js");
const { parserOf } = require("../support/json-parser.js");
const { describeConnections, serve } = require("../support/packet-routes.js");
const { randomFrom, SEED } = require("../support/random.js");
const {
  enter,
  enterAll,
  numbersReceivedBy,
  range,
  receivedBy,
  receivedByAll,
  settled,
} = require("../support/socket-io-client.js");

const GUARD = { timeout: 40_000 };
const KIB = 1024;
const BYTES = Buffer.from([0, 1, 127, 128, 255]);

/** When the handler of an event calls `send`. */
const handlers = {
  "at once": (send) => send(),
  "behind a resolved promise": async (send) => {
    await undefined;
    send();
  },
  "behind several promises": async (send) => {
    for (let i = 0; i < 5; i++) await Promise.resolve(i);
    send();
  },
  "in the next tick": (send) => process.nextTick(send),
  "in a microtask": (send) => queueMicrotask(send),
  "in the next turn": (send) => setImmediate(send),
};
/** Called before Socket.IO has decoded the event. */
const AS_DATA = "as soon as the data arrives";
handlers[AS_DATA] = handlers["at once"];

/** Makes a socket broadcast its moves to all others; `onSent` is called after each. */
function broadcastMoves(socket, when, onSent) {
  const send = (number) =>
    handlers[when](() => {
      socket.broadcast.volatile.emit("news", Number(number));
      onSent();
    });
  if (when !== AS_DATA) {
    socket.on("move", send);
    return;
  }
  socket.conn.on("data", (data) => {
    const move = /"move",(\d+)/.exec(data);
    if (move !== null) send(move[1]);
  });
}

/** Makes many clients send at the same moment; each must receive the packets of all others. */
async function moveTogether(t, engine, when) {
  const server = await serve(t, engine);
  const count = 30;
  const entrances = await enterAll(server, count);
  let sent = 0;
  for (const { socket } of entrances) broadcastMoves(socket, when, () => sent++);
  const numbers = entrances.map(() => []);
  for (const [i, { client }] of entrances.entries()) {
    client.on("news", (number) => numbers[i].push(number));
  }
  for (let round = 1; round <= 3; round++) {
    for (const [number, { client }] of entrances.entries()) client.emit("move", number);
    while (sent < count * round) await nextTurn();
    await settled(...entrances);
    for (const [own, received] of numbers.entries()) {
      assert.deepEqual(
        received.splice(0).sort((a, b) => a - b),
        range(count).filter((number) => number !== own),
      );
    }
  }
}

/** In a process without a test runner: sends the failures to the parent. */
async function moveTogetherAlone(engine) {
  const failures = [];
  for (const when of Object.keys(handlers)) {
    const closers = [];
    const after = (close) => closers.push(close);
    await moveTogether({ after }, engine, when).catch(({ message }) => {
      failures.push(`${when}: ${message}`);
    });
    for (const close of closers) await close();
  }
  process.send(failures);
}

/** Asserts that each binary packet is followed by its attachments, with no other data. */
function assertWhole(messages) {
  let previous = -1;
  while (messages.length > 0) {
    const text = messages.shift();
    assert.equal(typeof text, "string");
    const [, count, number] = /^45(\d)-\["news",(\d+),/.exec(text);
    assert.ok(Number(number) > previous);
    previous = Number(number);
    for (const data of messages.splice(0, Number(count))) {
      assert.equal(data.length, 64 * KIB);
      assert.ok(data.equals(Buffer.alloc(64 * KIB, Number(number))));
    }
  }
}

function defineTests() {
  describeConnections((engine) => {
    const ways = {
      "socket.emit()": ({ socket }, ...args) => socket.emit(...args),
      "io.emit()": ({ socket }, ...args) => socket.nsp.emit(...args),
      "io.to().emit()": ({ socket }, ...args) => socket.nsp.to(socket.id).emit(...args),
    };
    const volatileWays = {
      "socket.volatile": ({ socket }, ...args) => socket.volatile.emit(...args),
      "io.volatile": ({ socket }, ...args) => socket.nsp.volatile.emit(...args),
      "io.to().volatile": ({ socket }, ...args) => socket.nsp.to(socket.id).volatile.emit(...args),
    };
    for (const [name, send] of Object.entries({ ...ways, ...volatileWays })) {
      for (const [volatileName, sendVolatile] of Object.entries(volatileWays)) {
        test(`drops ${volatileName} behind ${name} in one turn, not later`, GUARD, async (t) => {
          const server = await serve(t, engine);
          const entrance = await enter(server);
          await settled(entrance);
          for (const args of [["text"], [BYTES, BYTES]]) {
            sendVolatile(entrance, "alone", ...args);
            await settled(entrance);
            send(entrance, "first", ...args);
            sendVolatile(entrance, "dropped", ...args);
            sendVolatile(entrance, "dropped, too", ...args);
            await settled(entrance);
            sendVolatile(entrance, "later", ...args);
            assert.deepEqual(await receivedBy(entrance), [
              ["alone", ...args],
              ["first", ...args],
              ["later", ...args],
            ]);
          }
        });
      }
    }

    for (const [name, sendVolatile] of Object.entries(volatileWays)) {
      test(`drops single Buffers of a parser like other packets, by ${name}`, GUARD, async (t) => {
        const parser = parserOf((bytes) => [bytes]);
        const server = await serve(t, engine, { parser });
        const entrance = await enter(server, { parser });
        await settled(entrance);
        for (let i = 0; i < 3; i++) {
          sendVolatile(entrance, "first");
          sendVolatile(entrance, "dropped");
          await settled(entrance);
          entrance.socket.emit("sure");
          sendVolatile(entrance, "dropped, too");
          await settled(entrance);
        }
        sendVolatile(entrance, "last");
        const names = (await receivedBy(entrance)).map(([event]) => event);
        assert.deepEqual(names, [...Array(3).fill(["first", "sure"]).flat(), "last"]);
      });
    }

    test("drops volatile packets only for sockets that have been sent others", GUARD, async (t) => {
      const server = await serve(t, engine);
      const [a, b, c] = await enterAll(server, 3);
      b.socket.join("room");
      c.socket.join("room");
      await settled(a, b, c);
      a.socket.emit("own");
      server.io.volatile.emit("not for a", BYTES);
      await settled(a, b, c);
      server.io.to("room").emit("room");
      server.io.volatile.emit("for a alone");
      await settled(a, b, c);
      b.socket.volatile.emit("for b");
      b.socket.broadcast.volatile.emit("not for b");
      await settled(a, b, c);
      assert.deepEqual(await receivedByAll(a, b, c), [
        [["own"], ["for a alone"], ["not for b"]],
        [["not for a", BYTES], ["room"], ["for b"]],
        [["not for a", BYTES], ["room"], ["not for b"]],
      ]);
    });

    test("drops volatile packets only for a client that does not read", GUARD, async (t) => {
      const server = await serve(t, engine);
      const others = await enterAll(server, 3);
      const slow = await enterByHand(server);
      slow.client.webSocket.pause();
      // More than the buffers of the system and the high-water mark of the engine.
      const sure = Buffer.alloc(20 * KIB * KIB);
      slow.socket.emit("sure", sure);
      for (const number of range(20)) {
        await settled(...others);
        server.io.volatile.emit("news", number, BYTES);
        slow.socket.volatile.emit("news", 100 + number);
      }
      for (const other of others) assert.deepEqual(await numbersReceivedBy(other), range(20));
      slow.client.webSocket.resume();
      const received = await receivedBy(slow);
      assert.deepEqual(
        received.map((message) => message.length),
        ['451-["sure",{"_placeholder":true,"num":0}]'.length, sure.length],
      );
      server.io.volatile.emit("later", BYTES);
      assert.deepEqual(await receivedBy(slow), [
        '451-["later",{"_placeholder":true,"num":0}]',
        BYTES,
      ]);
    });

    test("is not writable while a client does not read, and then is again", GUARD, async (t) => {
      const server = await serve(t, engine);
      const slow = await enterByHand(server);
      const other = await enter(server);
      const { conn } = slow.socket;
      slow.client.webSocket.pause();
      for (const _ of range(20)) server.io.emit("sure", Buffer.alloc(KIB * KIB));
      while (conn.transport.writable) await nextTurn();
      await settled(other);
      assert.equal(conn.transport.writable, false);
      slow.client.webSocket.resume();
      assert.equal((await receivedBy(slow)).length, 40);
      while (!conn.transport.writable) await nextTurn();
    });

    test("drops a volatile packet whole, or sends it whole", { timeout: 60_000 }, async (t) => {
      t.diagnostic(`SEED=${SEED}`);
      const { below, chance } = randomFrom(SEED);
      const server = await serve(t, engine);
      const entrances = [await enterByHand(server), await enterByHand(server)];
      const attachment = (number) => Buffer.alloc(64 * KIB, number);
      for (const number of range(200)) {
        for (const { client } of entrances) {
          if (chance(0.2)) client.webSocket.pause();
          else if (chance(0.5)) client.webSocket.resume();
        }
        const values = range(1 + below(4)).map(() => attachment(number));
        const { socket } = entrances[below(2)];
        const operator = [socket, server.io, server.io.to(socket.id)][below(3)];
        if (chance(0.8)) operator.volatile.emit("news", number, ...values);
        else operator.emit("news", number, ...values);
        if (chance(0.8)) await delay(1);
      }
      for (const { client } of entrances) client.webSocket.resume();
      for (const entrance of entrances) assertWhole(await receivedBy(entrance));
    });

    for (const when of Object.keys(handlers)) {
      test(
        `sends the packets of handlers whose events arrive together, ${when}`,
        GUARD,
        async (t) => {
          await moveTogether(t, engine, when);
        },
      );
    }

    test("does so where promises have no async ids of their own", GUARD, async (t) => {
      // Test runners and tracers enable ids; without them, all callbacks of promises have the same.
      const child = fork(__filename, [engine.name]);
      t.after(() => child.kill("SIGKILL"));
      const [failures] = await once(child, "message");
      assert.deepEqual(failures, []);
    });
  });
}

if (process.send === undefined) defineTests();
else moveTogetherAlone(engineNamed(process.argv[2]));
