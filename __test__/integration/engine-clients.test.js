"use strict";

/** The clients of other projects, each with a Socket.IO server on every engine. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { after, before, describe, test } = require("node:test");
const { isDeepStrictEqual } = require("node:util");
const drivers = require("../support/clients/all.js");
const {
  connectionCounts,
  engines,
  hasNative,
  noConnectionsLeft,
} = require("../support/engines.js");
const { upgraded: serverUpgraded } = require("../support/socket-io-client.js");
const { startServer } = require("../support/socket-io-server.js");
const { startProxy } = require("../support/tcp-proxy.js");

const MIB = 1024 * 1024;
const GUARD = { timeout: 20_000 };
const BYTES = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
const PHRASE =
  "Žluťoučký kůň úpěl ďábelské ódy. Щит 你好 😀 👩‍🚀 \u0000\u007f\u0080\u07ff\u0800\uffff";

/** Emits, and returns the arguments of the acknowledgement. */
function ask(socket, ...args) {
  return new Promise((resolve) => socket.emit(...args, (...answer) => resolve(answer)));
}

/** Returns all `news` that a client has received. */
async function receivedBy(socket) {
  const received = [];
  for (;;) {
    const [more] = await ask(socket, "heard", received.length);
    if (more.length === 0) return received;
    received.push(...more);
  }
}

/** Waits until the connection is a WebSocket, however it began, and both sides know. */
async function upgraded(socket) {
  await serverUpgraded(socket);
  await receivedBy(socket);
}

/** Lets a client enter; returns it with its socket on the server. */
async function enter(driver, { io, origin, beforeClose }, options) {
  const connected = once(io, "connection");
  const client = await driver.open(origin, options);
  beforeClose(() => client.close());
  const [socket] = await connected;
  return { client, socket };
}

/** Connects a client to a server of its own, and waits until it has a WebSocket. */
async function connect(t, engine, driver, serverOptions) {
  const server = await startServer(t, engine, { allowEIO3: true, ...serverOptions });
  const { client, socket } = await enter(driver, server);
  await upgraded(socket);
  return { ...server, client, socket };
}

/** The same, through a network that can fail. */
async function connectByProxy(t, engine, driver, serverOptions, clientOptions) {
  const server = await startServer(t, engine, { allowEIO3: true, ...serverOptions });
  const proxy = await startProxy(server);
  const { client, socket } = await enter(
    driver,
    { ...server, origin: proxy.origin },
    clientOptions,
  );
  await upgraded(socket);
  return { ...server, proxy, client, socket };
}

/** Asserts that the client sends values back unchanged, in two ways. */
async function assertRelayed(socket, ...args) {
  const relayed = once(socket, "relayed");
  // Not deepEqual(): the difference of long texts takes minutes to print.
  assert.ok(isDeepStrictEqual(await ask(socket, "relay", ...args), args));
  assert.ok(isDeepStrictEqual(await relayed, args));
}

function numberOf([number]) {
  return number;
}

/** Asserts that both sides report the right reason after `act`. */
async function assertEndsWith({ client, socket }, act, [serverReason, clientReason]) {
  const left = once(socket, "disconnect");
  act();
  assert.equal((await left)[0], serverReason);
  if (clientReason === undefined) return;
  const reason = await client.disconnected;
  assert.ok([clientReason].flat().includes(reason), `${reason}, not ${clientReason}`);
}

for (const engine of engines) {
  for (const driver of drivers) {
    describe(`${driver.name} with ${engine.name}`, { skip: driver.skip }, () => {
      before(() => driver.start());
      after(() => driver.stop());
      exchangesData(engine, driver);
      reachesManyClients(engine, driver);
      ends(engine, driver);
    });
  }
}

