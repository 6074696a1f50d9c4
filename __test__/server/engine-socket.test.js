"use strict";

/**
 * Engine.IO sockets that I/O threads have accepted, lean and expanded: the same as those of stock parts, in
 * whatever way a connection ends, and whenever a program looks at it.
 */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const http = require("node:http");
const { describe, test } = require("node:test");
const { inspect } = require("node:util");
const engineIo = require("engine.io");
const { Server } = require("socket.io");
const { WebSocket } = require("ws");
const { createServer, turbo } = require("../..");
const { hasEngine } = require("../../lib/addon/index.js");
const { Observed, polled } = require("../support/observed.js");

const GUARD = { timeout: 30_000 };
const LONG = 1_000_000;

const stock = { createServer: http.createServer, serverOptions: (options) => options };
const ours = { createServer, serverOptions: turbo };

/** Returns whether a socket has no transport yet: that is seen by properties of its own only. */
const isLean = (conn) => !Object.hasOwn(conn, "transport");

/** The events, in order. */
class Log extends Observed {
  lines = [];

  see = (...values) => {
    this.lines.push(values);
    this.changed();
  };

  has(name) {
    return this.lines.some(([first]) => first === name);
  }

  describe() {
    return JSON.stringify(this.lines);
  }
}

/** Connects a client by hand to a server of Socket.IO, and notes the end of the connection. */
async function enter(t, kind, { isAlive = false, ...options } = {}) {
  const server = kind.createServer();
  const io = new Server(server, kind.serverOptions({ pingInterval: LONG, ...options }));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const connected = once(io, "connection");
  const client = new WebSocket(
    `ws://127.0.0.1:${server.address().port}/socket.io/?EIO=4&transport=websocket`,
  );
  const log = new Log();
  client.on("message", (data, isBinary) => {
    const text = isBinary ? data.toString("hex") : String(data);
    if (isAlive && text === "2") client.send("3");
    if (text.startsWith("0{")) client.send("40");
    else log.see("client", text.replace(/^40.*/, "40"));
  });
  client.on("error", () => {});
  client.on("close", (code, reason) => log.see("client closed", code, String(reason)));
  t.after(async () => {
    client.terminate();
    await io.close();
  });
  const [socket] = await connected;
  await log.until(() => log.has("client"), "CONNECT");
  log.lines.length = 0;
  return { io, server, client, socket, conn: socket.conn, log };
}

/** Notes the end of a connection on the server. */
function noteEnd({ io, server, socket, conn, log }) {
  socket.on("disconnecting", (reason) => log.see("disconnecting", reason, conn.readyState));
  socket.on("disconnect", (reason, description) =>
    log.see("disconnect", reason, description?.message, description?.description?.message),
  );
  conn.on("close", (reason, description) =>
    log.see("close", reason, description?.message, io.engine.clientsCount, server._connections),
  );
}

/** The parts of a socket that programs look at after its end. */
function stateOf({ conn, io, server }) {
  const { transport } = conn;
  const { socket: websocket } = transport;
  return {
    readyState: conn.readyState,
    transport: [transport.name, transport.readyState, transport.discarded],
    listeners: ["error", "packet", "drain", "close", "ready"].map((name) =>
      transport.listenerCount(name),
    ),
    websocket: [websocket.readyState, websocket._closeFrameReceived, websocket._closeFrameSent],
    code: [websocket._closeCode, String(websocket._closeMessage)],
    buffers: [conn.writeBuffer.length, conn.packetsFn.length, conn.cleanupFn.length],
    timers: [conn.pingTimeoutTimer, conn.upgrading, conn.upgraded],
    socket: [websocket._socket.destroyed, conn.request.socket === websocket._socket],
    left: [io.engine.clientsCount, Object.keys(io.engine.clients).length, server._connections],
  };
}

const isClosed = ({ conn }) => conn.readyState === "closed";

/**
 * Ways in which a connection ends.
 *
 * @type {Record<string, { end: (stage: object) => unknown, options?: object }>}
 */
