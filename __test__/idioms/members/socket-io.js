"use strict";

/** Programs that use engine.io's classes and the adapter of a Socket.IO server. */

const { once } = require("node:events");
const { connectionCounts } = require("../../support/engines.js");
const { connectClient, enter } = require("../../support/socket-io-client.js");
const { startServer } = require("../../support/socket-io-server.js");
const { assertNative, noteEvents } = require("./programs.js");

/**
 * Starts a Socket.IO server and connects clients `a`, `b` and so on by WebSocket.
 *
 * @returns {Promise<object>} `clients` and `sockets` by those names; `client`, `socket` and `conn`
 *   are those of `a`
 */
async function socketIoStage(t, engine, { serverOptions, names = ["a"] } = {}) {
  const server = await startServer(t, engine, serverOptions);
  const { fallback } = connectionCounts();
  const clients = {};
  const sockets = {};
  for (const name of names) {
    const { client, socket } = await enter(server);
    clients[name] = client;
    sockets[name] = socket;
  }
  assertNative(fallback);
  const { conn } = sockets.a;
  return { ...server, clients, sockets, client: clients.a, socket: sockets.a, conn };
}

/** Returns the packets that a client receives of `work`, up to an acknowledgement after it. */
async function received(client, work) {
  const packets = [];
  client.io.engine.on("packet", ({ type, data }) => packets.push([type, data]));
  await work();
  await client.emitWithAck("echo", "all?");
  return packets.filter(([type]) => type === "message").slice(0, -1);
}

/** @type {import("./programs.js").Program[]} */
const ENGINE_SOCKET = [
  {
    title: "packets that conn sends, by each of its methods",
    members: ["send", "write", "sendPacket", "flush"],
    run: ({ client, conn }) =>
      received(client, () => {
        conn.send('2["one"]');
        conn.write('2["two"]', { compress: false });
        conn.sendPacket("message", '2["three"]');
        conn.flush();
      }),
  },
  {
    title: "its callbacks and events",
    members: ["send"],
    async run({ client, conn }) {
      const notes = noteEvents({ conn }, ["packetCreate", "flush", "drain"]);
      await new Promise((resolve) => conn.send('2["one"]', {}, resolve));
      await client.emitWithAck("echo", "all?");
      return [...new Set(notes.map((note) => note.split(" ")[1]))];
    },
  },
  {
    title: "its state",
    members: ["readyState", "getAvailableUpgrades"],
    async run({ conn }) {
      return [
        conn.readyState,
        conn.getAvailableUpgrades(),
        conn.upgraded,
        conn.upgrading,
        conn.protocol,
        conn.writeBuffer.length,
        conn.remoteAddress,
      ];
    },
  },
  ...["close", "closeTransport"].map((method) => ({
    title: `conn.${method}()`,
    members: [method],
    async run({ client, socket, conn }) {
      const notes = noteEvents({ conn, socket }, ["close", "disconnect", "disconnecting"]);
      const left = once(client, "disconnect");
      const closed = once(conn, "close");
      conn[method](method === "close");
      const [reason] = await left;
      await closed;
      return { notes: notes.map((note) => note.replace("[object Object]", "")), reason };
    },
  })),
];

/** @type {import("./programs.js").Program[]} */
const ENGINE_TRANSPORT = [
  {
    title: "its kind and state",
    members: ["name", "handlesUpgrades", "readyState"],
    async run({ conn: { transport } }) {
      const { name, handlesUpgrades, readyState, writable, supportsBinary, sid } = transport;
      return { name, handlesUpgrades, readyState, writable, supportsBinary, hasSid: sid !== "" };
    },
  },
  {
    title: "packets that it sends, text and binary data, one and more",
    members: ["send"],
    run: ({ client, conn: { transport } }) =>
      received(client, () => {
        transport.send([{ type: "message", data: '2["one"]', options: {} }]);
        transport.send([
          { type: "message", data: '51-["two",{"_placeholder":true,"num":0}]', options: {} },
          { type: "message", data: Buffer.from("binary"), options: {} },
        ]);
      }),
  },
  ...["close", "discard"].map((method) => ({
    title: `transport.${method}()`,
    members: [method],
    async run({ client, conn: { transport } }) {
      let isCalled = false;
      const closed = once(transport, "close");
      transport[method](() => {
        isCalled = true;
      });
      if (method === "discard") return transport.discarded;
      const [reason] = await once(client, "disconnect");
      await closed;
      return [reason, isCalled, transport.readyState];
    },
  })),
];

/** @type {import("./programs.js").Program[]} */
const ENGINE_SERVER = [
  {
    title: "its clients, and what it offers",
    members: ["upgrades", "generateId", "_computePath"],
    async run({ io, conn }) {
      const server = io.engine;
      return [
        server.clientsCount,
        Object.keys(server.clients).includes(conn.id),
        server.upgrades("polling"),
        typeof (await server.generateId({})),
        server._computePath({ path: "/x" }),
      ];
    },
  },
  {
    title: "middlewares see the request of each new client",
    members: ["use"],
    async run({ io, origin }) {
      const paths = [];
      io.engine.use((request, _response, next) => {
        paths.push(new URL(request.url, origin).pathname);
        next();
      });
      const client = connectClient(origin);
      await once(client, "connect");
      client.disconnect();
      return paths;
    },
  },
  {
    title: "close() ends its clients",
    members: ["close"],
    async run({ io, client }) {
      const left = once(client, "disconnect");
      io.engine.close();
      return [(await left)[0], io.engine.clientsCount];
    },
  },
];

