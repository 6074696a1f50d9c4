"use strict";

/**
 * Servers whose listeners and options meet the packets of one client: contexts, middlewares, closing,
 * pausing, other parsers, other versions and transports.
 */

const assert = require("node:assert/strict");
const { AsyncLocalStorage, executionAsyncId, executionAsyncResource } = require("node:async_hooks");
const { EventEmitter, once } = require("node:events");
const { describe, test } = require("node:test");
const { Server } = require("socket.io");
const { io: connect4 } = require("socket.io-client");
const connect2 = require("socket.io-client-v2");
const official = require("socket.io-parser");
const { turbo, WebSocketServer, createAdapter } = require("../..");
const { hasNative } = require("../support/engines.js");
const { polled } = require("../support/observed.js");
const {
  assertShort,
  compare,
  countShort,
  enterLogged,
  exchange,
  logEvents,
  sendAndLetRead,
  sendInOnePiece,
} = require("../support/reception.js");
const { connectClient } = require("../support/socket-io-client.js");

const GUARD = { timeout: 30_000 };
const BYTES = Buffer.from([1, 2, 255]);

const MIB = 1024 * 1024;
const ROUNDS = 10;

const events = (...names) => names.map((name) => `42["${name}",{"of":"${name}"}]`);

/**
 * Returns a function that tells whether a number of packets has come from the worker; without a worker
 * they wait in the kernel.
 */
function watchArrival(conn, expected) {
  const connection = conn.transport.socket._connection ?? null;
  if (connection === null) return () => true;
  const { handlePacket } = connection;
  let count = 0;
  connection.handlePacket = (packet) => {
    // The first one is that of the listener.
    if (connection.held !== null) count++;
    handlePacket.call(connection, packet);
  };
  return () => count === expected;
}

/** Keeps JavaScript busy, so that a worker that has read reports it. */
function letNotify() {
  const end = performance.now() + 5;
  while (performance.now() < end);
}

/** Defines a program for one client whose packets arrive in one piece. */
function inOnePiece(prepare, messages) {
  return async (server) => {
    const reception = await enterLogged(server);
    await prepare(reception);
    const received = await exchange(reception, messages);
    return { log: [...reception.log, received], short: reception.shortCount() };
  };
}

