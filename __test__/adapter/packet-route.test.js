"use strict";

/** What goes to one connection from several sides: its order, and whoever listens to it. */

const assert = require("node:assert/strict");
const { fork } = require("node:child_process");
const { EventEmitter, once } = require("node:events");
const { describe, test } = require("node:test");
const { setImmediate: nextTurn, setTimeout: delay } = require("node:timers/promises");
const { Emitter } = require("@socket.io/component-emitter");
const { io: connect } = require("socket.io-client");
const connectV2 = require("socket.io-client-v2");
const { connectionCounts, engineNamed, engines, hasNative } = require("../support/engines.js");
const { enterByHand } = require("../support/hand-client.js");
const { randomFrom, SEED } = require("../support/random.js");
const { startServer } = require("../support/socket-io-server.js");

const GUARD = { timeout: 20_000 };
const KIB = 1024;
const BYTES = Buffer.from([0, 1, 127, 128, 255]);
const WEBSOCKET_ONLY = { transports: ["websocket"] };
const POLLING_ONLY = { transports: ["polling"] };

const range = (count, start = 0) => Array.from({ length: count }, (_, i) => start + i);

/** Starts a server on which clients of Engine.IO v3 are welcome. */
function serve(t, engine, options) {
  return startServer(t, engine, { allowEIO3: true, ...options });
}

/**
 * Lets a client in.
 *
 * @returns {Promise<{ client: object, socket: import("socket.io").Socket }>} the client keeps in
 *   `heard` what it hears
 */
async function enter(server, options = WEBSOCKET_ONLY, connectTo = connect) {
  const { io, origin, beforeClose } = server;
  const connected = once(io, "connection");
  const client = connectTo(origin, { forceNew: true, reconnection: false, ...options });
  beforeClose(() => {
    client.disconnect();
    client.io.engine.close();
  });
  listen(client);
  const [[socket]] = await Promise.all([connected, once(client, "connect")]);
  return { client, socket };
}

async function enterAll(server, count, options) {
  const entrances = [];
  for (let i = 0; i < count; i++) entrances.push(await enter(server, options));
  return entrances;
}

/** Keeps what a client hears, and acknowledges it. One of Engine.IO v3 has no `onAny()`. */
function listen(client) {
  client.heard = [];
  client.on("fence", (ack) => ack());
  const hear = (...args) => {
    if (args[0] === "fence") return;
    if (typeof args.at(-1) === "function") args.pop()();
    client.heard.push(args);
  };
  if (client.onAny) client.onAny(hear);
  else client.on("news", (...args) => hear("news", ...args));
}

/** Waits until clients have received all that was sent before, so that nothing waits any more. */
async function settled(...entrances) {
  const answers = entrances.map(
    ({ socket }) => new Promise((resolve) => socket.emit("fence", resolve)),
  );
  await Promise.all(answers);
}

/** What a client has heard since the last time, when all that was sent before has come. */
async function heardBy(entrance) {
  await settled(entrance);
  return entrance.client.heard.splice(0);
}

/** The same of many. */
async function heardByAll(...entrances) {
  const heard = [];
  for (const entrance of entrances) heard.push(await heardBy(entrance));
  return heard;
}

/** The first arguments behind the names of events. */
async function numbersHeardBy(entrance) {
  return (await heardBy(entrance)).map(([, number]) => number);
}

async function upgraded({ conn }) {
  if (conn.transport.name !== "websocket") await once(conn, "upgrade");
}

/**
 * Ways in which something is sent to one socket: each sends a number with `news`.
 *
 * @type {Array<(socket: import("socket.io").Socket, number: number) => void>}
 */
const waysToSend = [
  (socket, number) => socket.emit("news", number),
  (socket, number) => socket.nsp.emit("news", number),
  (socket, number) => socket.nsp.to(socket.id).emit("news", number, BYTES, { BYTES }),
  (socket, number) => socket.emit("news", number, BYTES, "text", BYTES),
  (socket, number) => socket.nsp.except("nobody").emit("news", number, "ž".repeat(1000)),
  (socket, number) => socket.emit("news", number, () => {}),
  (socket, number) => socket.nsp.timeout(500).emit("news", number, () => {}),
  (socket, number) => socket.conn.send(`2["news",${number}]`),
  (socket, number) => socket.nsp.local.emit("news", number, Buffer.alloc(100 * KIB)),
];