function exchangesData(engine, driver) {
  if (driver.startsOnPolling) {
    test(
      "loses and reorders nothing while it upgrades from polling to WebSocket",
      GUARD,
      async (t) => {
        const { socket } = await enter(driver, await startServer(t, engine, { allowEIO3: true }));
        assert.equal(socket.conn.transport.name, "polling");
        let count = 0;
        const send = () => socket.emit("news", count++, BYTES);
        const timer = setInterval(send, 1);
        t.after(() => clearInterval(timer));
        await once(socket.conn, "upgrade");
        for (let i = 0; i < 10; i++) send();
        clearInterval(timer);
        const received = await receivedBy(socket);
        assert.deepEqual(
          received.map(numberOf),
          Array.from({ length: count }, (_, i) => i),
        );
      },
    );
  }

  test("has a connection that the engine under test owns", GUARD, async (t) => {
    if (hasNative) await noConnectionsLeft();
    await connect(t, engine, driver);
    if (hasNative) assert.equal(connectionCounts().native, engine.name === "turbo" ? 1 : 0);
  });

  test("exchanges events and acks in both directions", GUARD, async (t) => {
    const { socket } = await connect(t, engine, driver);
    await assertRelayed(socket, 1, "two", [3, { four: null }], true, -0.5);
    await assertRelayed(socket, "", {}, [], false);
  });

  test("exchanges binary data in both directions", GUARD, async (t) => {
    const { socket } = await connect(t, engine, driver);
    const nested = { a: [BYTES, { b: BYTES.subarray(3) }], c: "text", d: Buffer.alloc(0) };
    await assertRelayed(socket, nested, BYTES, [[[BYTES]]]);
  });

  test("exchanges text beyond ASCII in both directions", GUARD, async (t) => {
    const { socket } = await connect(t, engine, driver);
    assert.deepEqual(await ask(socket, "recite", PHRASE), [true, PHRASE]);
    await assertRelayed(socket, PHRASE.repeat(100), { [PHRASE]: [PHRASE, BYTES] });
  });

  test("exchanges messages of 1 MiB in both directions", GUARD, async (t) => {
    const { socket } = await connect(t, engine, driver);
    await assertRelayed(socket, "ascii 16 bytes..".repeat(MIB / 16), 1);
    await assertRelayed(socket, "ž\n".repeat(MIB / 4), 2);
    await assertRelayed(socket, Buffer.alloc(MIB, BYTES), { b: Buffer.alloc(MIB, "b") });
  });

  test("keeps the order of text and binary events", GUARD, async (t) => {
    const { socket, io } = await connect(t, engine, driver);
    const expected = [];
    for (let i = 0; i < 100; i++) {
      const args = [i, i % 3 === 0 ? BYTES : "text".repeat(i * i)];
      expected.push(args);
      if (i % 7 === 0) io.emit("news", ...args);
      else socket.emit("news", ...args);
    }
    const received = await receivedBy(socket);
    // Numbers first: the difference of long texts takes minutes to print.
    assert.deepEqual(received.map(numberOf), expected.map(numberOf));
    assert.ok(isDeepStrictEqual(received, expected));
  });

  test("receives volatile events in order, and drops some", GUARD, async (t) => {
    const { socket } = await connect(t, engine, driver);
    let received = [];
    for (let i = 0; received.length === 0; i++) {
      socket.volatile.emit("news", i, BYTES);
      received = await receivedBy(socket);
    }
    for (let i = 0; i < 50; i++) socket.volatile.emit("news", 1000 + i, "text");
    received = await receivedBy(socket);
    const numbers = received.map(numberOf);
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    );
    // One at least, and not all: after the first, the transport is busy until the turn ends.
    const late = numbers.filter((number) => number >= 1000).length;
    assert.ok(late < 50, `${late} of 50 volatile events of one turn arrived`);
  });
}