const rooms = (adapter) => [...adapter.rooms.values()].map((members) => members.size);

/** Returns the names of the clients that receive `news` while `work` runs, sorted. */
async function recipients({ clients }, work) {
  const names = [];
  for (const [name, client] of Object.entries(clients)) client.on("news", () => names.push(name));
  await work();
  for (const client of Object.values(clients)) {
    await client.emitWithAck("echo", "all?");
    client.off("news");
  }
  return names.sort();
}

const packetOf = (data) => ({ type: 2, nsp: "/", data });
const optionsOf = (names, except = []) => ({ rooms: new Set(names), except: new Set(except) });

/** @type {import("./programs.js").Program[]} */
const ADAPTER = [
  {
    title: "rooms change, and its events report it",
    names: ["a", "b"],
    members: ["addAll", "del", "delAll", "socketRooms"],
    async run({ io, sockets: { a, b } }) {
      const { adapter } = io.sockets;
      const events = ["create-room", "join-room", "leave-room", "delete-room"];
      const name = (id) => ({ [a.id]: "a", [b.id]: "b" })[id] ?? id;
      const notes = [];
      for (const event of events) {
        adapter.on(event, (...values) => notes.push([event, ...values.map(name)]));
      }
      adapter.addAll(a.id, new Set(["x", "y"]));
      adapter.addAll(b.id, new Set(["x"]));
      adapter.del(a.id, "x");
      const joined = [...adapter.socketRooms(a.id)].map(name);
      adapter.delAll(b.id);
      return { notes, joined, rooms: rooms(adapter), none: adapter.socketRooms("nobody") };
    },
  },
  {
    title: "broadcasts reach rooms, but for some",
    names: ["a", "b", "c"],
    members: ["broadcast", "computeExceptSids", "apply", "_encode"],
    async run(stage) {
      const { adapter } = stage.io.sockets;
      stage.sockets.a.join("x");
      stage.sockets.b.join(["x", "y"]);
      const sent = (options) =>
        recipients(stage, () => adapter.broadcast(packetOf(["news"]), options));
      const toRoom = await sent(optionsOf(["x"]));
      const toRest = await sent(optionsOf(["x"], ["y"]));
      const toAll = await sent(optionsOf([]));
      return { toRoom, toRest, toAll };
    },
  },
  {
    title: "a broadcast with answers",
    names: ["a", "b"],
    members: ["broadcastWithAck"],
    async run({ io, clients }) {
      for (const [name, client] of Object.entries(clients)) {
        client.on("question", (answer) => answer(name));
      }
      const answers = [];
      let count;
      await new Promise((resolve) => {
        io.sockets.adapter.broadcastWithAck(
          packetOf(["question"]),
          { ...optionsOf([]), flags: { timeout: 10_000 } },
          (clientCount) => {
            count = clientCount;
          },
          (answer) => {
            answers.push(answer);
            if (answers.length === 2) resolve();
          },
        );
      });
      return { count, answers: answers.sort() };
    },
  },
  {
    title: "sockets are found, and changed, by their rooms",
    names: ["a", "b"],
    members: ["sockets", "fetchSockets", "addSockets", "delSockets", "disconnectSockets"],
    async run({ io, clients, sockets: { a } }) {
      const { adapter } = io.sockets;
      a.join("x");
      const found = [...(await adapter.sockets(new Set(["x"])))].length;
      const fetched = (await adapter.fetchSockets(optionsOf(["x"]))).map(({ id }) => id === a.id);
      adapter.addSockets(optionsOf(["x"]), ["y"]);
      const joined = a.rooms.has("y");
      adapter.delSockets(optionsOf(["x"]), ["y"]);
      const left = !a.rooms.has("y");
      const gone = once(clients.a, "disconnect");
      adapter.disconnectSockets(optionsOf(["x"]), true);
      return { found, fetched, joined, left, reason: (await gone)[0] };
    },
  },
  {
    title: "the results of its other methods",
    members: ["init", "close", "serverCount", "serverSideEmit", "persistSession", "restoreSession"],
    async run({ io }) {
      const { adapter } = io.sockets;
      let error;
      try {
        adapter.serverSideEmit(["event"]);
      } catch ({ message }) {
        error = message;
      }
      return [
        await adapter.serverCount(),
        error,
        adapter.persistSession({}),
        await adapter.restoreSession("pid", "offset"),
        await adapter.init(),
        await adapter.close(),
      ];
    },
  },
];

module.exports = { ADAPTER, ENGINE_SERVER, ENGINE_SOCKET, ENGINE_TRANSPORT, socketIoStage };