const endings = {
  "the client closes": { end: ({ client }) => client.close() },
  "the client closes with a code": { end: ({ client }) => client.close(4001, "enough") },
  "the client ends without a close frame": { end: ({ client }) => client._socket.end() },
  "the client resets": { end: ({ client }) => client._socket.resetAndDestroy() },
  "the client leaves the namespace and closes": {
    end: ({ client }) => {
      client.send("41");
      client.close();
    },
  },
  "the client sends what is no packet": { end: ({ client }) => client.send("4x") },
  "the client sends a ping of Engine.IO": { end: ({ client }) => client.send("2") },
  "the client sends a malformed packet": { end: ({ client }) => client.send("9") },
  "the client sends too much": {
    options: { maxHttpBufferSize: 100 },
    end: ({ client }) => client.send(`42["${"x".repeat(200)}"]`),
  },
  "the client sends a frame without a mask": {
    end: ({ client }) => client._socket.write(Buffer.from([0x81, 0x01, 0x34])),
  },
  "conn.close()": { end: ({ conn }) => conn.close() },
  "conn.close(true)": { end: ({ conn }) => conn.close(true) },
  "conn.close() behind packets": {
    end: ({ conn }) => {
      for (const text of ["a", "b", "c"]) conn.send(text);
      conn.close();
    },
  },
  "socket.disconnect()": {
    end: ({ socket, client }) => {
      socket.disconnect();
      client.close();
    },
  },
  "socket.disconnect(true)": { end: ({ socket }) => socket.disconnect(true) },
  "io.disconnectSockets(true)": { end: ({ io }) => io.disconnectSockets(true) },
  "io.engine.close()": { end: ({ io }) => io.engine.close() },
  "the transport closes": { end: ({ conn }) => conn.transport.close() },
  "the WebSocket is terminated": { end: ({ conn }) => conn.transport.socket.terminate() },
  "the net.Socket is destroyed": { end: ({ conn }) => conn.request.socket.destroy() },
  "no pong comes": {
    options: { pingInterval: 20, pingTimeout: 1_000 },
    end: () => {},
  },
  "in a listener of an event": {
    end: ({ client, socket }) => {
      socket.on("bye", () => socket.disconnect(true));
      client.send('42["bye"]');
    },
  },
  "an error in the decoder, with a listener": {
    end: ({ client, conn, log }) => {
      conn.on("error", (error) => log.see("error", error.message));
      client.send("4x");
    },
  },
};

describe("A connection ends, when", { skip: !hasEngine }, () => {
  for (const [name, { end, options }] of Object.entries(endings)) {
    for (const isLooked of [false, true]) {
      test(`${name}${isLooked ? ", and it has been looked at" : ""}`, GUARD, async (t) => {
        const results = [];
        for (const kind of [stock, ours]) {
          const stage = await enter(t, kind, options);
          const { conn, log } = stage;
          if (isLooked) assert.equal(conn.transport.name, "websocket");
          else if (kind === ours) assert.ok(isLean(conn));
          noteEnd(stage);
          await end(stage);
          await log.until(() => log.has("close") && log.has("client closed"), "the end");
          await polled(() => stage.server._connections === 0);
          await polled(() => isClosed(stage) && conn.transport.socket.readyState === 3);
          // A ping may have come before.
          const isOfServer = ([first, text]) => first !== "client closed" && text !== "2";
          const lines = log.lines.filter(isOfServer);
          const closed = log.lines.filter(([first]) => first === "client closed");
          results.push({ lines, closed, state: stateOf(stage) });
        }
        assert.deepEqual(results[1], results[0]);
      });
    }
  }
});

