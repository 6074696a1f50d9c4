"use strict";

/**
 * Heartbeats: what listeners, replaced methods and clients see of them, on stock parts and ours; and what
 * is different, that ours go on while JavaScript is busy.
 */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { describe, test } = require("node:test");
const { io: connect } = require("socket.io-client");
const { WebSocket } = require("ws");
const { engines, hasNative } = require("../support/engines.js");
const { enterByHand } = require("../support/hand-client.js");
const { HANG_GUARD, Observed, polled } = require("../support/observed.js");
const { startFixture } = require("../support/fixture-process.js");
const { connectClient, leave } = require("../support/socket-io-client.js");
const { startServer } = require("../support/socket-io-server.js");

const GUARD = { timeout: 4 * HANG_GUARD };

/** In milliseconds. */
const SHORT = 300;
/** No client of a busy machine is late by as much. */
const PATIENCE = 2_000;
const LONG = 3_600_000;

const ENOUGH = 3;

/** Options of a server whose clients have all the time that they need. */
const PINGING = { pingInterval: SHORT, pingTimeout: LONG, transports: ["websocket"] };

/** Answers the first `count` pings of a client by hand. */
function answerPings({ client }, count = Number.POSITIVE_INFINITY) {
  let answered = 0;
  const answer = () => {
    if (answered++ < count) client.webSocket.send("3");
  };
  for (const message of client.received) if (message === "2") answer();
  client.webSocket.on("message", (data, isBinary) => {
    if (!isBinary && String(data) === "2") answer();
  });
}

/** Returns how many pings a client has received. */
const pingsOf = ({ client }) => client.received.filter((message) => message === "2").length;

/** Returns why the next socket ends, even if that is as soon as it has come. */
function endOfNext({ io }) {
  return new Promise((resolve) => {
    io.once("connection", (socket) => socket.once("disconnect", resolve));
  });
}

/** Enters as `enterByHand()`, with the {@link endOfNext} as `ended`. */
async function enterToEnd(server) {
  const ended = endOfNext(server);
  return { ...(await enterByHand(server)), ended };
}

/**
 * Enters with a listener of the socket from its connection on. Before that no ping has been sent: a slow
 * client to which one has been is left alone, and another enters.
 *
 * @param {object} server as `startServer()` returns it
 * @param {(log: Log, socket: import("socket.io").Socket) => void} listen
 * @returns {Promise<{ log: Log, entrance: object }>} as `enterByHand()`
 */
async function enterListening(server, listen) {
  for (;;) {
    const log = new Log();
    server.io.once("connection", (socket) => listen(log, socket));
    const entrance = await enterByHand(server);
    if (!entrance.isPinged) return { log, entrance };
  }
}

/** True once no timer of engine.io is left, on our engine. */
const isHandedOver = ({ socket: { conn } }) => conn.pingIntervalTimer === null;

/** Waits until our engine has the heartbeat; stock never has. */
function handedOver(engine, entrance) {
  return hasNative && engine.name === "turbo" ? polled(() => isHandedOver(entrance)) : undefined;
}

/** The arguments of listeners, as text. */
class Log extends Observed {
  lines = [];

  add(...words) {
    this.lines.push(words.join(" "));
    this.changed();
  }

  describe() {
    return this.lines.join(", ");
  }

  /** Keeps the events of an emitter. */
  listen(emitter, events, prefix = "") {
    for (const event of events) {
      emitter.on(event, (...args) => this.add(prefix + event, ...args.map(textOf)));
    }
  }

  count(line) {
    return this.lines.filter((each) => each === line).length;
  }
}

/** Returns a text of an argument: packets as JSON, sockets by their class. */
function textOf(value) {
  if (Buffer.isBuffer(value) || Object(value) !== value) return String(value);
  const isPlain = Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
  return isPlain ? JSON.stringify(value) : value.constructor.name;
}

const PING = '{"type":"ping","options":{"compress":true}}';
const PONG = '{"type":"pong","options":{"compress":true}}';

const SENDING = [`packetCreate ${PING}`, `flush [${PING}]`, "drain"];
const RECEIVING = ['packet {"type":"pong"}', "heartbeat"];