/** Sends numbers, from the one that `next()` gives on, in all ways in turn. */
function createSender(socket) {
  let next = 0;
  const send = (count) => {
    for (let i = 0; i < count; i++) waysToSend[next % waysToSend.length](socket, next++);
  };
  const broadcast = () => socket.nsp.emit("news", next++);
  return { send, broadcast, sent: () => range(next) };
}

function keepsOrder(engine) {
  for (const [name, options] of [
    ["WebSocket", WEBSOCKET_ONLY],
    ["polling", POLLING_ONLY],
  ]) {
    test(`keeps the order of what is sent in one turn, by ${name}`, GUARD, async (t) => {
      const server = await serve(t, engine);
      const entrance = await enter(server, options);
      const { send, sent } = createSender(entrance.socket);
      send(100);
      assert.deepEqual(await numbersHeardBy(entrance), sent());
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
      assert.deepEqual(await numbersHeardBy(entrance), sent());
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
        client.emit("question", number, (answer) => client.heard.push(["ack", answer]));
      }
      await client.emitWithAck("question", 20);
      const numbers = await numbersHeardBy(entrance);
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
      assert.deepEqual(await numbersHeardBy(entrance), range(100));
    }
  });

  test("keeps the order from polling to WebSocket, whoever sends when", GUARD, async (t) => {
    const server = await serve(t, engine);
    let sender;
    const phases = new Set();
    const send = (phase, count = 20) => {
      phases.add(phase);
      sender?.send(count);
    };
    // These are there before ours, and so are heard first.
    server.io.engine.on("connection", (conn) => {
      conn.on("upgrading", () => send("upgrading"));
      conn.on("upgrade", () => send("upgrade, before"));
    });
    server.io.on("connection", (socket) => {
      sender = createSender(socket);
      socket.conn.prependListener("upgrade", () => send("upgrade, first"));
      socket.conn.on("upgrade", () => {
        // Before this, there was too much for one write.
        sender.broadcast();
        send("upgrade, after");
        process.nextTick(send, "in the next tick");
        queueMicrotask(() => send("in a microtask"));
        setImmediate(send, "in the next turn");
      });
      send("connection");
    });
    const entering = enter(server, {});
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
    assert.deepEqual(await numbersHeardBy(entrance), sender.sent());
  });

  test("keeps the order of broadcasts to many clients that upgrade", GUARD, async (t) => {
    const server = await serve(t, engine);
    const entrances = await Promise.all(
      range(10).map(async () => {
        const client = connect(server.origin, { forceNew: true, reconnection: false });
        server.beforeClose(() => {
          client.disconnect();
          client.io.engine.close();
        });
        listen(client);
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
      const heard = (await heardBy(entrance)).filter(([event]) => event === "news");
      // Those that came later have missed the first.
      const numbers = heard.map(([, number]) => number);
      assert.deepEqual(numbers, range(next - numbers[0], numbers[0]));
    }
  });
}

/** Ways to listen to what a socket sends: how listeners come and go, and the number they hear. */
const outgoing = ["onAnyOutgoing", "prependAnyOutgoing"].map((method) => ({
  name: method,
  add: (socket, listener) => {
    const listen = (_event, number) => listener(number);
    socket[method](listen);
    return () => socket.offAnyOutgoing(listen);
  },
}));

/** The number in a packet of Engine.IO. */
function numberIn({ data }) {
  return Number(/"news",(\d+)/.exec(data)?.[1]);
}

const packetListeners = {
  packetCreate: (listener) => (packet) => listener(numberIn(packet)),
  flush: (listener) => (packets) => packets.map(numberIn).forEach(listener),
};

/** The same on connections. Binary data would be packets of their own. */
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

function isHeard(engine) {
  for (const { name, add } of [...outgoing, ...observing, engineObserving]) {
    test(`tells ${name} of what is sent from then on until it is removed`, GUARD, async (t) => {
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
      const heard = [];
      send();
      await nextTurn();
      const remove = add(socket, (number) => heard.push(number));
      send();
      await nextTurn();
      assert.deepEqual(heard, range(4, 4));
      send();
      // In stock, what is sent behind something in one turn is flushed when that is done.
      await nextTurn();
      remove();
      send();
      await nextTurn();
      send();
      assert.deepEqual(heard, range(8, 4));
      assert.deepEqual(await numbersHeardBy(entrance), range(20));
      assert.deepEqual(
        await numbersHeardBy(other),
        range(20).filter((number) => number % 4 === 0 || number % 4 === 2),
      );
    });

    test(`loses and repeats nothing while ${name} comes and goes`, GUARD, async (t) => {
      t.diagnostic(`SEED=${SEED}`);
      const { below, chance } = randomFrom(SEED);
      const server = await serve(t, engine);
      const entrances = await enterAll(server, 3);
      const removals = entrances.map(() => undefined);
      for (const { socket } of entrances) socket.join(["room", "hall"]);
      const told = entrances.map(() => []);
      const addTo = (i) => add(entrances[i].socket, (heard) => told[i].push(heard));
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
        assert.deepEqual(await numbersHeardBy(entrance), range(300));
      }
      for (const numbers of told) {
        assert.ok(numbers.length > 0);
        assert.deepEqual(
          numbers,
          [...new Set(numbers)].sort((a, b) => a - b),
        );
      }
    });
  }

  for (const { name, add } of [...outgoing, ...observing.filter(isOfCreation)]) {
    test(`tells ${name} of exactly what is sent while it is there`, GUARD, async (t) => {
      t.diagnostic(`SEED=${SEED}`);
      const { chance } = randomFrom(SEED);
      const server = await serve(t, engine);
      const [{ socket }, ...others] = await enterAll(server, 3);
      const expected = [];
      const told = [];
      let remove;
      for (const number of range(300)) {
        if (chance(0.5)) {
          remove?.();
          remove = remove === undefined ? add(socket, (heard) => told.push(heard)) : undefined;
        }
        if (remove !== undefined) expected.push(number);
        if (chance(0.7)) others[0].socket.broadcast.emit("news", number);
        else socket.emit("news", number);
        if (chance(0.3)) await nextTurn();
      }
      assert.deepEqual(told, expected);
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
      server.io.emit("heard of by one");
      await nextTurn();
      assert.equal(onConn.mock.callCount(), 1);
      server.io.engine.on(event, onEngine);
      server.io.emit("heard of by all");
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
      const names = ["before", "heard of by one", "heard of by all", "after"].map((name) => [name]);
      assert.deepEqual(await heardByAll(entrance, other), [names, names]);
    });
  }

  test("tells once() of one packet, and loses none", GUARD, async (t) => {
    const server = await serve(t, engine);
    const [entrance, other] = await enterAll(server, 2);
    const told = [];
    for (const number of range(50)) {
      const tell = (packet) => told.push(numberIn(packet));
      if (number % 5 === 0) entrance.socket.conn.once("packetCreate", tell);
      if (number % 5 === 2) entrance.socket.conn.prependOnceListener("packetCreate", tell);
      server.io.emit("news", number);
      if (number % 3 === 0) await nextTurn();
    }
    assert.deepEqual(
      told,
      range(50).filter((number) => number % 5 === 0 || number % 5 === 2),
    );
    for (const one of [entrance, other]) assert.deepEqual(await numbersHeardBy(one), range(50));
  });

  test("tells packetCreate of the data and the type, as engine.io does", GUARD, async (t) => {
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
    assert.deepEqual(await heardBy(entrance), [
      ...[
        ["text", "ž"],
        ["bytes", BYTES],
        ["bytes", BYTES],
      ],
      ["raw"],
    ]);
  });

  test("tells outgoing listeners that were there before the connection", GUARD, async (t) => {
    const server = await serve(t, engine);
    const told = [];
    server.io.use((socket, next) => {
      socket.onAnyOutgoing((...args) => told.push(args));
      next();
    });
    server.io.engine.on("connection", (conn) => conn.once("packetCreate", () => {}));
    const entrance = await enter(server);
    server.io.emit("news", 1);
    server.io.to(entrance.socket.id).emit("news", 2, BYTES);
    assert.deepEqual(told, [
      ["news", 1],
      ["news", 2, BYTES],
    ]);
    assert.deepEqual(await heardBy(entrance), told.slice(0, 2));
  });

  test("has outgoing listeners as the official sockets have them", GUARD, async (t) => {
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

  test("goes on when listeners remove themselves or add others", GUARD, async (t) => {
    const server = await serve(t, engine);
    const entrances = await enterAll(server, 4);
    const [a, b] = entrances;
    const told = [];
    const tell = (event, number) => {
      told.push(number);
      a.socket.offAnyOutgoing(tell);
      b.socket.onAnyOutgoing((...args) => told.push(args));
      if (event === "news") server.io.emit("inner", number);
    };
    a.socket.onAnyOutgoing(tell);
    server.io.emit("news", 1);
    server.io.emit("news", 2);
    assert.equal(told[0], 1);
    for (const entrance of entrances) {
      const heard = await heardBy(entrance);
      assert.deepEqual(heard.sort(), [
        ["inner", 1],
        ["news", 1],
        ["news", 2],
      ]);
    }
  });

  test("does not reach who is disconnected by the listener of another", GUARD, async (t) => {
    const server = await serve(t, engine);
    const [a, b, c] = await enterAll(server, 3);
    a.socket.onAnyOutgoing(() => b.socket.disconnect());
    b.socket.onAnyOutgoing(() => assert.fail("b has gone"));
    const left = once(b.client, "disconnect");
    server.io.emit("news", 1);
    await left;
    assert.deepEqual(b.client.heard, []);
    for (const entrance of [a, c]) assert.deepEqual(await numbersHeardBy(entrance), [1]);
  });

  test("keeps the order where listeners send, too", GUARD, async (t) => {
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
    const heard = (await heardBy(entrance)).map(([event]) => event);
    assert.deepEqual(heard, [...names, ...names]);
  });

  test("goes on after a listener has thrown", GUARD, async (t) => {
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
    for (const entrance of [a, b]) assert.deepEqual(await numbersHeardBy(entrance), range(10));
  });

  for (const method of ["sendPacket", "write"]) {
    test(`sends all through a method that was replaced early: ${method}`, GUARD, async (t) => {
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
      assert.deepEqual(await numbersHeardBy(entrance), [1, 2, 3]);
    });
  }

  test("keeps the order of namespaces of which one is listened to", GUARD, async (t) => {
    const server = await serve(t, engine);
    const main = await enter(server);
    const connected = once(server.io.of("/other"), "connection");
    const other = main.client.io.socket("/other");
    const [socket] = await connected;
    const heard = [];
    for (const client of [main.client, other]) client.on("news", (number) => heard.push(number));
    const told = [];
    const tell = (_event, number) => told.push(number);
    for (const number of range(200)) {
      if (number % 20 === 10) socket.onAnyOutgoing(tell);
      if (number % 20 === 19) socket.offAnyOutgoing(tell);
      if (number % 2 === 0) server.io.emit("news", number, BYTES);
      else server.io.of("/other").emit("news", number);
      if (number % 7 === 0) await nextTurn();
    }
    await heardBy(main);
    assert.deepEqual(heard, range(200));
    assert.deepEqual(
      told,
      range(200).filter((number) => number % 20 > 10 && number % 20 < 19 && number % 2 === 1),
    );
  });

  test('emits "drain" to who begins to wait for it behind two packets', GUARD, async (t) => {
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
    assert.deepEqual(await numbersHeardBy(entrance), range(61));
  });

  test("is writable again in a later turn, and nothing waits", GUARD, async (t) => {
    const server = await serve(t, engine);
    const entrance = await enter(server);
    const { conn } = entrance.socket;
    for (const send of waysToSend) {
      send(entrance.socket, 0);
      while (!conn.transport.writable) await nextTurn();
      assert.deepEqual(conn.writeBuffer, []);
    }
  });

  test("sends what engine.io makes of other values", GUARD, async (t) => {
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
      (await heardBy(entrance)).filter((message) => message !== '42["news"]'),
      [...expected, BYTES.subarray(0, 4), BYTES],
    );
  });
}

function isOfCreation({ name }) {
  return name.includes("packetCreate");
}

/** What comes with a volatile event, and whether it was in the same turn as something else. */
function dropsVolatile(engine) {
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
          assert.deepEqual(await heardBy(entrance), [
            ["alone", ...args],
            ["first", ...args],
            ["later", ...args],
          ]);
        }
      });
    }
  }

  for (const [name, sendVolatile] of Object.entries(volatileWays)) {
    test(`drops single Buffers of a parser by ${name} as other packets`, GUARD, async (t) => {
      const parser = parserOf((bytes) => [bytes]);
      const server = await serve(t, engine, { parser });
      const entrance = await enter(server, { parser, ...WEBSOCKET_ONLY });
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
      const names = (await heardBy(entrance)).map(([event]) => event);
      assert.deepEqual(names, [...Array(3).fill(["first", "sure"]).flat(), "last"]);
    });
  }

  test("drops what is volatile only for those to whom something was sent", GUARD, async (t) => {
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
    assert.deepEqual(await heardByAll(a, b, c), [
      [["own"], ["for a alone"], ["not for b"]],
      [["not for a", BYTES], ["room"], ["for b"]],
      [["not for a", BYTES], ["room"], ["not for b"]],
    ]);
  });

  test("drops what is volatile for who does not read, and for nobody else", GUARD, async (t) => {
    const server = await serve(t, engine);
    const others = await enterAll(server, 3);
    const slow = await enterByHand(server);
    slow.client.webSocket.pause();
    // More than the buffers of the system and of the engine's mark hold.
    const sure = Buffer.alloc(20 * KIB * KIB);
    slow.socket.emit("sure", sure);
    for (const number of range(20)) {
      await settled(...others);
      server.io.volatile.emit("news", number, BYTES);
      slow.socket.volatile.emit("news", 100 + number);
    }
    for (const other of others) assert.deepEqual(await numbersHeardBy(other), range(20));
    slow.client.webSocket.resume();
    const heard = await heardBy(slow);
    assert.deepEqual(
      heard.map((message) => message.length),
      ['451-["sure",{"_placeholder":true,"num":0}]'.length, sure.length],
    );
    server.io.volatile.emit("later", BYTES);
    assert.deepEqual(await heardBy(slow), ['451-["later",{"_placeholder":true,"num":0}]', BYTES]);
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
    assert.equal((await heardBy(slow)).length, 40);
    while (!conn.transport.writable) await nextTurn();
  });

  test("drops what is volatile whole, or sends it whole", { timeout: 60_000 }, async (t) => {
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
    for (const entrance of entrances) assertWhole(await heardBy(entrance));
  });

  for (const when of Object.keys(handlers)) {
    test(`sends what handlers of events that come together send, ${when}`, GUARD, async (t) => {
      await moveTogether(t, engine, when);
    });
  }

  test("does so where nobody asks Node.js for the ids of promises", GUARD, async (t) => {
    // As test runners and tracers do; without them, all callbacks of promises have the same id.
    const child = fork(__filename, [engine.name]);
    t.after(() => child.kill("SIGKILL"));
    const [failures] = await once(child, "message");
    assert.deepEqual(failures, []);
  });
}