function reachesManyClients(engine, driver) {
  test("receives broadcasts to its rooms, and no others", GUARD, async (t) => {
    const { io, socket: inside, ...server } = await connect(t, engine, driver);
    const { socket: outside } = await enter(driver, { ...server, io });
    await upgraded(outside);
    inside.join("room");
    io.to("room").emit("news", "text", PHRASE);
    io.to("room").emit("news", BYTES, { BYTES });
    io.except("room").emit("news", "others");
    inside.broadcast.emit("news", "from inside");
    io.emit("news", "for all");
    inside.leave("room");
    io.to("room").emit("news", "too late");
    assert.deepEqual(await receivedBy(inside), [["text", PHRASE], [BYTES, { BYTES }], ["for all"]]);
    assert.deepEqual(await receivedBy(outside), [["others"], ["from inside"], ["for all"]]);
  });

  test("does not enter a namespace whose middleware refuses it", GUARD, async (t) => {
    const { origin, beforeClose } = await startServer(t, engine, { allowEIO3: true });
    const client = await driver.open(origin, { namespace: "/private", auth: { token: "wröng" } });
    beforeClose(() => client.close());
    const refusal = { message: "wrong token, žluťoučký", data: { token: "wröng" } };
    assert.deepEqual(await client.refused, driver.refusal ?? refusal);
  });

  test("enters a namespace whose middleware accepts it", GUARD, async (t) => {
    const server = await startServer(t, engine, { allowEIO3: true });
    const options = { namespace: "/private", auth: { token: "right" } };
    const { socket } = await enter(driver, { ...server, io: server.io.of("/private") }, options);
    socket.emit("news", 1);
    assert.deepEqual(await receivedBy(socket), [[1]]);
  });

  for (const cut of driver.recovers ? ["end", "reset"] : []) {
    test(`recovers the events that it missed after its connection's ${cut}`, GUARD, async (t) => {
      const serverOptions = { connectionStateRecovery: {} };
      const clientOptions = { reconnection: true };
      const connection = await connectByProxy(t, engine, driver, serverOptions, clientOptions);
      const { io, proxy, socket } = connection;
      socket.join("room");
      socket.emit("news", 1);
      await receivedBy(socket);
      const left = once(socket, "disconnect");
      const back = once(io, "connection");
      // The client must not come back before the server has noticed the end, and kept the session.
      proxy.hold();
      proxy[cut]();
      await left;
      io.to("room").emit("news", 2, PHRASE);
      io.to("room").emit("news", 3, BYTES);
      proxy.heal();
      const [restored] = await back;
      assert.equal(restored.recovered, true);
      assert.equal(restored.id, socket.id);
      assert.deepEqual(await ask(restored, "recovered"), [true]);
      assert.deepEqual(
        (await receivedBy(restored)).map((args) => args.slice(0, -1)), // without the offset
        [[1], [2, PHRASE], [3, BYTES]],
      );
    });
  }
}

function ends(engine, driver) {
  const { reasons } = driver;

  test("reports the reason when the client leaves", GUARD, async (t) => {
    const connection = await connect(t, engine, driver);
    const act = () => connection.socket.emit("leave");
    const serverReason = driver.leavingReason ?? "client namespace disconnect";
    await assertEndsWith(connection, act, [serverReason, reasons.left]);
  });

  for (const closes of [false, true]) {
    test(`reports the reason after socket.disconnect(${closes})`, GUARD, async (t) => {
      const connection = await connect(t, engine, driver);
      const act = () => connection.socket.disconnect(closes);
      await assertEndsWith(connection, act, ["server namespace disconnect", reasons.disconnected]);
    });
  }

  test("reports the reason when the server closes", GUARD, async (t) => {
    const connection = await connect(t, engine, driver);
    const act = () => connection.io.close();
    await assertEndsWith(connection, act, ["server shutting down", reasons.closed]);
  });

  test("reports the reason when the TCP connection ends", GUARD, async (t) => {
    const connection = await connectByProxy(t, engine, driver);
    await assertEndsWith(connection, connection.proxy.end, ["transport close", reasons.ended]);
  });

  test("reports the reason when the TCP connection is reset", GUARD, async (t) => {
    const connection = await connectByProxy(t, engine, driver);
    await assertEndsWith(connection, connection.proxy.reset, ["transport close", reasons.reset]);
  });

  const silence = { ...GUARD, skip: driver.missesSilence };
  test("reports the reason when the network falls silent", silence, async (t) => {
    const heartbeat = { pingInterval: 300, pingTimeout: 1_500 };
    const connection = await connectByProxy(t, engine, driver, heartbeat);
    await assertEndsWith(connection, connection.proxy.stall, ["ping timeout", reasons.stalled]);
  });

  test("outlives several heartbeats", GUARD, async (t) => {
    const { socket } = await connect(t, engine, driver, { pingInterval: 50, pingTimeout: 10_000 });
    for (let heartbeats = 0; heartbeats < 4; heartbeats++) await once(socket.conn, "heartbeat");
    await assertRelayed(socket, "still here", BYTES);
  });
}