describe("listeners of received packets", () => {
  test("have the asynchronous context of their connection only", GUARD, async (t) => {
    const { log, short } = await compare(
      t,
      inOnePiece(
        ({ socket, see }) => {
          const users = new AsyncLocalStorage();
          let count = 0;
          socket.onAny((name) => see("any", name, users.getStore()));
          socket.use(([name], next) => {
            see("middleware", name, users.getStore());
            if (name === "entering") users.enterWith("entered");
            if (name === "running") users.run("run", next);
            else next();
          });
          for (const name of ["first", "entering", "running", "last"]) {
            socket.on(name, () => {
              see("listener", name, users.getStore());
              users.enterWith(`left by ${name}, ${count++}`);
            });
          }
        },
        events("first", "entering", "running", "last"),
      ),
    );
    const stores = log.filter(([kind, name]) => kind === "listener" && name === "running");
    assert.deepEqual(stores, [["listener", "running", "run"]]);
    assertShort(short, 6);
  });

  test("have executions of their own", GUARD, async (t) => {
    const { short } = await compare(
      t,
      inOnePiece(
        ({ socket, see }) => {
          const ids = [];
          socket.onAny((name) => {
            ids.push(executionAsyncId());
            const { args, callback } = executionAsyncResource();
            see(name, ids.indexOf(executionAsyncId()), args, typeof callback);
          });
        },
        events("a", "b", "c"),
      ),
    );
    assertShort(short, 5);
  });

  test("see what they schedule run before packets that arrive later", GUARD, async (t) => {
    const { log } = await compare(t, async (server) => {
      const reception = await enterLogged(server);
      const { socket, client, see } = reception;
      const hasEnded = once(socket, "last");
      let count = 0;
      socket.on("next", () => {
        setImmediate(() => see("immediate"));
        sendAndLetRead(reception, events(count++ < ROUNDS ? "next" : "last"));
        letNotify();
      });
      sendInOnePiece(client, events("next"));
      await hasEnded;
      return { log: reception.log };
    });
    assert.equal(log.length, 2 * (ROUNDS + 1) + 1);
  });

  for (const isClosed of [false, true]) {
    test(`disconnect(${isClosed}), while further packets have arrived`, GUARD, async (t) => {
      await compare(
        t,
        inOnePiece(
          ({ socket }) => {
            socket.on("leave", () => socket.disconnect(isClosed));
          },
          events("a", "leave", "b"),
        ),
      );
    });
  }

  test("get nothing that arrives while the connection waits to be closed", GUARD, async (t) => {
    const { log } = await compare(t, async (server) => {
      const reception = await enterLogged(server);
      const { client, conn, socket, see } = reception;
      client.webSocket.pause();
      // More than the kernel's buffers hold, and a packet that waits for it.
      conn.send(Buffer.alloc(32 * MIB));
      socket.emit("last");
      conn.close();
      see(conn.readyState);
      const before = socket.request.socket.bytesRead;
      sendInOnePiece(client, events("a", "b"));
      await polled(() => socket.request.socket.bytesRead > before);
      see(conn.readyState);
      const closed = once(conn, "close");
      client.webSocket.resume();
      await closed;
      return { log: reception.log };
    });
    assert.deepEqual(log.slice(0, 2), [["closing"], ["closing"]]);
    assert.equal(log.length, 3);
  });

  test("are behind middlewares that wait, refuse and change events", GUARD, async (t) => {
    await compare(
      t,
      inOnePiece(
        ({ socket, see }) => {
          socket.use((event, next) => {
            if (event[0] === "slow") setImmediate(next);
            else if (event[0] === "bad") next(new Error("refused"));
            else next();
          });
          socket.use((event, next) => {
            event.push("added");
            next();
          });
          for (const name of ["a", "slow", "bad", "b"]) {
            socket.on(name, (...args) => see("listener", name, args.length, args[1]));
          }
        },
        events("a", "slow", "b", "bad", "a"),
      ),
    );
  });

  test("may add a listener of messages when a packet is refused", GUARD, async (t) => {
    const { log } = await compare(
      t,
      inOnePiece(
        ({ socket, conn, see }) => {
          socket.on("error", () => conn.on("message", (data) => see("message", data)));
        },
        ['42["a"]', "42[]"],
      ),
    );
    assert.ok(log.some(([kind, data]) => kind === "message" && data === "2[]"));
  });

  test("of sockets with captureRejections", GUARD, async (t) => {
    await compare(
      t,
      inOnePiece(
        ({ socket, see }) => {
          EventEmitter.captureRejections = true;
          t.after(() => {
            EventEmitter.captureRejections = false;
          });
          socket.on("a", () => see("listener"));
        },
        events("a", "b"),
      ),
    );
  });

  for (const target of ["WebSocket", "net.Socket"]) {
    test(`pause the ${target} while packets have arrived, and resume it`, GUARD, async (t) => {
      const { log } = await compare(t, async (server) => {
        const reception = await enterLogged(server);
        const { socket, conn, client, see } = reception;
        const paused = target === "WebSocket" ? conn.transport.socket : socket.request.socket;
        const haveArrived = watchArrival(conn, 2);
        socket.on("pause", () => {
          sendAndLetRead(reception, events("b", "c"));
          paused.pause();
        });
        const isPaused = once(socket, "pause");
        sendInOnePiece(client, events("pause"));
        await isPaused;
        await polled(haveArrived);
        see("resumed");
        paused.resume();
        reception.log.push(await exchange(reception, events("d")));
        return { log: reception.log };
      });
      const names = log.map(([kind, , name]) => name ?? kind);
      assert.deepEqual(names.slice(0, 5), ["pause", "resumed", "b", "c", "d"]);
    });
  }

  test("get nothing once they have terminated the WebSocket", GUARD, async (t) => {
    const { log } = await compare(t, async (server) => {
      const reception = await enterLogged(server);
      const { socket, conn, client } = reception;
      const ended = once(conn, "close");
      socket.on("end", () => {
        sendAndLetRead(reception, events("b", "c"));
        conn.transport.socket.terminate();
      });
      sendInOnePiece(client, events("end"));
      await ended;
      return { log: reception.log };
    });
    assert.deepEqual(
      log.map(([kind]) => kind),
      ["event", "disconnect"],
    );
  });

  test("the first packet after a ping extends the wait for the pong", GUARD, async (t) => {
    const program = async (server) => {
      // A method of its own, for which engine.io keeps the heartbeats of the connection.
      server.io.engine.once("connection", (conn) => {
        conn.resetPingTimeout = (...args) =>
          Object.getPrototypeOf(conn).resetPingTimeout.apply(conn, args);
      });
      const reception = await enterLogged(server);
      const { conn, see } = reception;
      // As engine.io does after a ping.
      const timer = setTimeout(() => see("ping timeout"), 60_000);
      const { refresh } = timer;
      timer.refresh = () => {
        see("refreshed");
        return refresh.call(timer);
      };
      conn.pingTimeoutTimer = timer;
      conn.hasRefreshedPingTimeout = false;
      await exchange(reception, events("a", "b"));
      see(conn.hasRefreshedPingTimeout);
      reception.shortCount();
      await exchange(reception, events("c", "d"));
      clearTimeout(timer);
      conn.pingTimeoutTimer = null;
      return { log: reception.log, short: reception.shortCount() };
    };
    const { log, short } = await compare(t, program);
    assert.equal(log.filter(([what]) => what === "refreshed").length, 1);
    assertShort(short, 4);
  });
});