/** How the handler of an event sends something: at once, or how late. */
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
/** This one before Socket.IO has looked at the event. */
const AS_DATA = "as soon as the data comes";
handlers[AS_DATA] = handlers["at once"];

/** Has a socket tell all others of its moves; `onSent` is called after each. */
function passMovesOn(socket, when, onSent) {
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

/** Many clients move in the same moment; all are told of all others, several times. */
async function moveTogether(t, engine, when) {
  const server = await serve(t, engine);
  const count = 30;
  const entrances = await enterAll(server, count);
  let sent = 0;
  for (const { socket } of entrances) passMovesOn(socket, when, () => sent++);
  const numbers = entrances.map(() => []);
  for (const [i, { client }] of entrances.entries()) {
    client.on("news", (number) => numbers[i].push(number));
  }
  for (let round = 1; round <= 3; round++) {
    for (const [number, { client }] of entrances.entries()) client.emit("move", number);
    while (sent < count * round) await nextTurn();
    await settled(...entrances);
    for (const [own, heard] of numbers.entries()) {
      assert.deepEqual(
        heard.splice(0).sort((a, b) => a - b),
        range(count).filter((number) => number !== own),
      );
    }
  }
}

/** In a process without a test runner: tells the parent in which cases something is missing. */
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

/** Each binary packet has its attachments behind it, and no other data is there. */
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

/** A parser that makes one message of a packet; `wrap` makes of its JSON what is sent. */
function parserOf(wrap) {
  class Encoder {
    encode(packet) {
      return wrap(Buffer.from(JSON.stringify(packet)));
    }
  }
  class Decoder extends Emitter {
    #rest = "";

    add(data) {
      const text = typeof data === "string" ? data : Buffer.from(data).toString();
      this.#rest += text;
      // What has been cut in two is no JSON until all is there.
      const packet = parsed(this.#rest);
      if (packet === undefined) return;
      this.#rest = "";
      this.emit("decoded", packet);
    }

    destroy() {}
  }
  return { Encoder, Decoder };
}

function parsed(json) {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function arrayBufferOf({ buffer, byteOffset, byteLength }) {
  return buffer.slice(byteOffset, byteOffset + byteLength);
}

const parsers = {
  "a Buffer": parserOf((bytes) => [bytes]),
  "a Uint8Array": parserOf((bytes) => [new Uint8Array(bytes)]),
  "an ArrayBuffer": parserOf((bytes) => [arrayBufferOf(bytes)]),
  "a string": parserOf((bytes) => [bytes.toString()]),
  "two Buffers": parserOf((bytes) => [bytes.subarray(0, 5), bytes.subarray(5)]),
  "a Buffer and a string": parserOf((bytes) => [bytes.subarray(0, 5), bytes.toString("utf8", 5)]),
  "a string and another": parserOf((bytes) => [
    bytes.toString("utf8", 0, 5),
    bytes.toString("utf8", 5),
  ]),
};

function servesAllClients(engine) {
  for (const [name, options] of [
    ["WebSocket", WEBSOCKET_ONLY],
    ["polling", POLLING_ONLY],
    ["both", {}],
  ]) {
    test(`broadcasts to clients of Engine.IO v3 and v4 alike, by ${name}`, GUARD, async (t) => {
      const server = await serve(t, engine);
      const v3 = [await enter(server, options, connectV2), await enter(server, options, connectV2)];
      const v4 = await enter(server, options);
      const entrances = [...v3, v4];
      for (const { socket } of entrances) await upgradedIf(name === "both", socket);
      assert.deepEqual(
        entrances.map(({ socket }) => socket.conn.protocol),
        [3, 3, 4],
      );
      v3[0].socket.join("room");
      v4.socket.join("room");
      const { send, sent } = createSender(v3[0].socket);
      const values = ["", "text", "žluťoučký 😀 \u0000", "ž".repeat(50_000), BYTES, [{ BYTES }]];
      for (const value of values) {
        server.io.emit("news", value);
        server.io.to("room").emit("news", value, BYTES, value);
        v4.socket.broadcast.emit("news", value);
      }
      server.io.to("room").volatile.emit("news", "dropped, as something was sent");
      const [first, second, third] = await heardByAll(...entrances);
      const one = (value) => ["news", value];
      const room = (value) => ["news", value, BYTES, value];
      assert.deepEqual(
        first,
        values.flatMap((value) => [one(value), room(value), one(value)]),
      );
      assert.deepEqual(
        second,
        values.flatMap((value) => [one(value), one(value)]),
      );
      assert.deepEqual(
        third,
        values.flatMap((value) => [one(value), room(value)]),
      );
      send(30);
      assert.deepEqual(await numbersHeardBy(v3[0]), sent());
    });
  }

  test("broadcasts to clients of Engine.IO v3 in a namespace of their own", GUARD, async (t) => {
    const server = await serve(t, engine);
    const nsp = server.io.of("/other");
    const entrances = [];
    for (const query of ["", "?token=1"]) {
      const connected = once(nsp, "connection");
      const options = { forceNew: true, reconnection: false, ...WEBSOCKET_ONLY };
      const client = connectV2(`${server.origin}/other${query}`, options);
      server.beforeClose(() => client.disconnect());
      listen(client);
      entrances.push({ client, socket: (await connected)[0] });
    }
    const expected = [];
    for (const number of range(20)) {
      const args = ["news", number, number % 2 === 0 ? BYTES : "ž"];
      expected.push(args);
      if (number % 3 === 0) nsp.emit(...args);
      else if (number % 3 === 1) for (const { socket } of entrances) socket.emit(...args);
      else for (const { socket } of entrances) nsp.to(socket.id).emit(...args);
    }
    for (const entrance of entrances) assert.deepEqual(await heardBy(entrance), expected);
  });

  for (const [what, parser] of Object.entries(parsers)) {
    test(`broadcasts what a parser makes: ${what}`, GUARD, async (t) => {
      const server = await serve(t, engine, { parser });
      const entrances = [
        await enter(server, { parser, ...WEBSOCKET_ONLY }),
        await enter(server, { parser, ...WEBSOCKET_ONLY }),
        await enter(server, { parser, ...POLLING_ONLY }),
      ];
      for (const { socket } of entrances) socket.join("room");
      const expected = [];
      for (const number of range(30)) {
        const args = ["news", number, "ž".repeat(number * number)];
        expected.push(args);
        if (number % 3 === 0) server.io.emit(...args);
        else if (number % 3 === 1) server.io.to("room").emit(...args);
        else for (const { socket } of entrances) socket.emit(...args);
      }
      for (const entrance of entrances) assert.deepEqual(await heardBy(entrance), expected);
    });
  }

  test("sends nothing where a parser makes nothing", GUARD, async (t) => {
    const parser = parserOf((bytes) => (bytes.includes("nothing") ? [] : [bytes]));
    const server = await serve(t, engine, { parser });
    const entrance = await enter(server, { parser, ...WEBSOCKET_ONLY });
    server.io.emit("nothing");
    server.io.emit("news", 1);
    entrance.socket.emit("nothing");
    server.io.emit("news", 2);
    assert.deepEqual(await numbersHeardBy(entrance), [1, 2]);
  });

  test("broadcasts base64 to a client that wants it over WebSocket", GUARD, async (t) => {
    const server = await serve(t, engine);
    const base64 = await enterByHand(server, "&b64=1");
    const plain = await enterByHand(server);
    for (const { socket } of [base64, plain]) socket.join("room");
    server.io.emit("text", "ž");
    server.io.to("room").emit("bytes", BYTES);
    base64.socket.emit("own", BYTES);
    await settled(base64, plain);
    server.io.volatile.emit("bytes", BYTES);
    const texts = ['42["text","ž"]', '451-["bytes",{"_placeholder":true,"num":0}]'];
    const encoded = `b${BYTES.toString("base64")}`;
    const own = '451-["own",{"_placeholder":true,"num":0}]';
    assert.deepEqual(await heardByAll(base64, plain), [
      [...texts, encoded, own, encoded, texts[1], encoded],
      [...texts, BYTES, texts[1], BYTES],
    ]);
  });

  test("reaches all kinds of clients in one room, in order", GUARD, async (t) => {
    const server = await serve(t, engine, { perMessageDeflate: { threshold: 0 } });
    // Clients of Node.js offer to compress, unless they are told not to.
    const plain = { perMessageDeflate: false };
    const entrances = [
      await enter(server, { ...WEBSOCKET_ONLY, ...plain }),
      await enter(server, POLLING_ONLY),
      await enter(server, plain),
      await enter(server, WEBSOCKET_ONLY),
      await enter(server, { ...WEBSOCKET_ONLY, ...plain }, connectV2),
      await enter(server, POLLING_ONLY, connectV2),
      await enter(server, { ...WEBSOCKET_ONLY, ...plain }),
    ];
    // Where Node.js has a WebSocket of its own, socket.io-client 2 takes that, which always offers.
    const plainCount = globalThis.WebSocket === undefined ? 4 : 3;
    if (hasNative) await workersHave(engine.name === "turbo" ? plainCount : 0);
    const observed = [];
    entrances.at(-1).socket.onAnyOutgoing((_event, number) => observed.push(number));
    const quiet = await enter(server);
    const room = entrances.map(({ socket }) => socket);
    for (const socket of room) socket.join(["room", `only ${socket.id}`]);
    for (const number of range(100)) {
      const args = ["news", number, number % 3 === 0 ? BYTES : "text"];
      if (number % 5 === 0) server.io.to("room").emit(...args);
      else if (number % 5 === 1) quiet.socket.broadcast.emit(...args);
      else if (number % 5 === 2) server.io.except(quiet.socket.id).emit(...args);
      else if (number % 5 === 3) server.io.to(["room", room[0].id, room[1].id]).emit(...args);
      else for (const { id } of room) server.io.to([`only ${id}`, id]).emit(...args);
      if (number % 10 === 0) await nextTurn();
    }
    for (const entrance of entrances) {
      assert.deepEqual(await numbersHeardBy(entrance), range(100));
    }
    assert.deepEqual(
      observed.filter((number) => number !== undefined && typeof number !== "function"),
      range(100),
    );
    assert.deepEqual(await heardBy(quiet), []);
  });

  const skip = !hasNative || engine.name === "stock";
  for (const [name, options] of [
    ["by WebSocket", WEBSOCKET_ONLY],
    ["that has upgraded", {}],
  ]) {
    test(`asks for no write in JavaScript for a client ${name}`, { ...GUARD, skip }, async (t) => {
      const server = await serve(t, engine);
      const entrance = await enter(server, options);
      await upgraded(entrance.socket);
      const { conn, client } = entrance.socket;
      const served = t.mock.method(client, "writeToEngine").mock;
      const sent = t.mock.method(conn.transport, "send").mock;
      const counts = () => [served.callCount(), sent.callCount()];
      server.io.emit("news", 0);
      assert.deepEqual(counts(), [0, 0]);
      entrance.socket.emit("news", 1, BYTES);
      assert.deepEqual(counts(), [1, 0]);
      const remove = outgoing[0].add(entrance.socket, () => {});
      server.io.emit("news", 2);
      assert.deepEqual(counts(), [2, 0]);
      remove();
      server.io.emit("news", 3);
      assert.deepEqual(counts(), [2, 0]);
      // Until then the transport is not writable, so that engine.io would have it wait.
      await nextTurn();
      conn.once("packetCreate", () => {});
      server.io.emit("news", 4);
      assert.deepEqual(counts(), [3, 1]);
      server.io.emit("news", 5);
      assert.deepEqual(counts(), [3, 1]);
      assert.deepEqual(await numbersHeardBy(entrance), range(6));
    });
  }
}

/** Waits until the upgrades are done, and so many connections are with the workers. */
async function workersHave(count) {
  while (connectionCounts().native !== count) await nextTurn();
}

/** Waits for the upgrade, if there will be one. */
async function upgradedIf(isExpected, socket) {
  if (isExpected) await upgraded(socket);
}

function ends(engine) {
  for (const [name, end] of [
    ["socket.disconnect(true)", ({ socket }) => socket.disconnect(true)],
    ["socket.disconnect()", ({ socket }) => socket.disconnect()],
    ["conn.close()", ({ socket }) => socket.conn.close()],
  ]) {
    test(`delivers what was sent before ${name}, and nothing after`, GUARD, async (t) => {
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
        client.heard.map(([event]) => event),
        Array(50).fill("news"),
      );
      assert.deepEqual(
        client.heard.map(([, number]) => number),
        sent(),
      );
      assert.deepEqual((await heardBy(other)).at(-1), ["later"]);
    });
  }

  test("closes a client by whose name others still speak, and goes on", GUARD, async (t) => {
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
    const numbers = (await heardBy(b)).filter(([event]) => event === "news").map(([, n]) => n);
    assert.deepEqual(numbers, [...range(numbers.length - 1), "last"]);
  });
}

function defineTests() {
  for (const engine of engines) {
    describe(`a connection of ${engine.name}`, () => {
      keepsOrder(engine);
      isHeard(engine);
      dropsVolatile(engine);
      servesAllClients(engine);
      ends(engine);
    });
  }
}

if (process.send === undefined) defineTests();
else moveTogetherAlone(engineNamed(process.argv[2]));