describe("A lean socket", { skip: !hasEngine }, () => {
  test("sends frames that a program has encoded", GUARD, async (t) => {
    const frame = [Buffer.from([0x81, 4]), Buffer.from("4123")];
    for (const kind of [stock, ours]) {
      for (const perMessageDeflate of [false, true]) {
        const { conn, log } = await enter(t, kind, { perMessageDeflate });
        if (kind === ours) assert.ok(isLean(conn));
        conn.send("first", { wsPreEncodedFrame: frame });
        conn.send("last");
        await log.until(() => log.lines.length === 2, "both packets");
        const texts = log.lines.map(([, text]) => text);
        assert.deepEqual(texts, [perMessageDeflate ? "4first" : "4123", "4last"]);
      }
    }
  });

  test("stays lean while Socket.IO uses it", GUARD, async (t) => {
    const stage = await enter(t, ours, { isAlive: true, pingInterval: 20, pingTimeout: LONG });
    const { io, socket, conn, client, log } = stage;
    noteEnd(stage);
    socket.on("echo", (value, reply) => reply(value));
    socket.on("bytes", (bytes) => log.see("bytes", bytes.toString("hex")));
    client.send('420["echo",{"a":1}]');
    client.send('451-["bytes",{"_placeholder":true,"num":0}]');
    client.send(Buffer.from([1, 2]));
    socket.emit("one", 1);
    socket.emit("two", Buffer.from([3]));
    socket.join("room");
    io.to("room").emit("news", 3);
    io.volatile.emit("maybe");
    socket.leave("room");
    socket.to("room").emit("nobody");
    const acknowledged = socket.timeout(LONG).emitWithAck("question");
    const asked = () => log.lines.find(([, text]) => /question/.test(text));
    await log.until(() => asked() !== undefined, "the question");
    client.send(`43${/\d+/.exec(asked()[1].slice(2))[0]}["answer"]`);
    assert.equal(await acknowledged, "answer");
    await log.until(() => log.has("bytes"), "the bytes");
    await log.until(() => log.lines.filter(([, text]) => text === "2").length > 2, "pings");
    assert.equal(conn.id, Object.keys(io.engine.clients)[0]);
    assert.equal(conn.remoteAddress, "127.0.0.1");
    assert.equal(conn.protocol, 4);
    assert.equal(conn.readyState, "open");
    assert.equal(conn.upgraded, false);
    assert.equal(conn.upgrading, false);
    assert.equal(conn.request.url, "/socket.io/?EIO=4&transport=websocket");
    assert.equal(conn.request._query.transport, "websocket");
    assert.equal(conn.request.connection.encrypted, undefined);
    assert.equal(socket.handshake.address, "127.0.0.1");
    assert.ok(conn instanceof engineIo.Socket);
    assert.equal(conn.constructor, engineIo.Socket);
    assert.ok(isLean(conn));
    socket.disconnect(true);
    await log.until(() => log.has("close"), "the end");
    await polled(() => stage.server._connections === 0);
    assert.ok(isLean(conn));
  });

  /** The members that a program may read, and their values. */
  const looks = {
    transport: ({ transport }) => [
      transport instanceof engineIo.transports.websocket,
      transport.name,
      transport.readyState,
      transport.writable,
      transport.supportsBinary,
      transport.protocol,
      // Compaction removes a listener that only polling needs.
      transport.eventNames().filter((name) => name !== "headers"),
    ],
    writeBuffer: ({ writeBuffer }) => writeBuffer.map(({ type }) => type),
    packetsFn: ({ packetsFn }) => packetsFn.length,
    cleanupFn: ({ cleanupFn }) => cleanupFn.length,
    pingIntervalTimer: ({ pingIntervalTimer }) => typeof pingIntervalTimer.refresh,
    pingTimeoutTimer: ({ pingTimeoutTimer }) => pingTimeoutTimer,
    hasRefreshedPingTimeout: ({ hasRefreshedPingTimeout }) => hasRefreshedPingTimeout,
    "request.websocket": (conn) => conn.request.websocket === conn.transport.socket,
    "request.socket": (conn) => conn.request.socket === conn.transport.socket._socket,
    "what console.log() shows": (conn) => /\btransport: /.test(inspect(conn, { depth: 0 })),
    eventNames: (conn) => conn.eventNames().filter((name) => !/istener$/.test(name)),
    listeners: (conn) => ["data", "close", "error"].map((name) => conn.listenerCount(name)),
    getAvailableUpgrades: (conn) => conn.getAvailableUpgrades(),
    send: (conn) => conn.send("4late") === conn,
    "flush()": (conn) => conn.flush(),
    "in the log of a callback": (conn) => conn.send("x", {}, () => {}) === conn,
  };

  for (const [name, look] of Object.entries(looks)) {
    for (const moment of ["at engine's connection", "at socket.io's connection", "later"]) {
      test(`is as engine.io's: ${name}, ${moment}`, GUARD, async (t) => {
        const results = [];
        for (const kind of [stock, ours]) {
          const found = [];
          const server = kind.createServer();
          const io = new Server(server, kind.serverOptions({ pingInterval: LONG }));
          if (moment === "at engine's connection") {
            io.engine.on("connection", (conn) => found.push(look(conn)));
          }
          if (moment === "at socket.io's connection") {
            io.on("connection", ({ conn }) => found.push(look(conn)));
          }
          await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
          const address = `ws://127.0.0.1:${server.address().port}/socket.io/`;
          const client = new WebSocket(`${address}?EIO=4&transport=websocket`);
          t.after(async () => {
            client.terminate();
            await io.close();
          });
          const log = new Log();
          client.on("message", (data) => {
            const text = String(data);
            if (text.startsWith("0")) client.send("40");
            if (text.startsWith("42")) client.send('42["back",1]');
            log.see(text[0] === "0" ? "0" : text.replace(/^40.*/, "40"));
          });
          const [socket] = await once(io, "connection");
          socket.on("back", (value) => log.see("back", value));
          await log.until(() => log.has("40"), "CONNECT");
          const isLater = moment === "later" && name !== "pingIntervalTimer";
          if (isLater) found.push(look(socket.conn));
          socket.emit("news", 1);
          await log.until(() => log.has("back"), "the answer");
          results.push({ found, lines: log.lines });
        }
        assert.deepEqual(results[1], results[0]);
      });
    }
  }
});
