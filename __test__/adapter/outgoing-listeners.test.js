"use strict";

/** Listeners of outgoing packets: of a socket, its connection and the engine. */

const assert = require("node:assert/strict");
const { EventEmitter, once } = require("node:events");
const { test } = require("node:test");
const { setImmediate: nextTurn } = require("node:timers/promises");
const { enterByHand } = require("../support/hand-client.js");
const { describeConnections, serve, waysToSend } = require("../support/packet-routes.js");
const { randomFrom, SEED } = require("../support/random.js");
const {
  enter,
  enterAll,
  numbersReceivedBy,
  range,
  receivedBy,
  receivedByAll,
} = require("../support/socket-io-client.js");

const GUARD = { timeout: 20_000 };
const BYTES = Buffer.from([0, 1, 127, 128, 255]);

/** Listeners of a socket: `add()` calls back with each number, and returns its own removal. */
const outgoing = ["onAnyOutgoing", "prependAnyOutgoing"].map((method) => ({
  name: method,
  add: (socket, listener) => {
    const listen = (_event, number) => listener(number);
    socket[method](listen);
    return () => socket.offAnyOutgoing(listen);
  },
}));

/** Returns the number in a packet of Engine.IO, or `NaN`. */
function numberIn({ data }) {
  return Number(/"news",(\d+)/.exec(data)?.[1]);
}

const packetListeners = {
  packetCreate: (listener) => (packet) => listener(numberIn(packet)),
  flush: (listener) => (packets) => packets.map(numberIn).forEach(listener),
};

/** The same for connections, where attachments are packets of their own. */
const observing = ["on", "addListener", "prependListener"].flatMap((method) =>
  Object.entries(packetListeners).map(([event, listenerOf]) => ({
    name: `conn.${method}("${event}")`,
    add: ({ conn }, listener) => {
      const listen = listenerOf((number) => Number.isNaN(number) || listener(number));
      conn[method](event, listen);
      return () => conn.removeListener(event, listen);
    },
  })),
);

const engineObserving = {
  name: 'io.engine.on("flush")',
  add: (socket, listener) => {
    const { engine } = socket.nsp.server;
    const listen = (conn, packets) => {
      if (conn === socket.conn) packetListeners.flush(listener)(packets);
    };
    engine.on("flush", listen);
    return () => engine.off("flush", listen);
  },
};

function isOfCreation({ name }) {
  return name.includes("packetCreate");
}