describe("received packets on a server", () => {
  const packets = [
    ...events("a"),
    '451-["b",{"_placeholder":true,"num":0}]',
    BYTES,
    ...events("c"),
    '427["d"]',
  ];
  const receive = inOnePiece(() => {}, packets);

  test("with connection state recovery", GUARD, async (t) => {
    await compare(t, receive, { connectionStateRecovery: {} });
  });

  test("whose texts are Buffers", GUARD, async (t) => {
    const options = ({ name }) =>
      name === "stock" ? {} : { wsEngine: WebSocketServer, adapter: createAdapter() };
    const { short } = await compare(t, receive, options);
    assert.equal(short, 0);
  });

  for (const binaryType of ["arraybuffer", "fragments", "blob"]) {
    test(`whose WebSockets have the binaryType "${binaryType}"`, GUARD, async (t) => {
      const { short } = await compare(
        t,
        inOnePiece(
          ({ conn }) => {
            conn.transport.socket.binaryType = binaryType;
          },
          binaryType === "blob" ? events("a", "b") : packets,
        ),
      );
      assert.equal(short, 0);
    });
  }

  test("whose parser revives values", GUARD, async (t) => {
    const reviver = (key, value) => (key === "of" ? `revived ${value}` : value);
    class Decoder extends official.Decoder {
      constructor() {
        super({ reviver });
      }
    }
    const { log, short } = await compare(t, receive, {
      parser: { Encoder: official.Encoder, Decoder },
    });
    assert.deepEqual(log[0], ["event", "/", "a", [{ of: "revived a" }]]);
    assert.equal(short, 0);
  });

  test("whose parser extends ours", GUARD, async (t) => {
    const own = ({ name }) => (name === "stock" ? official : turbo.parser);
    const options = (engine) => {
      class Decoder extends own(engine).Decoder {
        add(data) {
          super.add(typeof data === "string" ? data.replace('"a"', '"A"') : data);
        }
      }
      return { parser: { Encoder: own(engine).Encoder, Decoder } };
    };
    const { log, short } = await compare(t, receive, options);
    assert.equal(log[0][2], "A");
    assert.equal(short, 0);
  });

  test("with another Socket.IO server on its engine", GUARD, async (t) => {
    const { short } = await compare(t, async (server) => {
      const other = new Server();
      other.bind(server.io.engine);
      const log = [];
      other.on("connection", (socket) =>
        logEvents(socket, (...values) => log.push(["other", ...values])),
      );
      const reception = await enterLogged(server, log);
      // Each acknowledges on its own.
      reception.log.push(await exchange(reception, events("a", "b")));
      return { log, short: reception.shortCount() };
    });
    assert.equal(short, 0);
  });

  test("on which its clients reconnect", GUARD, async (t) => {
    const { short } = await compare(t, async (server) => {
      const log = [];
      const short = [];
      for (let round = 0; round < 3; round++) {
        const reception = await enterLogged(server, log, `client ${round}`);
        log.push(await exchange(reception, packets));
        short.push(reception.shortCount());
        const closed = once(reception.conn, "close");
        reception.client.disconnect();
        await closed;
      }
      return { log, short };
    });
    assertShort(short, Array(3).fill(5));
  });

  test("of clients of Engine.IO v3", GUARD, async (t) => {
    const program = async (server) => {
      const log = [];
      const connected = once(server.io, "connection");
      const client = connectClient(server.origin, {}, connect2);
      server.beforeClose(() => client.disconnect());
      const [socket] = await connected;
      logEvents(socket, (...values) => log.push(values));
      const count = countShort(socket.conn);
      client.emit("a", { of: "a" });
      client.emit("b", BYTES);
      await new Promise((resolve) => client.emit("c", resolve));
      return { log, short: count() };
    };
    const { log, short } = await compare(t, program, { allowEIO3: true });
    assert.equal(log.length, 3);
    assert.equal(short, 0);
  });

  for (const isReplaced of [false, true]) {
    const how = isReplaced ? ", whose onPacket() is replaced before" : "";
    test(`before and after an upgrade from polling${how}`, GUARD, async (t) => {
      const { log, short } = await compare(t, async (server) => {
        const log = [];
        server.io.engine.once("connection", (conn) => {
          if (isReplaced) conn.onPacket = onPacket;
          function onPacket(packet) {
            if (String(packet.data).includes("upgraded")) log.push(["onPacket", packet.type]);
            Object.getPrototypeOf(conn).onPacket.call(conn, packet);
          }
        });
        const connected = once(server.io, "connection");
        const client = connectClient(
          server.origin,
          { transports: ["polling", "websocket"] },
          connect4,
        );
        server.beforeClose(() => client.disconnect());
        const [socket] = await connected;
        logEvents(socket, (...values) => log.push(values));
        await client.emitWithAck("polling", socket.conn.transport.name);
        if (socket.conn.transport.name === "polling") await once(socket.conn, "upgrade");
        const count = countShort(socket.conn);
        // The worker may have read this one before it begins to split packets.
        await client.emitWithAck("upgraded", "first");
        count();
        for (let index = 0; index < 5; index++) await client.emitWithAck("upgraded", index);
        return { log, short: count() };
      });
      assert.equal(log.length, isReplaced ? 13 : 7);
      assertShort(short, isReplaced ? 0 : 5);
    });
  }
});

test("a message that only workers read is not lost at the end", {
  ...GUARD,
  skip: !hasNative,
}, async (t) => {
  const { log } = await compare(t, async (server) => {
    const reception = await enterLogged(server);
    sendInOnePiece(reception.client, events("a", "b"));
    reception.client.webSocket.close(1000);
    await once(reception.socket, "disconnect");
    return { log: reception.log };
  });
  assert.deepEqual(
    log.map(([kind]) => kind),
    ["event", "event", "disconnect"],
  );
});