/** Ways to listen to heartbeats: how to begin, what comes with each, and what comes before: CONNECT. */
const WAYS = {
  "an Engine.IO socket": [
    (log, { conn }) => log.listen(conn, ["packetCreate", "flush", "drain", "packet", "heartbeat"]),
    [...SENDING, ...RECEIVING],
  ],
  "sent packets of it": [(log, { conn }) => log.listen(conn, ["packetCreate"]), [SENDING[0]]],
  "received packets of it": [(log, { conn }) => log.listen(conn, ["packet"]), [RECEIVING[0]]],
  "its heartbeats": [(log, { conn }) => log.listen(conn, ["heartbeat"]), ["heartbeat"]],
  "its drain": [(log, { conn }) => log.listen(conn, ["drain"]), ["drain"]],
  "the transport": [
    (log, { conn }) => log.listen(conn.transport, ["packet", "drain", "ready"]),
    ["drain", "ready", RECEIVING[0]],
    ["drain", "ready"],
  ],
  "the WebSocket": [
    (log, { conn }) => log.listen(conn.transport.socket, ["message"]),
    ["message 3 false"],
  ],
  everything: [
    (log, { conn }) => {
      log.listen(conn.transport.socket, ["message"], "WebSocket ");
      log.listen(conn.transport, ["packet", "drain", "ready"], "transport ");
      log.listen(conn, ["packetCreate", "flush", "drain", "packet", "heartbeat"]);
      log.listen(conn.server, ["flush", "drain"], "server ");
    },
    [
      `packetCreate ${PING}`,
      `flush [${PING}]`,
      `server flush Socket [${PING}]`,
      "drain",
      "server drain Socket",
      "transport drain",
      "transport ready",
      'packet {"type":"pong"}',
      "heartbeat",
      'transport packet {"type":"pong"}',
      "WebSocket message 3 false",
    ],
    ["transport drain", "transport ready"],
  ],
};

/** Waits until a cycle of lines has come several times, and nothing else. */
async function assertCycle(log, cycle, before = []) {
  const expected = [...before, ...Array.from({ length: ENOUGH }, () => cycle).flat()];
  await log.until(() => log.lines.length >= expected.length, "the heartbeats");
  assert.deepEqual(log.lines.slice(0, expected.length), expected);
}