describeConnections((engine) => {
  for (const { name, add } of [...outgoing, ...observing, engineObserving]) {
    test(`reports packets to ${name} from then on until it is removed`, GUARD, async (t) => {
      const server = await serve(t, engine);
      const [entrance, other] = await enterAll(server, 2);
      const { socket } = entrance;
      for (const one of [entrance, other]) one.socket.join("room");
      let next = 0;
      const send = () => {
        server.io.emit("news", next++);
        socket.emit("news", next++);
        server.io.to("room").emit("news", next++);
        other.socket.broadcast.emit("news", next++);
      };
      const received = [];
      send();
      await nextTurn();
      const remove = add(socket, (number) => received.push(number));
      send();
      await nextTurn();
      assert.deepEqual(received, range(4, 4));
      send();
      // Stock flushes all but the first packet of a turn only when that has been written.
      await nextTurn();
      remove();
      send();
      await nextTurn();
      send();
      assert.deepEqual(received, range(8, 4));
      assert.deepEqual(await numbersReceivedBy(entrance), range(20));
      assert.deepEqual(
        await numbersReceivedBy(other),
        range(20).filter((number) => number % 4 === 0 || number % 4 === 2),
      );
    });

    test(`loses and repeats nothing while ${name} is added and removed`, GUARD, async (t) => {
      t.diagnostic(`SEED=${SEED}`);
      const { below, chance } = randomFrom(SEED);
      const server = await serve(t, engine);
      const entrances = await enterAll(server, 3);
      const removals = entrances.map(() => undefined);
      for (const { socket } of entrances) socket.join(["room", "hall"]);
      const reported = entrances.map(() => []);
      const addTo = (i) => add(entrances[i].socket, (number) => reported[i].push(number));
      for (const number of range(300)) {
        const i = below(entrances.length);
        const remove = removals[i];
        removals[i] = remove === undefined ? addTo(i) : undefined;
        remove?.();
        if (chance(0.4)) server.io.emit("news", number);
        else if (chance(0.5)) server.io.to(["room", "hall"]).emit("news", number);
        else for (const { socket } of entrances) socket.emit("news", number);
        if (chance(0.3)) await nextTurn();
      }
      for (const entrance of entrances) {
        assert.deepEqual(await numbersReceivedBy(entrance), range(300));
      }
      for (const numbers of reported) {
        assert.ok(numbers.length > 0);
        assert.deepEqual(
          numbers,
          [...new Set(numbers)].sort((a, b) => a - b),
        );
      }
    });
  }

  for (const { name, add } of [...outgoing, ...observing.filter(isOfCreation)]) {
    test(`reports to ${name} exactly the packets sent while it is there`, GUARD, async (t) => {
      t.diagnostic(`SEED=${SEED}`);
      const { chance } = randomFrom(SEED);
      const server = await serve(t, engine);
      const [{ socket }, ...others] = await enterAll(server, 3);
      const expected = [];
      const reported = [];
      const report = (number) => reported.push(number);
      let remove;
      for (const number of range(300)) {
        if (chance(0.5)) {
          remove?.();
          remove = remove === undefined ? add(socket, report) : undefined;
        }
        if (remove !== undefined) expected.push(number);
        if (chance(0.7)) others[0].socket.broadcast.emit("news", number);
        else socket.emit("news", number);
        if (chance(0.3)) await nextTurn();
      }
      assert.deepEqual(reported, expected);
    });
  }

  for (const event of ["flush", "drain"]) {
    test(`emits "${event}" of the connection and the engine for broadcasts`, GUARD, async (t) => {
      const server = await serve(t, engine);
      const [entrance, other] = await enterAll(server, 2);
      const { conn } = entrance.socket;
      const onConn = t.mock.fn();
      const onEngine = t.mock.fn();
      server.io.emit("before");
      await nextTurn();
      conn.on(event, onConn);
      server.io.emit("reported to one");
      await nextTurn();
      assert.equal(onConn.mock.callCount(), 1);
      server.io.engine.on(event, onEngine);
      server.io.emit("reported to all");
      await nextTurn();
      assert.equal(onConn.mock.callCount(), 2);
      const conns = onEngine.mock.calls.map((call) => call.arguments[0]);
      assert.deepEqual(new Set(conns), new Set([conn, other.socket.conn]));
      assert.equal(conns.length, 2);
      server.io.engine.off(event, onEngine);
      conn.removeAllListeners(event);
      server.io.emit("after");
      await nextTurn();
      assert.equal(onConn.mock.callCount(), 2);
      assert.equal(onEngine.mock.callCount(), 2);
      const names = ["before", "reported to one", "reported to all", "after"].map((name) => [name]);
      assert.deepEqual(await receivedByAll(entrance, other), [names, names]);
    });
  }

  test("reports one packet to once(), and loses none", GUARD, async (t) => {
    const server = await serve(t, engine);
    const [entrance, other] = await enterAll(server, 2);
    const reported = [];
    for (const number of range(50)) {
      const report = (packet) => reported.push(numberIn(packet));
      if (number % 5 === 0) entrance.socket.conn.once("packetCreate", report);
      if (number % 5 === 2) entrance.socket.conn.prependOnceListener("packetCreate", report);
      server.io.emit("news", number);
      if (number % 3 === 0) await nextTurn();
    }
    assert.deepEqual(
      reported,
      range(50).filter((number) => number % 5 === 0 || number % 5 === 2),
    );
    for (const one of [entrance, other]) assert.deepEqual(await numbersReceivedBy(one), range(50));
  });

  test("reports the data and the type to packetCreate, as engine.io does", GUARD, async (t) => {
    const server = await serve(t, engine);
    const entrance = await enter(server);
    const packets = [];
    entrance.socket.conn.on("packetCreate", ({ type, data }) => packets.push([type, data]));
    server.io.emit("text", "ž");
    server.io.emit("bytes", BYTES);
    entrance.socket.emit("bytes", BYTES);
    entrance.socket.conn.send('2["raw"]');
    const binary = '51-["bytes",{"_placeholder":true,"num":0}]';
    assert.deepEqual(packets, [
      ["message", '2["text","ž"]'],
      ["message", binary],
      ["message", BYTES],
      ["message", binary],
      ["message", BYTES],
      ["message", '2["raw"]'],
    ]);
    assert.deepEqual(await receivedBy(entrance), [
      ...[
        ["text", "ž"],
        ["bytes", BYTES],
        ["bytes", BYTES],
      ],
      ["raw"],
    ]);
  });

  test("calls outgoing listeners that were added before the connection", GUARD, async (t) => {
    const server = await serve(t, engine);
    const reported = [];
    server.io.use((socket, next) => {
      socket.onAnyOutgoing((...args) => reported.push(args));
      next();
    });
    server.io.engine.on("connection", (conn) => conn.once("packetCreate", () => {}));
    const entrance = await enter(server);
    server.io.emit("news", 1);
    server.io.to(entrance.socket.id).emit("news", 2, BYTES);
    assert.deepEqual(reported, [
      ["news", 1],
      ["news", 2, BYTES],
    ]);
    assert.deepEqual(await receivedBy(entrance), reported.slice(0, 2));
  });

  test("has the outgoing listeners of the official sockets", GUARD, async (t) => {
    const server = await serve(t, engine);
    const { socket } = await enter(server);
    const calls = [];
    const [first, second, third] = ["first", "second", "third"].map(
      (name) => () => calls.push(name),
    );
    assert.equal(socket.onAnyOutgoing(second), socket);
    assert.equal(socket.prependAnyOutgoing(first), socket);
    socket.onAnyOutgoing(third);
    assert.deepEqual(socket.listenersAnyOutgoing(), [first, second, third]);
    server.io.emit("news");
    assert.deepEqual(calls.splice(0), ["first", "second", "third"]);
    assert.equal(socket.offAnyOutgoing(second), socket);
    server.io.emit("news");
    assert.deepEqual(calls.splice(0), ["first", "third"]);
    assert.equal(socket.offAnyOutgoing(), socket);
    assert.deepEqual(socket.listenersAnyOutgoing(), []);
    server.io.emit("news");
    assert.deepEqual(calls, []);
  });

  test("sends on when listeners remove themselves or add others", GUARD, async (t) => {
    const server = await serve(t, engine);
    const entrances = await enterAll(server, 4);
    const [a, b] = entrances;
    const reported = [];
    const report = (event, number) => {
      reported.push(number);
      a.socket.offAnyOutgoing(report);
      b.socket.onAnyOutgoing((...args) => reported.push(args));
      if (event === "news") server.io.emit("inner", number);
    };
    a.socket.onAnyOutgoing(report);
    server.io.emit("news", 1);
    server.io.emit("news", 2);
    assert.equal(reported[0], 1);
    for (const entrance of entrances) {
      const received = await receivedBy(entrance);
      assert.deepEqual(received.sort(), [
        ["inner", 1],
        ["news", 1],
        ["news", 2],
      ]);
    }
  });

  test("does not reach a socket that the listener of another disconnects", GUARD, async (t) => {
    const server = await serve(t, engine);
    const [a, b, c] = await enterAll(server, 3);
    a.socket.onAnyOutgoing(() => b.socket.disconnect());
    b.socket.onAnyOutgoing(() => assert.fail("b has gone"));
    const left = once(b.client, "disconnect");
    server.io.emit("news", 1);
    await left;
    assert.deepEqual(b.client.received, []);
    for (const entrance of [a, c]) assert.deepEqual(await numbersReceivedBy(entrance), [1]);
  });

  test("keeps the order when listeners send as well", GUARD, async (t) => {
    const server = await serve(t, engine);
    const entrance = await enter(server);
    const { socket } = entrance;
    const { conn } = socket;
    for (const send of [() => socket.emit("inner"), () => server.io.emit("inner", BYTES)]) {
      conn.once("packetCreate", send);
      server.io.emit("created");
      await nextTurn();
      conn.once("flush", send);
      server.io.emit("flushed");
      await nextTurn();
      conn.once("drain", send);
      server.io.emit("drained");
      server.io.emit("last");
      await nextTurn();
      conn.once("packetCreate", send);
      socket.emit("created");
      await nextTurn();
    }
    const names = [
      ...["inner", "created", "flushed", "inner", "drained", "inner", "last"],
      ...["inner", "created"],
    ];
    const received = (await receivedBy(entrance)).map(([event]) => event);
    assert.deepEqual(received, [...names, ...names]);
  });

  test("works again after a listener has thrown", GUARD, async (t) => {
    const server = await serve(t, engine);
    const [a, b] = await enterAll(server, 2);
    const fail = () => {
      throw new Error("of the listener");
    };
    a.socket.conn.once("packetCreate", fail);
    assert.throws(() => server.io.to(a.socket.id).emit("news", 0), /of the listener/);
    a.socket.onAnyOutgoing(fail);
    assert.throws(() => a.socket.emit("news", 1), /of the listener/);
    a.socket.offAnyOutgoing(fail);
    for (const number of range(10)) {
      if (number % 2 === 0) server.io.emit("news", number, BYTES);
      else for (const { socket } of [a, b]) socket.emit("news", number);
    }
    for (const entrance of [a, b]) assert.deepEqual(await numbersReceivedBy(entrance), range(10));
  });

  for (const method of ["sendPacket", "write"]) {
    test(
      `sends all packets through a method that was replaced early: ${method}`,
      GUARD,
      async (t) => {
        const server = await serve(t, engine);
        const seen = [];
        server.io.engine.on("connection", (conn) => {
          const original = conn[method];
          conn[method] = function (...args) {
            seen.push(method === "write" ? args[0] : args[1]);
            return original.apply(this, args);
          };
        });
        const entrance = await enter(server);
        seen.length = 0;
        server.io.emit("news", 1);
        entrance.socket.emit("news", 2);
        server.io.to(entrance.socket.id).emit("news", 3);
        assert.deepEqual(seen, ['2["news",1]', '2["news",2]', '2["news",3]']);
        assert.deepEqual(await numbersReceivedBy(entrance), [1, 2, 3]);
      },
    );
  }

  test("keeps the order of two namespaces when one has a listener", GUARD, async (t) => {
    const server = await serve(t, engine);
    const main = await enter(server);
    const connected = once(server.io.of("/other"), "connection");
    const other = main.client.io.socket("/other");
    const [socket] = await connected;
    const received = [];
    for (const client of [main.client, other]) client.on("news", (number) => received.push(number));
    const reported = [];
    const report = (_event, number) => reported.push(number);
    for (const number of range(200)) {
      if (number % 20 === 10) socket.onAnyOutgoing(report);
      if (number % 20 === 19) socket.offAnyOutgoing(report);
      if (number % 2 === 0) server.io.emit("news", number, BYTES);
      else server.io.of("/other").emit("news", number);
      if (number % 7 === 0) await nextTurn();
    }
    await receivedBy(main);
    assert.deepEqual(received, range(200));
    assert.deepEqual(
      reported,
      range(200).filter((number) => number % 20 > 10 && number % 20 < 19 && number % 2 === 1),
    );
  });

  test('emits "drain" to a listener that is added behind two packets', GUARD, async (t) => {
    const server = await serve(t, engine);
    const { socket } = await enter(server);
    for (const emitter of [socket, server.io, server.io.to(socket.id)]) {
      emitter.emit("news", BYTES);
      emitter.emit("news", 2);
      await once(socket.conn, "drain");
      while (!socket.conn.transport.writable) await nextTurn();
    }
  });

  test("calls back when a packet is sent, in order, whatever else is sent", GUARD, async (t) => {
    const server = await serve(t, engine);
    const entrance = await enter(server);
    const { conn } = entrance.socket;
    const called = [];
    const allCalled = new EventEmitter();
    const callbackOf = (number) => (transport) => {
      assert.equal(transport, conn.transport);
      called.push(number);
      if (called.length === 30) allCalled.emit("done");
    };
    const done = once(allCalled, "done");
    for (const number of range(30)) {
      const packet = `2["news",${2 * number}]`;
      if (number % 3 === 0) conn.send(packet, { compress: true }, callbackOf(number));
      else if (number % 3 === 1) conn.write(packet, callbackOf(number));
      else conn.send(packet, undefined, callbackOf(number));
      server.io.emit("news", 2 * number + 1);
      if (number % 10 === 9) await nextTurn();
    }
    assert.equal(conn.send('2["news",60]'), conn);
    await done;
    assert.deepEqual(called, range(30));
    assert.deepEqual(await numbersReceivedBy(entrance), range(61));
  });

  test("is writable again in a later turn, with nothing queued", GUARD, async (t) => {
    const server = await serve(t, engine);
    const entrance = await enter(server);
    const { conn } = entrance.socket;
    for (const send of waysToSend) {
      send(entrance.socket, 0);
      while (!conn.transport.writable) await nextTurn();
      assert.deepEqual(conn.writeBuffer, []);
    }
  });

  test("sends other values as engine.io converts them", GUARD, async (t) => {
    const server = await serve(t, engine);
    const entrance = await enterByHand(server);
    const { conn } = entrance.socket;
    const { buffer } = new Uint8Array(BYTES);
    const views = [new Uint8Array(buffer, 1, 3), new Uint16Array(buffer, 0, 2), buffer];
    for (const value of ["", undefined, 7, 0, true, "text", "\ud800", ...views]) {
      conn.send(value);
      server.io.emit("news");
    }
    const expected = ["4", "4", "47", "4", "4true", "4text", "4\ufffd", BYTES.subarray(1, 4)];
    assert.deepEqual(
      (await receivedBy(entrance)).filter((message) => message !== '42["news"]'),
      [...expected, BYTES.subarray(0, 4), BYTES],
    );
  });
});