for (const engine of engines) {
  describe(`Heartbeats on ${engine.name}`, { concurrency: 4 }, () => {
    for (const [what, [listen, cycle, before]] of Object.entries(WAYS)) {
      test(`listeners of ${what} get each heartbeat, from the connection on`, GUARD, async (t) => {
        const server = await startServer(t, engine, PINGING);
        const { log, entrance } = await enterListening(server, listen);
        answerPings(entrance);
        await assertCycle(log, cycle, before);
      });
    }

    test("listeners that come later get each heartbeat from then on", GUARD, async (t) => {
      const server = await startServer(t, engine, { ...PINGING, pingInterval: 4 * SHORT });
      const entrance = await enterByHand(server);
      await handedOver(engine, entrance);
      const pinged = once(entrance.client.webSocket, "message");
      answerPings(entrance);
      await pinged;
      await polled(() => entrance.socket.conn.transport.writable);
      // The pong to the ping that was before may come still.
      const log = new Log();
      const [listen, cycle] = WAYS["an Engine.IO socket"];
      listen(log, entrance.socket);
      await log.until(() => log.lines.includes(cycle[0]), "a ping");
      log.lines.splice(0, log.lines.indexOf(cycle[0]));
      await assertCycle(log, cycle);
    });

    test("heartbeats go on when listeners have gone", GUARD, async (t) => {
      const server = await startServer(t, engine, PINGING);
      const entrance = await enterByHand(server);
      const { conn } = entrance.socket;
      answerPings(entrance);
      for (let round = 1; round <= ENOUGH; round++) {
        await once(conn, "heartbeat");
        await once(conn, "packetCreate");
        const count = pingsOf(entrance);
        await entrance.client.until(() => pingsOf(entrance) > count + 1, "two pings");
      }
    });

    test(
      "packets of the application stand among heartbeats as they were sent",
      GUARD,
      async (t) => {
        const server = await startServer(t, engine, PINGING);
        const entrance = await enterByHand(server);
        const log = new Log();
        const { conn } = entrance.socket;
        log.listen(conn, ["packetCreate", "flush", "drain", "packet"]);
        conn.on("heartbeat", () => entrance.socket.emit("news", 1));
        answerPings(entrance);
        const news = '{"type":"message","options":{"compress":true},"data":"2[\\"news\\",1]"}';
        const sent = log.until(() => log.count(`packetCreate ${news}`) >= ENOUGH, "the packets");
        await sent;
        const of = (text) => log.lines.filter((line) => line.startsWith(text)).length;
        assert.equal(of("flush"), of("drain"));
        await entrance.client.until(
          () => entrance.client.received.filter((text) => text.startsWith("42")).length >= ENOUGH,
          "the packets",
        );
      },
    );

    test("a client that never answers is closed", GUARD, async (t) => {
      const server = await startServer(t, engine, { ...PINGING, pingTimeout: PATIENCE });
      const entrance = await enterToEnd(server);
      assert.equal(await entrance.ended, "ping timeout");
      await entrance.client.until(() => entrance.client.disconnected, "the end");
      assert.equal(entrance.client.closeCode, 1005);
      assert.ok(pingsOf(entrance) <= 1);
    });

    test("a client that answers no more is closed", GUARD, async (t) => {
      const server = await startServer(t, engine, { ...PINGING, pingTimeout: PATIENCE });
      const entrance = await enterToEnd(server);
      answerPings(entrance, 2);
      assert.equal(await entrance.ended, "ping timeout");
      assert.ok(pingsOf(entrance) <= 3);
    });

    test("a ping of a client, which is the server's to send, ends it", GUARD, async (t) => {
      const server = await startServer(t, engine, { ...PINGING, pingInterval: LONG });
      const entrance = await enterByHand(server);
      await handedOver(engine, entrance);
      entrance.client.webSocket.send("2");
      const [reason] = await once(entrance.socket, "disconnect");
      assert.equal(reason, "transport error");
    });

    test("a client that upgrades to a WebSocket is pinged on", GUARD, async (t) => {
      const options = { pingInterval: SHORT, pingTimeout: LONG };
      const server = await startServer(t, engine, options);
      const connected = once(server.io, "connection");
      const client = connectClient(server.origin, { transports: ["polling", "websocket"] });
      t.after(() => leave(client));
      const [socket] = await connected;
      let pings = 0;
      const count = () => pings++;
      client.io.on("ping", count);
      if (socket.conn.transport.name === "polling") await once(socket.conn, "upgrade");
      const before = pings;
      await polled(() => pings >= before + ENOUGH);
      const log = new Log();
      log.listen(socket.conn, ["heartbeat"]);
      await log.until(() => log.lines.length >= ENOUGH, "heartbeats");
    });

    test("a method that is put in front of the socket's sees its pings", GUARD, async (t) => {
      const server = await startServer(t, engine, PINGING);
      const entrance = await enterByHand(server);
      answerPings(entrance);
      await handedOver(engine, entrance);
      const { conn } = entrance.socket;
      const seen = new Log();
      const { sendPacket } = conn;
      conn.sendPacket = function (...args) {
        seen.add(...args);
        return sendPacket.apply(this, args);
      };
      await seen.until(() => seen.count("ping") >= ENOUGH, "pings");
      assert.deepEqual([...new Set(seen.lines)], ["ping"]);
    });

    test("a socket whose buffer does not drain is given up", GUARD, async (t) => {
      // Longer than it takes to fill the buffer.
      const options = { ...PINGING, pingTimeout: 10 * SHORT, maxHttpBufferSize: LONG };
      const server = await startServer(t, engine, options);
      const entrance = await enterByHand(server);
      const { socket } = entrance;
      await handedOver(engine, entrance);
      entrance.client.webSocket.pause();
      const closed = once(socket, "disconnect");
      while (socket.conn.writeBuffer.length < ENOUGH) {
        socket.emit("news", Buffer.alloc(8 * 1024 * 1024));
        await new Promise(setImmediate);
      }
      socket.conn.close();
      assert.equal(socket.conn.readyState, "closing");
      assert.deepEqual((await closed)[0], "ping timeout");
    });

    test("a program that stops the timers of a socket stops its pings", GUARD, async (t) => {
      const server = await startServer(t, engine, PINGING);
      // In the turn in which they are set.
      server.io.engine.once("connection", (conn) => clearTimeout(conn.pingIntervalTimer));
      const [stopped, other] = [await enterByHand(server), await enterByHand(server)];
      answerPings(other);
      await other.client.until(() => pingsOf(other) >= ENOUGH, "pings");
      assert.equal(pingsOf(stopped), 0);
    });

    test(
      "listeners see heartbeats where the server compresses and the client does not",
      GUARD,
      async (t) => {
        const options = { ...PINGING, perMessageDeflate: true };
        const server = await startServer(t, engine, options);
        const log = new Log();
        // Before the first ping.
        server.io.engine.on("connection", (conn) => WAYS["an Engine.IO socket"][0](log, { conn }));
        const address = `${server.origin.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`;
        const webSocket = new WebSocket(address, { perMessageDeflate: false });
        server.beforeClose(() => webSocket.terminate());
        let pings = 0;
        webSocket.on("message", (data) => {
          if (String(data)[0] === "0") webSocket.send("40");
          if (String(data) !== "2") return;
          pings++;
          webSocket.send("3");
        });
        await log.until(() => log.count(RECEIVING[1]) >= ENOUGH, "heartbeats");
        assert.ok(pings <= log.count(SENDING[0]));
      },
    );

    test("a paused client is pinged, and closed if it does not answer", GUARD, async (t) => {
      const server = await startServer(t, engine, { ...PINGING, pingTimeout: PATIENCE });
      const entrance = await enterToEnd(server);
      await handedOver(engine, entrance);
      const { client, socket } = entrance;
      socket.conn.transport.socket.pause();
      // A worker that sends this has paused; before, it may read the answer to a ping that came before.
      socket.emit("paused");
      const isPaused = () => client.received.includes('42["paused"]') || client.disconnected;
      await client.until(isPaused, "the event");
      answerPings(entrance);
      assert.equal(await entrance.ended, "ping timeout");
      assert.ok(pingsOf(entrance) <= 1);
    });

    describe("with Engine.IO v3", () => {
      async function enterVersion3(t, options) {
        const server = await startServer(t, engine, { ...PINGING, allowEIO3: true, ...options });
        const connected = once(server.io, "connection");
        const ended = endOfNext(server);
        const address = `${server.origin.replace("http", "ws")}/socket.io/?EIO=3&transport=websocket`;
        const webSocket = new WebSocket(address);
        server.beforeClose(() => webSocket.terminate());
        const received = new Log();
        webSocket.on("message", (data) => received.add(String(data).slice(0, 1)));
        const [socket] = await connected;
        await received.until(() => received.lines.length === 2, "CONNECT");
        if (hasNative && engine.name === "turbo") {
          await polled(() => socket.conn.pingTimeoutTimer === null);
        }
        return { socket, webSocket, received, ended };
      }

      test("the pings of a client are answered, and seen", GUARD, async (t) => {
        const { socket, webSocket, received } = await enterVersion3(t);
        const log = new Log();
        const events = ["packet", "packetCreate", "flush", "drain", "heartbeat"];
        const cycle = [
          'packet {"type":"ping"}',
          `packetCreate ${PONG}`,
          `flush [${PONG}]`,
          "drain",
          "heartbeat",
        ];
        const beat = async (count) => {
          for (let i = 0; i < count; i++) {
            const before = received.count("3");
            webSocket.send("2");
            await received.until(() => received.count("3") > before, "a pong");
          }
        };
        await beat(ENOUGH);
        log.listen(socket.conn, events);
        // The worker knows of the listeners when it has what was sent after them.
        socket.conn.send("fence");
        await received.until(() => received.count("4") === 2, "the fence");
        log.lines.length = 0;
        await beat(ENOUGH);
        await assertCycle(log, cycle);
        assert.equal(received.count("3"), 2 * ENOUGH);
      });

      test("a client that does not ping is closed", GUARD, async (t) => {
        const { ended } = await enterVersion3(t, { pingTimeout: PATIENCE });
        assert.equal(await ended, "ping timeout");
      });

      test("a pong of a client ends it", GUARD, async (t) => {
        const { webSocket, ended } = await enterVersion3(t);
        webSocket.send("3");
        assert.equal(await ended, "transport error");
      });
    });

    describe("while JavaScript is busy", () => {
      const CLIENTS = 5;

      async function startBlocked(t, options, milliseconds) {
        const argument = { engine: engine.name, options, clients: CLIENTS, milliseconds };
        const server = startFixture(t, "blocked-server.js", [JSON.stringify(argument)]);
        const { port } = await server.next();
        const clients = Array.from({ length: CLIENTS }, () => {
          const options = { transports: ["websocket"], reconnection: false, forceNew: true };
          return connect(`http://127.0.0.1:${port}`, options);
        });
        t.after(() => clients.forEach(leave));
        const ends = clients.map(
          (client) => new Promise((resolve) => client.on("disconnect", resolve)),
        );
        assert.equal(await server.next(), "blocking");
        return { server, clients, ends };
      }

      const survivors = hasNative && engine.name === "turbo" ? "all" : "no";
      test(`${survivors} clients stay for three ping timeouts`, GUARD, async (t) => {
        const options = {
          pingInterval: 5 * SHORT,
          pingTimeout: PATIENCE,
          // By default pings end after 3.5 s, and clients leave 3.5 s later: 1 s after this is over.
          maxLoopLag: LONG,
          transports: ["websocket"],
        };
        const { server, clients, ends } = await startBlocked(t, options, 3 * PATIENCE);
        assert.equal(await server.next(), "blocked");
        const alive = clients.map((client) => client.emitWithAck("alive").then(() => "alive"));
        const results = await Promise.all(alive.map((each, i) => Promise.race([each, ends[i]])));
        const expected = survivors === "all" ? "alive" : "ping timeout";
        assert.deepEqual(results, Array(CLIENTS).fill(expected));
      });

      test("clients leave a server that hangs", GUARD, async (t) => {
        const options = { pingInterval: SHORT, pingTimeout: PATIENCE, transports: ["websocket"] };
        const { ends } = await startBlocked(t, options, LONG);
        assert.deepEqual(await Promise.all(ends), Array(CLIENTS).fill("ping timeout"));
      });
    });
  });

  describe(`Heartbeats on ${engine.name} with replaced methods`, () => {
    test("a method that is put in front of a class's sees pings", GUARD, async (t) => {
      const server = await startServer(t, engine, PINGING);
      const entrance = await enterByHand(server);
      answerPings(entrance);
      await handedOver(engine, entrance);
      const prototype = Object.getPrototypeOf(entrance.socket.conn);
      const { sendPacket } = prototype;
      const seen = new Log();
      const { id } = entrance.socket.conn;
      prototype.sendPacket = function (...args) {
        if (this.id === id) seen.add(args[0]);
        return sendPacket.apply(this, args);
      };
      t.after(() => {
        prototype.sendPacket = sendPacket;
      });
      await seen.until(() => seen.count("ping") >= ENOUGH, "pings");
    });
  });

  describe(`Timers on ${engine.name}`, () => {
    const timers = () =>
      process.getActiveResourcesInfo().filter((each) => each === "Timeout").length;

    test("a connection has a timer in engine.io, and none on a worker", GUARD, async (t) => {
      const server = await startServer(t, engine, { ...PINGING, pingInterval: LONG });
      const before = timers();
      const count = 20;
      const entrances = [];
      for (let i = 0; i < count; i++) entrances.push(await enterByHand(server));
      for (const entrance of entrances) await handedOver(engine, entrance);
      const expected = hasNative && engine.name === "turbo" ? 0 : count;
      // Other timers may have run out or begun.
      await polled(() => Math.abs(timers() - before - expected) < count / 4);
    });
  });
}
